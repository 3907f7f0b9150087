"""Begin and end: what holds for every span, however it is made, when things go wrong on our side."""

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

import reamon
from reamon.guard import guard
from reamon.testing import Captured
from reamon.tracing import Recorder, attach, detach
from reamon.tracing._switch import switch


class RefusedError(Exception):
    """An error of the application."""


def refuse(*_: object, **__: object) -> Any:
    raise MemoryError


def in_a_block() -> None:
    with reamon.trace_step("x"):
        fork()


@reamon.trace_step
def in_a_function() -> None:
    fork()


@reamon.trace_step
def in_a_failing_function() -> None:
    fork()
    raise RefusedError


@reamon.trace_step
def in_a_generator() -> Iterator[None]:
    fork()
    yield


def by_hand() -> None:
    span = reamon.start_span("step", "x")
    fork()
    span.end()


def fork() -> None:
    """What a child does first thing, here without the forking."""
    recorder: Any = switch.recorder
    recorder.after_fork()
    recorder.queue.clear()


@pytest.fixture
def queue() -> Iterator[list[Any]]:
    """What is recorded lands here; a list that wants to be woken by every item."""

    class Items(list[Any]):
        wake_at = 1
        woken = 0

        def wake(self) -> None:
            self.woken += 1

    items = Items()
    attach(Recorder(items))
    yield items
    detach()


@pytest.mark.parametrize(
    "run", [in_a_block, in_a_function, in_a_failing_function, lambda: list(in_a_generator()), by_hand]
)
def test_a_span_that_was_started_before_a_fork_is_the_parents_to_finish(
    queue: list[Any], run: Callable[[], object]
) -> None:
    with suppress(RefusedError):
        run()
    assert queue == []
    with reamon.trace_step("after"):
        pass
    assert [type(item).__name__ for item in queue] == ["Started", "ActiveSpan"]


@pytest.mark.parametrize("run", [in_a_block, in_a_function, in_a_failing_function, lambda: list(in_a_generator())])
def test_the_worker_is_woken_by_every_kind_of_end(
    queue: Any, monkeypatch: pytest.MonkeyPatch, run: Callable[[], object]
) -> None:
    monkeypatch.setitem(globals(), "fork", lambda: None)
    with suppress(RefusedError):
        run()
    assert queue.woken == len(queue) == 2


def test_an_error_that_cannot_be_recorded_passes_all_the_same(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reamon.tracing.lifecycle.describe_error", refuse)
    before = guard.errors
    with guard.relaxed(), pytest.raises(RefusedError), reamon.trace_step("x"):
        raise RefusedError
    assert guard.errors == before + 1


def test_an_output_that_cannot_be_recorded_is_returned_all_the_same(
    captured: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    @reamon.trace_step
    def work() -> str:
        return "done"

    def refuse_the_output(value: object, *_: object) -> bytes:
        if value == "done":
            raise MemoryError
        return b"{}"

    monkeypatch.setattr("reamon.tracing._tracer.snapshot", refuse_the_output)
    before = guard.errors
    with guard.relaxed():
        assert work() == "done"
    assert guard.errors == before + 1


def test_a_span_that_ended_itself_is_not_ended_again(captured: Captured) -> None:
    @reamon.trace_step
    def early() -> None:
        reamon.current_span().end()

    @reamon.trace_step
    def early_and_failing() -> None:
        reamon.current_span().end()
        raise RefusedError

    early()
    with pytest.raises(RefusedError):
        early_and_failing()
    with reamon.trace_step("block") as span:
        span.end()
    assert [span.status for span in captured.spans] == ["ok", "ok", "ok"]


def test_no_reference_cycle_keeps_a_trace_alive(captured: Captured) -> None:
    """The structs are invisible to the garbage collector: a cycle among them would never be collected."""
    with reamon.trace_workflow("turn") as turn, reamon.trace_agent("agent"):
        pass
    assert reamon.flush()
    assert len(captured.spans) == 2
    assert sys.getrefcount(turn) == 2, "this variable, and the argument of getrefcount"
