"""Executors: parents are right in pools that the application made and submits to as ever."""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

import reamon
from reamon.integrations.executors import instrument_executor, is_executor
from reamon.testing import Captured

Instrument = Callable[[Any], Callable[[], None]]
FORK = multiprocessing.get_context("fork")
SPAWN = multiprocessing.get_context("spawn")


class RefusedError(Exception):
    """An error of the application."""


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    """`instrument_executor`, undone after the test."""
    undos: list[Callable[[], None]] = []

    def install(target: Any) -> Callable[[], None]:
        undos.append(instrument_executor(target))
        return undos[-1]

    yield install
    for undo in reversed(undos):
        undo()


@reamon.trace_tool
def work(number: int = 0) -> int:
    """Do some."""
    return number


def parent_here(_: object = None) -> str:
    """The id of the span that is current where this runs."""
    return reamon.current_span().span_id


def call_here() -> tuple[str, str | None]:
    """The trace and the conversation where this runs."""
    span = reamon.current_span()
    return span.trace_id, span.call_id


def put_call_here(queue: Any) -> None:
    """Put the trace and the conversation where this runs on a queue."""
    queue.put(call_here())


@pytest.mark.parametrize("target", [ThreadPoolExecutor, ProcessPoolExecutor, Executor])
def test_a_class_of_pools_is_an_executor(target: object) -> None:
    assert is_executor(target)


@pytest.mark.parametrize("target", [int, 5, "pool", threading.Thread, None])
def test_other_things_are_none(target: object) -> None:
    assert not is_executor(target)


def test_without_instrumentation_a_pool_loses_the_span(captured: Captured) -> None:
    with ThreadPoolExecutor(1) as pool, reamon.trace_workflow("turn"):
        pool.submit(work).result()
    assert captured.one("work").is_root


def test_what_a_pool_does_is_below_its_submitter(captured: Captured, instrument: Instrument) -> None:
    with ThreadPoolExecutor(2) as pool:
        instrument(pool)
        for number in range(4):
            with reamon.trace_workflow(f"turn {number}"):
                assert pool.submit(work, number).result() == number
    for span in captured.named("work"):
        assert span.input is not None
        assert span.parent_id == captured.one(f"turn {span.input.value['number']}").span_id


def test_other_pools_stay_as_they_are(captured: Captured, instrument: Instrument) -> None:
    with ThreadPoolExecutor(1) as pool, ThreadPoolExecutor(1) as other, reamon.trace_workflow("turn"):
        instrument(pool)
        assert other.submit(parent_here).result() == ""


async def test_a_class_covers_pools_made_before_maps_and_the_loops_own_pool(
    captured: Captured, instrument: Instrument
) -> None:
    with ThreadPoolExecutor(2) as pool:
        instrument(ThreadPoolExecutor)
        with reamon.trace_workflow("turn") as turn:
            here = turn.span_id
            assert list(pool.map(parent_here, range(3))) == [here] * 3
            assert await asyncio.get_running_loop().run_in_executor(None, parent_here) == here
            assert await asyncio.to_thread(parent_here) == here
        assert pool.submit(parent_here).result() == ""


def test_the_class_of_all_executors_covers_those_that_submit_in_a_way_of_their_own(
    captured: Captured, instrument: Instrument
) -> None:
    undo = instrument(Executor)
    with ThreadPoolExecutor(1) as pool, reamon.trace_workflow("turn") as turn:
        assert pool.submit(parent_here).result() == turn.span_id
        undo()
        assert pool.submit(parent_here).result() == ""


def test_undone_everything_is_as_it_was() -> None:
    before = ThreadPoolExecutor.submit
    with ThreadPoolExecutor(1) as pool:
        instrument_executor(pool)()
        assert "submit" not in vars(pool)
    instrument_executor(ThreadPoolExecutor)()
    assert ThreadPoolExecutor.submit is before


def test_results_and_exceptions_arrive_unchanged(captured: Captured, instrument: Instrument) -> None:
    error = RefusedError("no budget")

    def fail() -> None:
        raise error

    with ThreadPoolExecutor(1) as pool:
        instrument(pool)
        assert pool.submit(dict, a=1).result() == {"a": 1}
        assert pool.submit(fail).exception() is error
        with pytest.raises(TypeError):
            pool.submit()  # type: ignore[call-arg]
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(work)


def test_a_suppressed_submitter_has_its_tasks_suppressed(captured: Captured, instrument: Instrument) -> None:
    with ThreadPoolExecutor(1) as pool:
        instrument(pool)
        with reamon.suppress():
            pool.submit(work).result()
    assert captured.spans == []


def test_while_nothing_is_configured_the_function_goes_through_as_it_is(instrument: Instrument) -> None:
    class Recording(ThreadPoolExecutor):
        submitted: list[object]

        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            self.submitted.append(fn)
            return super().submit(fn, *args, **kwargs)

    with Recording(1) as pool:
        pool.submitted = []
        instrument(pool)
        assert pool.submit(len, "four").result() == 4
        assert pool.submitted == [len]


def test_a_wrapped_pool_of_an_instrumented_class_does_it_once(captured: Captured, instrument: Instrument) -> None:
    instrument(ThreadPoolExecutor)
    with reamon.wrap_executor(ThreadPoolExecutor(1)) as pool, reamon.trace_workflow("turn") as turn:
        assert pool.submit(parent_here).result() == turn.span_id


# -- processes -------------------------------------------------------------------------------------------------------


def test_a_process_pool_gets_the_submitters_context(captured: Captured, instrument: Instrument) -> None:
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        instrument(pool)
        with reamon.trace_workflow("turn", call_id="c-1") as turn:
            assert pool.submit(call_here).result() == (turn.trace_id, "c-1")
            assert list(pool.map(parent_here, range(4), chunksize=2)) == [turn.span_id] * 4


def test_a_worker_that_was_forked_inside_a_span_does_not_stay_below_it(
    captured: Captured, instrument: Instrument
) -> None:
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        with reamon.trace_workflow("turn") as turn:
            assert pool.submit(parent_here).result() == turn.span_id  # by the fork alone
        assert pool.submit(parent_here).result() == turn.span_id  # which is wrong
        instrument(pool)
        assert pool.submit(parent_here).result() == ""


def test_what_is_suppressed_is_so_in_a_process_pool(captured: Captured, instrument: Instrument) -> None:
    with ProcessPoolExecutor(1, mp_context=FORK) as pool:
        instrument(pool)
        with reamon.suppress():
            assert pool.submit(reamon.enabled).result() is False
        assert pool.submit(reamon.enabled).result() is True


def test_a_process_pool_that_is_spawned_gets_it_too(captured: Captured, instrument: Instrument) -> None:
    with ProcessPoolExecutor(1, mp_context=SPAWN) as pool:
        instrument(pool)
        with reamon.trace_workflow("turn", call_id="c-1") as turn:
            assert pool.submit(call_here).result() == (turn.trace_id, "c-1")
        assert pool.submit(call_here).result() == ("", None)


@pytest.mark.parametrize("context", [FORK, SPAWN], ids=["fork", "spawn"])
def test_the_target_of_a_process_is_propagated(captured: Captured, context: Any) -> None:
    queue = context.SimpleQueue()
    with reamon.trace_workflow("turn", call_id="c-1") as turn:
        process = context.Process(target=reamon.propagate(put_call_here), args=(queue,))
    process.start()
    assert queue.get() == (turn.trace_id, "c-1")
    process.join()
    assert process.exitcode == 0
