"""Celery: tasks in the caller's process, in a worker's thread, and in the processes of a real worker."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import celery
import pytest
import redis
from celery import signals
from celery.contrib.testing.worker import start_worker

import reamon
from reamon.errors import ConfigurationError
from reamon.integrations.celery_tasks import instrument_celery
from reamon.testing import Captured
from support.nested import nested

REDIS = os.environ.get("REAMON_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")  # read before the tests are isolated
SIGNALS = (
    signals.before_task_publish, signals.task_prerun, signals.task_failure, signals.task_retry, signals.task_postrun,
    signals.worker_process_shutdown,
)  # fmt: skip
Instrument = Callable[..., Callable[[], None]]


class RefusedError(Exception):
    """An error of the application."""


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    """`instrument_celery`, undone after the test."""
    undos: list[Callable[[], None]] = []

    def install(**options: Any) -> Callable[[], None]:
        undos.append(instrument_celery(**options))
        return undos[-1]

    yield install
    for undo in reversed(undos):
        undo()


@pytest.fixture
def app() -> Iterator[celery.Celery]:
    """An application whose tasks run in the caller's process."""
    made = office(broker_url="memory://", result_backend="cache+memory://", task_always_eager=True)
    yield made
    made.close()


@pytest.fixture(scope="module")
def worked() -> Iterator[celery.Celery]:
    """An application with a worker, in a thread of its own, which starts before anything is instrumented."""
    made = office(broker_url="memory://", result_backend="cache+memory://")
    signals.setup_logging.connect(leave_logging_alone)
    with start_worker(made, perform_ping_check=False, pool="solo"):
        yield made
    signals.setup_logging.disconnect(leave_logging_alone)
    made.close()


def leave_logging_alone(**_: Any) -> None:
    """Who listens to `setup_logging` does it; otherwise the worker changes it for the whole process."""


def office(**settings: Any) -> celery.Celery:
    """An application with some tasks."""
    app = celery.Celery("office", set_as_current=False)
    app.conf.update(settings, task_store_eager_result=False, worker_hijack_root_logger=False)

    @app.task(shared=False, name="value")
    def value(street: str, call_id: str = "") -> int:
        with reamon.trace_step("look up"):
            return len(street)

    @app.task(shared=False, name="fail")
    def fail() -> None:
        raise RefusedError("no budget")

    @app.task(shared=False, name="insist", bind=True, max_retries=2)
    def insist(self: Any) -> str:
        if self.request.retries < 2:
            raise self.retry(exc=RefusedError("busy"), countdown=0)
        return "at last"

    @app.task(shared=False, name="delegate")
    def delegate(street: str) -> None:
        value.delay(street)

    return app


def done(result: Any) -> Any:
    """The result of a task, once it is there."""
    return result.get(timeout=10, interval=0.01)


# -- in the caller's process -------------------------------------------------------------------------------------------


def test_without_instrumentation_a_task_is_no_span(captured: Captured, app: celery.Celery) -> None:
    app.tasks["value"].delay("Hill Road")
    assert nested(captured) == [("look up", [])]


def test_an_eager_task_is_a_step_below_its_caller(
    captured: Captured, instrument: Instrument, app: celery.Celery
) -> None:
    instrument()
    with reamon.trace_workflow("turn", call_id="c-1") as turn:
        assert app.tasks["value"].delay("Hill Road").get() == 9
        assert reamon.current_span() is turn
    assert nested(captured, without_attributes=True) == [("turn", [("value", [("look up", [])])])]
    task = captured.one("value")
    assert (task.kind, task.call_id, task.status) == ("step", "c-1", "ok")
    assert task.input is not None
    assert task.output is not None
    assert (task.input.value, task.output.value) == ({"args": ["Hill Road"], "kwargs": {}}, 9)
    assert (task.attributes["messaging.system"], task.attributes["celery.state"]) == ("celery", "SUCCESS")


@pytest.mark.parametrize(("args", "kwargs"), [(("Hill Road", "c-7"), {}), (("Hill Road",), {"call_id": "c-7"})])
def test_where_nobody_calls_a_task_is_a_workflow(
    captured: Captured, instrument: Instrument, app: celery.Celery, args: Any, kwargs: Any
) -> None:
    instrument(capture=False)
    app.tasks["value"].apply_async(args, kwargs)
    task = captured.one("value")
    assert (task.kind, task.is_root, task.call_id, task.input, task.output) == ("workflow", True, "c-7", None, None)
    assert reamon.current_trace_id() == ""


def test_it_may_be_a_workflow_that_is_linked_to_its_caller(
    captured: Captured, instrument: Instrument, app: celery.Celery
) -> None:
    instrument(kind="workflow")
    with reamon.trace_workflow("turn") as turn:
        app.tasks["value"].delay("Hill Road")
    (link,) = captured.one("value").links
    assert (link.relation, link.span_id) == ("parent_trace", turn.span_id)


