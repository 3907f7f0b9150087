"""The runtime: configure, flush, shutdown, stats, and what a process does at its end."""

import asyncio
import logging
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

import reamon
from reamon import runtime
from reamon.errors import ConfigurationError
from reamon.exporters import MemoryExporter, SQLiteExporter
from reamon.guard import guard
from reamon.model import Span
from reamon.protocols import Additions
from reamon.settings import MonitoringSettings
from reamon.tracing import Clock
from support.exporters import Failing, Gate, Sink, wait_until


@reamon.trace_workflow
def turn(text: str = "hello") -> str:
    return agent(text)


@reamon.trace_agent
def agent(text: str) -> str:
    return text.upper()


def configure(*exporters: Any, **options: Any) -> runtime.Runtime:
    return reamon.configure(exporters=list(exporters), handle_sigterm=False, flush_interval=0.02, **options)


def test_before_configure_nothing_is_recorded_and_everything_answers() -> None:
    assert turn() == "HELLO"
    assert reamon.flush()
    assert reamon.shutdown()
    assert reamon.enabled() is False


def test_bare_configure_writes_to_sqlite_in_the_home() -> None:
    configured = reamon.configure(handle_sigterm=False)
    turn()
    assert reamon.flush(20)
    assert isinstance(configured.exporters[0], SQLiteExporter)
    assert configured.exporters[0].path == Path(".reamon/reamon.db").absolute()
    assert configured.exporters[0].path.exists()
    assert reamon.stats().exported == {"sqlite": 2}


def test_exporters_may_be_named_or_given_or_both() -> None:
    sink = Sink()
    configured = configure("memory", sink, home="elsewhere")
    turn()
    assert reamon.flush(20)
    assert [exporter.name for exporter in configured.exporters] == ["memory", "sink"]
    assert sink.names == ["agent", "turn"]
    memory = configured.exporters[0]
    assert isinstance(memory, MemoryExporter)
    assert len(memory) == 2


@pytest.mark.parametrize("names", ["", "none", [], ()])
def test_no_exporter_at_all_is_a_choice(names: Any) -> None:
    assert reamon.configure(exporters=names, handle_sigterm=False).exporters == ()
    turn()
    assert reamon.flush(20)
    assert reamon.stats().recorded == 2


def test_names_in_one_string_are_separated_by_commas() -> None:
    configured = reamon.configure(exporters="memory, jsonl", handle_sigterm=False)
    assert [exporter.name for exporter in configured.exporters] == ["memory", "jsonl"]


def test_where_it_is_disabled_nothing_is_recorded() -> None:
    sink = Sink()
    configure(sink, enabled=False)
    assert turn() == "HELLO"
    assert not reamon.enabled()
    assert reamon.flush(20)
    assert sink.spans == []
    assert reamon.stats().recorded == 0


def test_processors_and_collectors_take_part_in_their_order() -> None:
    seen: list[str] = []

    class Collector:
        name = "seeing"

        def collect(self, span: Span) -> None:
            seen.append(span.name)

    def rename(span: Span) -> Span:
        return span.replace(name=f"{span.name}!")

    sink = Sink()
    configure(sink, collectors=[Collector()], processors=[rename])
    turn()
    assert reamon.flush(20)
    assert sink.names == seen == ["agent!", "turn!"]


def test_secrets_are_redacted_before_processors_collectors_and_exporters() -> None:
    seen: list[Any] = []

    @reamon.trace_step
    def log_in(user: str, password: str) -> dict[str, str]:
        reamon.current_span().set_attribute("api_key", "sk-1")
        return {"access_token": "t-1"}

    def look(span: Span) -> Span:
        seen.append(span)
        return span

    sink = Sink()
    configure(sink, processors=[look], redact_keys=["password", "api_key", "access_token"])
    log_in("ada", "hunter2")
    assert reamon.flush(20)
    for span in (*seen, *sink.spans):
        text = repr(span)
        assert "hunter2" not in text
        assert "sk-1" not in text
        assert "t-1" not in text
        assert "ada" in text


def test_flush_waits_for_the_acknowledgement() -> None:
    gate = Gate()
    sink = Sink(before=gate)
    configure(sink)
    turn()
    assert not reamon.flush(0.1)
    gate.open()
    assert reamon.flush(20)
    assert sink.names == ["agent", "turn"]


def test_flush_until_durable_is_content_with_the_disk() -> None:
    configure(Sink(before=Failing()))
    turn()
    assert not reamon.flush(0.2)
    assert reamon.flush(20, until="durable")
    assert reamon.stats().spooled == {"sink": 2}


