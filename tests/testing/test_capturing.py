"""capture_spans: what a block records, and only that."""

import os
import threading
import time

import pytest

import reamon
from reamon.errors import ConfigurationError
from reamon.exporters import MemoryExporter
from reamon.guard import guard
from reamon.testing import Captured, FakeClock, capture_spans, fake_ids
from reamon.testing.time import START_NS


@reamon.trace_agent
def qualify(budget: int) -> bool:
    return budget > 10


@reamon.trace_workflow
def turn(call_id: str) -> bool:
    return qualify(12)


def test_spans_are_there_as_soon_as_they_finish() -> None:
    with capture_spans() as captured:
        turn("call-1")
        root = captured.one("turn")
        assert (root.call_id, root.status) == ("call-1", "ok")
        assert [child.name for child in captured.children_of(root)] == ["qualify"]
        turn("call-2")
        assert [span.call_id for span in captured.roots] == ["call-1", "call-2"]


def test_a_workflow_that_runs_is_among_the_started() -> None:
    with capture_spans() as captured:
        with reamon.trace_workflow("long"):
            assert [(span.name, span.status) for span in captured.started_spans] == [("long", "running")]
            assert captured.spans == []
        assert captured.one("long").status == "ok"


def test_they_stay_readable_after_the_block() -> None:
    with capture_spans() as captured:
        turn("call-1")
    assert [span.name for span in captured.spans] == ["qualify", "turn"]


def test_nothing_is_recorded_after_the_block() -> None:
    with capture_spans() as captured:
        pass
    turn("call-1")
    assert not reamon.enabled()
    assert captured.spans == []


def test_they_are_captured_although_the_block_fails() -> None:
    seen: list[Captured] = []

    def fail() -> None:
        with capture_spans() as captured:
            seen.append(captured)
            turn("call-1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert len(seen[0].spans) == 2
    assert not reamon.enabled()


def test_what_was_configured_before_goes_on_afterwards_and_gets_nothing_of_it() -> None:
    outer = MemoryExporter()
    reamon.configure(exporters=[outer])
    turn("before")
    with capture_spans() as captured:
        turn("inside")
    turn("after")
    assert reamon.shutdown()
    assert [span.call_id for span in outer.roots] == ["before", "after"]
    assert [span.call_id for span in captured.roots] == ["inside"]


def test_what_was_configured_but_off_stays_off() -> None:
    reamon.configure(exporters=[MemoryExporter()], enabled=False)
    with capture_spans() as captured:
        turn("inside")
    assert not reamon.enabled()
    assert len(captured.roots) == 1


def test_settings_of_the_environment_do_not_turn_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_ENABLED", "false")
    with capture_spans() as captured:
        turn("inside")
    assert len(captured.roots) == 1


def test_blocks_may_be_nested() -> None:
    with capture_spans() as outer:
        turn("outer")
        with capture_spans() as inner:
            turn("inner")
        turn("outer again")
    assert [span.call_id for span in outer.roots] == ["outer", "outer again"]
    assert [span.call_id for span in inner.roots] == ["inner"]


def test_other_threads_are_captured_too() -> None:
    with capture_spans() as captured:
        threads = [threading.Thread(target=turn, args=(f"call-{n}",)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(captured.roots) == 4


def test_times_and_ids_can_be_known_beforehand() -> None:
    clock = FakeClock()

    @reamon.trace_step
    def wait() -> None:
        clock.advance(1.5)

    def ids() -> list[str]:
        with capture_spans(clock=FakeClock(), random_62=fake_ids()) as captured:
            turn("call-1")
        return [span.span_id for span in captured.spans]

    with capture_spans(clock=clock) as captured:
        wait()
    (span,) = captured.spans
    assert (span.start_ns, span.duration_ns) == (START_NS, 1_500_000_000)
    assert ids() == ids()


def test_settings_and_processors_are_passed_on() -> None:
    with capture_spans(project="tests", processors=[lambda span: span.replace(name=span.name.upper())]) as captured:
        turn("call-1")
    assert {(span.name, span.project) for span in captured.spans} == {("QUALIFY", "tests"), ("TURN", "tests")}


def test_a_wrong_setting_is_refused_and_leaves_everything_as_it_was() -> None:
    outer = MemoryExporter()
    reamon.configure(exporters=[outer])
    with pytest.raises(ConfigurationError, match="colour"), capture_spans(colour="red"):
        pytest.fail("the block must not run")
    turn("after")
    assert reamon.flush()
    assert [span.call_id for span in outer.roots] == ["after"]


def test_internal_errors_are_raised_unless_told_otherwise() -> None:
    with guard.relaxed():
        with capture_spans():
            assert guard.strict
        assert not guard.strict
    with capture_spans(strict=False):
        assert not guard.strict
    assert guard.strict


def test_an_exporter_that_does_not_catch_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with capture_spans() as captured, monkeypatch.context() as patch:
        patch.setattr("reamon.runtime.flush", lambda timeout: False)
        with pytest.raises(TimeoutError, match="had not arrived"):
            _ = captured.spans
        with pytest.raises(TimeoutError, match="had not arrived"):
            _ = captured.started_spans


def test_a_forked_child_does_not_wait_for_spans_of_its_parent() -> None:
    with capture_spans() as captured, reamon.trace_workflow("turn"):
        child = os.fork()
        if child == 0:
            os._exit(len(captured._spans))
        started = time.monotonic()
        assert os.waitpid(child, 0)[1] == 0
        assert time.monotonic() - started < 5