def test_a_task_that_fails_raises_as_ever_and_says_so(
    captured: Captured, instrument: Instrument, app: celery.Celery
) -> None:
    instrument()
    with reamon.trace_workflow("turn"), pytest.raises(RefusedError, match="no budget"):
        app.tasks["fail"].delay().get()
    task = captured.one("fail")
    assert (task.status, task.error and task.error.message) == ("error", "no budget")
    assert (task.attributes["celery.state"], task.output) == ("FAILURE", None)


def test_each_eager_attempt_is_recorded(captured: Captured, instrument: Instrument, app: celery.Celery) -> None:
    instrument()
    with reamon.trace_workflow("turn"):
        assert app.tasks["insist"].delay().get() == "at last"
    attempts = sorted(captured.named("insist"), key=lambda span: span.attributes.get("celery.retries", 0))
    assert [(span.status, span.attributes["celery.state"]) for span in attempts] == [
        ("error", "RETRY"),
        ("error", "RETRY"),
        ("ok", "SUCCESS"),
    ]


def test_nothing_is_recorded_inside_suppress_or_unconfigured(
    captured: Captured, instrument: Instrument, app: celery.Celery
) -> None:
    instrument()
    with reamon.suppress():
        assert app.tasks["value"].delay("Hill Road").get() == 9
    reamon.shutdown()
    assert app.tasks["value"].delay("Hill Road").get() == 9
    assert captured.spans == []


def test_a_child_of_a_worker_shuts_down_before_it_ends(captured: Captured, instrument: Instrument) -> None:
    instrument()
    assert reamon.enabled()
    signals.worker_process_shutdown.send(sender=None, pid=1, exitcode=0)
    assert not reamon.enabled()


# -- in a worker's thread ----------------------------------------------------------------------------------------------


def test_without_instrumentation_a_worker_begins_traces_of_its_own(captured: Captured, worked: celery.Celery) -> None:
    with reamon.trace_workflow("turn"):
        done(worked.tasks["value"].delay("Hill Road"))
    assert captured.one("look up").is_root


def test_a_worker_runs_a_task_below_who_sent_it(
    captured: Captured, instrument: Instrument, worked: celery.Celery
) -> None:
    instrument()
    with reamon.trace_workflow("turn", call_id="c-1"):
        assert done(worked.tasks["value"].delay("Hill Road")) == 9
    done(worked.tasks["value"].delay("outside"))
    wait_for(captured, "value", 2)
    assert nested(captured, without_attributes=True) == [
        ("turn", [("value", [("look up", [])])]),
        ("value", [("look up", [])]),
    ]
    inside = captured.named("value")[0]
    assert (inside.kind, inside.call_id, inside.attributes["messaging.destination.name"]) == ("step", "c-1", "celery")
    assert inside.queue_wait_ns is not None
    assert 0 <= inside.queue_wait_ns < 10_000_000_000


def test_attempts_are_side_by_side_below_who_sent_the_task(
    captured: Captured, instrument: Instrument, worked: celery.Celery
) -> None:
    instrument()
    with reamon.trace_workflow("turn"):
        result = worked.tasks["insist"].delay()
    assert done(result) == "at last"
    wait_for(captured, "insist", 3)
    assert nested(captured, without_attributes=True) == [("turn", [("insist", [])] * 3)]
    attempts = sorted(captured.named("insist"), key=lambda span: span.start_ns)
    assert [span.attributes.get("celery.retries") for span in attempts] == [None, 1, 2]
    assert [span.status for span in attempts] == ["error", "error", "ok"]
    assert [[event.name for event in span.events] for span in attempts] == [["retry"], ["retry"], []]


def test_a_task_of_a_task_and_one_after_it_are_below_it(
    captured: Captured, instrument: Instrument, worked: celery.Celery
) -> None:
    instrument()
    with reamon.trace_workflow("turn"):
        worked.tasks["delegate"].delay("Hill Road")
        chain = worked.tasks["value"].si("first") | worked.tasks["value"].si("second")
        done(chain.delay())
    wait_for(captured, "value", 3)
    assert sorted(nested(captured, without_attributes=True)) == [
        (
            "turn",
            [
                ("delegate", [("value", [("look up", [])])]),
                ("value", [("look up", []), ("value", [("look up", [])])]),
            ],
        )
    ]


def test_what_is_suppressed_sends_nothing(captured: Captured, instrument: Instrument, worked: celery.Celery) -> None:
    instrument()
    with reamon.trace_workflow("turn"), reamon.suppress():
        done(worked.tasks["value"].delay("Hill Road"))
    wait_for(captured, "value", 1)
    assert captured.one("value").kind == "workflow"