def test_flush_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ConfigurationError, match=r"until='later'.*'acknowledged' or 'durable'"):
        reamon.flush(until="later")


def test_threads_that_flush_at_once_all_get_an_answer() -> None:
    sink = Sink()
    configure(sink)
    answers: list[bool] = []

    def work() -> None:
        turn()
        answers.append(reamon.flush(20))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert answers == [True] * 8
    assert len(sink.spans) == 16


async def test_aflush_and_ashutdown_let_the_loop_go_on() -> None:
    gate = Gate()
    sink = Sink(before=gate)
    configure(sink)
    turn()
    flushing = asyncio.create_task(reamon.aflush(20))
    await asyncio.sleep(0.05)
    assert not flushing.done()
    gate.open()
    assert await flushing
    assert await reamon.ashutdown(20)
    assert not reamon.enabled()


def test_after_shutdown_nothing_is_recorded_and_stats_tell_what_it_came_to() -> None:
    sink = Sink()
    configure(sink)
    turn()
    assert reamon.shutdown(20)
    turn()
    stats = reamon.stats()
    assert (stats.recorded, stats.exported) == (2, {"sink": 2})
    assert stats.lanes["sink"].state == "stopped"
    assert len(sink.spans) == 2
    assert reamon.shutdown()


def test_what_is_left_at_shutdown_goes_to_the_next_with_the_same_destination() -> None:
    configure(Sink("crm", before=Failing()))
    turn()
    assert reamon.shutdown(20)
    other, same = Sink("other"), Sink("crm")
    configure(other, same)
    wait_until(lambda: same.names == ["agent", "turn"])
    assert other.spans == []


def test_configured_again_it_flushes_first_and_then_replaces() -> None:
    first, second = Sink("first"), Sink("second")
    configure(first)
    turn()
    configure(second)
    turn()
    assert reamon.flush(20)
    assert len(first.spans) == len(second.spans) == 2


def test_an_open_span_finishes_under_the_new_configuration() -> None:
    first, second = Sink("first"), Sink("second")
    configure(first)
    with reamon.trace_workflow("turn"):
        configure(second)
    assert reamon.flush(20)
    assert (first.names, second.names) == ([], ["turn"])


def test_what_finishes_while_it_is_configured_anew_is_not_lost() -> None:
    gate = Gate()
    first, second = Sink("first", before=gate), Sink("second")
    configure(first)
    turn()
    assert gate.reached.wait(20)
    configuring = threading.Thread(target=configure, args=(second,))
    configuring.start()
    wait_until(lambda: runtime._runtime is not None and runtime._runtime.exporters == (second,))
    turn()
    assert second.spans == []
    gate.open()
    configuring.join(20)
    assert reamon.flush(20)
    assert len(first.spans) == len(second.spans) == 2


def test_a_call_that_was_ending_while_it_was_configured_anew_is_recorded() -> None:
    gate, ending = Gate(), threading.Event()

    def now() -> int:
        if ending.is_set() and threading.current_thread() is thread:
            gate()
        return time.monotonic_ns()

    def work() -> None:
        span = reamon.start_span("step", "late")
        ending.set()
        span.end()

    first, second = Sink("first"), Sink("second")
    thread = threading.Thread(target=work)
    configure(first, clock=Clock(now))
    thread.start()
    assert gate.reached.wait(20)  # it has looked at where its span goes, and not yet put it there
    configure(second)
    gate.open()
    thread.join(20)
    assert reamon.flush(20)
    assert second.names == ["late"]
    assert reamon.stats().recorded == 1


def test_a_call_that_was_ending_while_recording_was_switched_off_is_not_recorded() -> None:
    configured = configure(Sink())
    turn()
    off = configure(Sink("off"), enabled=False)
    configured.pipeline.queue.append("late")
    configured.pipeline.queue.wake()
    assert not off.pipeline.queue


@pytest.mark.parametrize("ask", [reamon.shutdown, reamon.flush])
def test_who_asks_while_another_thread_shuts_down_waits_for_it(ask: Any) -> None:
    gate = Gate()
    sink = Sink(before=gate)
    configure(sink)
    turn()
    stopping = threading.Thread(target=reamon.shutdown, args=(20,))
    stopping.start()
    assert gate.reached.wait(20)
    wait_until(lambda: not reamon.enabled())
    assert reamon.stats().recorded == 2
    assert ask(0.05) is False
    threading.Timer(0.1, gate.open).start()
    assert ask(20) is True
    assert len(sink.spans) == 2
    stopping.join(20)


def test_an_exporter_that_flushes_or_shuts_down_at_its_end_does_not_wait_for_itself() -> None:
    answers: list[Any] = []

    class Asking(Sink):
        def shutdown(self, timeout: float) -> None:
            answers.extend([reamon.flush(timeout), reamon.shutdown(timeout)])

    configure(Asking())
    turn()
    begun = time.monotonic()
    assert reamon.shutdown(30)
    assert answers == [True, True]
    assert time.monotonic() - begun < 10


def test_the_same_exporter_may_be_configured_again() -> None:
    sink = Sink()
    for _ in range(3):
        configure(sink)
        turn()
    assert reamon.flush(20)
    assert len(sink.spans) == 6


def test_disabled_the_second_time_it_stops() -> None:
    sink = Sink()
    configure(sink)
    configure(Sink("second"), enabled=False)
    turn()
    assert reamon.flush(20)
    assert sink.spans == []


class Opening(Sink):
    """Says when it is opened and shut down, and fails to open if it is told to."""

    def __init__(self, name: str, log: list[str], error: Exception | None = None) -> None:
        super().__init__(name)
        self.log = log
        self.error = error

    def open(self) -> None:
        self.log.append(f"open {self.name}")
        if self.error is not None:
            raise self.error

    def shutdown(self, timeout: float) -> None:
        self.log.append(f"shutdown {self.name}")


def test_the_old_exporters_are_shut_down_before_the_new_are_opened() -> None:
    log: list[str] = []
    configure(Opening("first", log))
    configure(Opening("second", log))
    assert log == ["open first", "shutdown first", "open second"]


def test_if_one_cannot_be_opened_the_others_are_shut_down_and_nothing_is_recorded() -> None:
    log: list[str] = []
    with pytest.raises(RuntimeError, match="no such account"):
        configure(Opening("well", log), Opening("ill", log, RuntimeError("no such account")))
    assert log == ["open well", "open ill", "shutdown well", "shutdown ill"]
    assert not reamon.enabled()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exporters": [Sink("crm"), Sink("crm")]}, r"exporters: two of them are called 'crm'; give one another name"),
        ({"exporters": [Sink]}, r"exporters: Sink is a class; give an object of it: Sink\(\.\.\.\)"),
        ({"exporters": ["sqllite"]}, r"exporters = 'sqllite': there is no such exporter; did you mean 'sqlite'\?"),
        ({"exporters": [object()]}, r"has no export\(\); see reamon\.protocols\.Exporter"),
        ({"exporters": [Sink("")]}, r"has no name; give it one"),
        ({"collectors": [Sink()]}, r"has no collect\(\); see reamon\.protocols\.Collector"),
        ({"processors": ["nothing"]}, r"there is no such processor"),
        ({"processors": [3]}, r"3 cannot be called; a processor takes a span and returns one"),
        ({"exporters": ["memory"], "exporter_options": {"memory": {"limt": 3}}}, r"'memory' cannot be made.*\(limt\)"),
        ({"flush_intervall": 1}, r"unknown setting 'flush_intervall'; did you mean 'flush_interval'\?"),
        ({"settings": 3}, r"a MonitoringSettings or a mapping, not 3"),
    ],
)
def test_mistakes_are_refused_and_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        reamon.configure(**options)
    assert not reamon.enabled()


def test_two_exporters_of_one_destination_are_refused() -> None:
    first, second = Sink("first"), Sink("second")
    first.destination = second.destination = "crm"  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="'first' and 'second' both send to 'crm'; keep one"):
        configure(first, second)


def test_a_mistake_leaves_what_is_configured_as_it_is() -> None:
    sink = Sink()
    configure(sink)
    with pytest.raises(ConfigurationError):
        configure(Sink("a"), Sink("a"))
    turn()
    assert reamon.flush(20)
    assert len(sink.spans) == 2


def test_settings_may_be_an_object_a_mapping_or_arguments_and_arguments_win() -> None:
    by_object = reamon.configure(MonitoringSettings(project="a", exporters="memory"), handle_sigterm=False)
    assert (by_object.settings.project, by_object.settings.exporters) == ("a", ("memory",))
    by_mapping = reamon.configure({"project": "b", "exporters": "memory"}, project="c", handle_sigterm=False)
    assert by_mapping.settings.project == "c"


def test_starts_of_workflows_reach_who_wants_them() -> None:
    memory = MemoryExporter()
    configure(memory)
    with reamon.trace_workflow("turn"):
        assert reamon.flush(20)
        assert [(span.name, span.status) for span in memory.started_spans] == [("turn", "running")]
        assert memory.spans == []
    assert reamon.flush(20)
    assert memory.one("turn").status == "ok"