def wait_for(captured: Captured, name: str, count: int) -> None:
    """Wait until so many spans have ended: a task's result is there before its end is."""
    deadline = time.monotonic() + 10
    while len(captured.named(name)) < count:
        assert time.monotonic() < deadline, captured.spans
        time.sleep(0.005)


# -- set-up ------------------------------------------------------------------------------------------------------------


def test_undone_no_signal_is_received_any_more() -> None:
    before = [len(signal.receivers or ()) for signal in SIGNALS]
    undos = [instrument_celery(), instrument_celery(capture=False)]
    undos.pop(0)()
    assert [len(signal.receivers or ()) for signal in SIGNALS] == [number + 1 for number in before]
    undos.pop()()
    assert [len(signal.receivers or ()) for signal in SIGNALS] == before


@pytest.mark.parametrize("options", [{"kind": "agent"}, {"capture": "input"}], ids=str)
def test_an_option_that_cannot_be_used_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"instrument\('celery'\)"):
        instrument_celery(**options)


# -- in the processes of a real worker ---------------------------------------------------------------------------------

OFFICE = """
import celery, os, sys, reamon
from reamon.exporters import JSONLExporter
from reamon.integrations.celery_tasks import instrument_celery

app = celery.Celery("real_office", broker=os.environ["BROKER"])
app.conf.broker_transport_options = {options!r}
app.conf.task_default_queue = {queue!r}
app.conf.worker_hijack_root_logger = False
reamon.configure(exporters=[JSONLExporter(os.environ.get("OUT", "sender.jsonl"))], home={home!r}, flush_interval=60)
instrument_celery()

@app.task(bind=True, max_retries=1)
def work(self, number):
    if number == 1 and not self.request.retries:
        raise self.retry(exc=ValueError("busy"), countdown=0)
    if number == 2:
        raise ValueError("no budget")
    with reamon.trace_step("inside"):
        return os.getpid()

if __name__ == "__main__":
    with reamon.trace_workflow("turn", call_id="c-1"):
        for number in range(4):
            app.send_task("real_office.work", (number,))
    reamon.shutdown()
"""


def redis_answers() -> bool:
    """Whether there is a Redis to be used."""
    address = urlsplit(REDIS)
    try:
        socket.create_connection((address.hostname or "", address.port or 6379), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("broker", ["files", "redis"])
def test_the_processes_of_a_worker_go_on_below_who_sent_and_lose_nothing(broker: str, tmp_path: Path) -> None:
    if broker == "redis" and not redis_answers():
        pytest.skip(f"no Redis answers at {REDIS}; REAMON_TEST_REDIS_URL says where there is one")
    options: dict[str, Any] = {}
    if broker == "files":
        options = {"data_folder_in": str(tmp_path), "data_folder_out": str(tmp_path), "control_folder": str(tmp_path)}
    queue = f"reamon-{os.getpid()}-{broker}"
    (tmp_path / "real_office.py").write_text(OFFICE.format(options=options, queue=queue, home=str(tmp_path / "home")))
    environment = {**os.environ, "BROKER": "filesystem://" if broker == "files" else REDIS}
    subprocess.run([sys.executable, "real_office.py"], cwd=tmp_path, env=environment, check=True, timeout=60)
    arguments = ["-m", "celery", "-A", "real_office", "worker", "-c", "2", "-P", "prefork", "--without-mingle",
                 "--without-gossip", "--without-heartbeat", "--max-tasks-per-child", "1", "-l", "ERROR"]  # fmt: skip
    worker = subprocess.Popen(
        [sys.executable, *arguments], cwd=tmp_path, env={**environment, "OUT": "worker.jsonl"}, stderr=subprocess.PIPE
    )
    written = tmp_path / "worker.jsonl"
    deadline = time.monotonic() + 60
    try:
        while len(spans_in(written, "real_office.work")) < 5:
            assert time.monotonic() < deadline, spans_in(written)
            assert worker.poll() is None
            time.sleep(0.05)
    finally:
        worker.terminate()
        worker.wait(30)
        if broker == "redis":
            redis.Redis.from_url(REDIS).delete(queue, f"_kombu.binding.{queue}")
    (turn,) = spans_in(tmp_path / "sender.jsonl", "turn")
    attempts = spans_in(written, "real_office.work")
    assert {(span["parent_id"], span["trace_id"], span["call_id"], span["kind"]) for span in attempts} == {
        (turn["span_id"], turn["span_id"], "c-1", "step")
    }
    assert sorted(span["status"] for span in attempts) == ["error", "error", "ok", "ok", "ok"]
    assert {span["parent_id"] for span in spans_in(written, "inside")} <= {span["span_id"] for span in attempts}
    assert len(spans_in(written, "inside")) == 3


def spans_in(path: Path, name: str | None = None) -> list[dict[str, Any]]:
    """The spans in a file, those of a name if one is given."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [span for span in map(json.loads, lines) if name in (None, span["name"])]