def test_what_exporters_do_is_not_recorded_itself() -> None:
    sink = Sink(before=lambda batch: turn())
    configure(sink)
    turn()
    assert reamon.flush(20)
    turn()
    assert reamon.flush(20)
    assert len(sink.spans) == 4


def test_an_exporter_may_even_flush_without_coming_to_a_halt() -> None:
    sink = Sink(before=lambda batch: reamon.flush(0.05))
    configure(sink)
    turn()
    assert reamon.flush(20)
    assert len(sink.spans) == 2


def test_internal_errors_are_counted_in_stats() -> None:
    def fail(span: Span) -> Span:
        raise RuntimeError

    configure(Sink(), processors=[fail])
    before = reamon.stats().internal_errors
    with guard.relaxed():
        turn()
        assert reamon.flush(20)
    stats = reamon.stats()
    guard.reset()
    assert stats.internal_errors > before
    assert stats.dropped == {"processor_error": 2}


def test_an_exit_with_spans_that_are_nowhere_says_so(caplog: pytest.LogCaptureFixture) -> None:
    Path(".reamon").touch()  # no directory, so no outbox
    configure(Sink(before=Failing()), shutdown_timeout=0.3)
    turn()
    runtime._at_exit()
    assert "exit_incomplete" in caplog.text
    assert caplog.records[-1].levelno == logging.WARNING


def test_without_permission_no_signal_handler_is_installed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    configure(Sink())
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_hosts_handler_stays() -> None:
    def mine(*_: object) -> None: ...

    before = signal.signal(signal.SIGTERM, mine)
    try:
        reamon.configure(exporters=[Sink()], handle_sigterm=True)
        assert signal.getsignal(signal.SIGTERM) is mine
    finally:
        signal.signal(signal.SIGTERM, before)


def test_configured_in_a_thread_it_works_and_leaves_signals_alone() -> None:
    sink = Sink()
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: reamon.configure(exporters=[sink], handle_sigterm=True))
    thread.start()
    thread.join(20)
    turn()
    assert reamon.flush(20)
    assert len(sink.spans) == 2
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_flush_during_a_change_of_configuration_waits_for_it() -> None:
    gate = Gate()
    configure(Sink("first", before=gate))
    turn()
    assert gate.reached.wait(20)
    second = Sink("second")
    configuring = threading.Thread(target=configure, args=(second,))
    configuring.start()
    wait_until(lambda: runtime._runtime is not None and runtime._runtime.exporters == (second,))
    turn()
    threading.Timer(0.1, gate.open).start()
    assert reamon.flush(20)
    configuring.join(20)
    assert len(second.spans) == 2


def test_what_finished_is_committed_within_the_flush_interval() -> None:
    sink = Sink()
    configure(sink)
    turn()
    begun = time.monotonic()
    wait_until(lambda: len(sink.spans) == 2)
    assert time.monotonic() - begun < 5


class Ends:
    """A collector that has to be done with what it saw."""

    is_last = True

    def __init__(self, name: str, *, done: bool = True) -> None:
        self.name = name
        self.done = done
        self.calls: list[str] = []
        self.saw: list[object] = []

    def collect(self, span: Span) -> None:
        self.saw.append(span.attributes)

    def flush(self, timeout: float) -> bool:
        self.calls.append("flush")
        return self.done

    def shutdown(self, timeout: float) -> bool:
        self.calls.append("shutdown")
        assert timeout > 0
        return self.done


class Adds:
    """A collector that adds something."""

    name = "adds"

    def collect(self, span: Span) -> Additions:
        return Additions(attributes={"added": True})


def test_collectors_are_flushed_and_shut_down_with_the_rest() -> None:
    done, late = Ends("done"), Ends("late", done=False)
    reamon.configure(exporters=[MemoryExporter()], collectors=[done, late, Adds()])
    with reamon.trace_workflow("turn"):
        pass
    assert not reamon.flush()
    assert not reamon.shutdown()
    assert done.calls == late.calls == ["flush", "shutdown"]
    assert done.saw == [{"added": True}]  # it is last, wherever it is named


def test_a_collector_that_fails_at_the_end_is_contained() -> None:
    broken = Ends("broken")
    broken.shutdown = lambda timeout: 1 / 0  # type: ignore[assignment,method-assign,return-value]
    reamon.configure(exporters=[MemoryExporter()], collectors=[broken])
    with guard.relaxed():
        assert not reamon.shutdown()
    assert guard.errors == 1
