"""Queues: a worker that was there before goes on below the span of whoever put in what it takes out."""

import asyncio
import contextlib
import functools
import gc
import inspect
import multiprocessing
import queue
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import reamon
from reamon.errors import ConfigurationError
from reamon.integrations._queued import _known
from reamon.integrations._taken import _TAKEN
from reamon.integrations.queues import instrument_queue, is_queue
from reamon.testing import Captured
from support.nested import nested

Instrument = Callable[[Any], Callable[[], None]]
TASK_QUEUES = [asyncio.Queue, asyncio.LifoQueue, asyncio.PriorityQueue]
THREAD_QUEUES = [queue.Queue, queue.LifoQueue, queue.PriorityQueue]


class RefusedError(Exception):
    """An error of the application."""


@functools.total_ordering
class Job:
    """A piece of work, with a name and a priority."""

    def __init__(self, name: str, priority: int = 0) -> None:
        self.name = name
        self.priority = priority

    def __lt__(self, other: "Job") -> bool:
        return self.priority < other.priority

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Job)  # all are equal, and none can be hashed: only identity tells them apart

    __hash__ = None  # type: ignore[assignment]


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    """`instrument_queue`, undone after the test."""
    undos: list[Callable[[], None]] = []

    def install(target: Any) -> Callable[[], None]:
        undos.append(instrument_queue(target))
        return undos[-1]

    yield install
    for undo in reversed(undos):
        undo()


def put(jobs: Any, item: Any, turn: str) -> str:
    """Put an item in, in a turn of its own; the turn's id."""
    with reamon.trace_workflow(turn) as span:
        jobs.put_nowait(item)
    return span.span_id


def here() -> str:
    """The id of the span that is current."""
    return reamon.current_span().span_id


async def work(jobs: Any, count: int) -> None:
    """A worker: a step for each job."""
    for _ in range(count):
        job = await jobs.get()
        with reamon.trace_step(f"work on {getattr(job, 'name', job)}"):
            await asyncio.sleep(0)
        jobs.task_done()
        assert here() == ""


# -- what is a queue ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", [*TASK_QUEUES, *THREAD_QUEUES, queue.Queue(), queue.SimpleQueue, queue.SimpleQueue()]
)
def test_a_queue_is_known_as_one(target: object) -> None:
    assert is_queue(target)


@pytest.mark.parametrize("target", [[], dict, "queue", threading.Thread, None])
def test_other_things_are_not(target: object) -> None:
    assert not is_queue(target)


@pytest.mark.parametrize("target", [queue.SimpleQueue(), queue.SimpleQueue, multiprocessing.SimpleQueue()])
def test_a_queue_that_cannot_be_hooked_into_is_refused_and_the_way_out_named(target: object) -> None:
    assert is_queue(target)
    with pytest.raises(ConfigurationError, match=r"SimpleQueue.*reamon\.handover\(\)"):
        instrument_queue(target)


def test_a_queue_between_processes_is_refused_too() -> None:
    with pytest.raises(ConfigurationError, match=r"multiprocessing\.queues\.Queue"):
        instrument_queue(multiprocessing.Queue())


# -- tasks -------------------------------------------------------------------------------------------------------------


async def test_without_instrumentation_a_worker_begins_traces_of_its_own(captured: Captured) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    worker = asyncio.create_task(work(jobs, 1))
    await asyncio.sleep(0)
    put(jobs, "a", "turn")
    await worker
    assert captured.one("work on a").is_root


async def test_a_worker_goes_on_below_who_put_the_job_in(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    worker = asyncio.create_task(work(jobs, 3))
    await asyncio.sleep(0)
    instrument(jobs)
    for name in ("a", "b", "a"):
        put(jobs, name, f"turn {name}")
    await worker
    late = {"reamon.late": True}
    assert nested(captured) == [(f"turn {name}", [(f"work on {name}", late, [])]) for name in ("a", "b", "a")]


@pytest.mark.parametrize("queues", TASK_QUEUES)
async def test_each_job_finds_its_turn_whatever_the_order(
    captured: Captured, instrument: Instrument, queues: type[Any]
) -> None:
    jobs = queues()
    instrument(jobs)
    turns = {}
    for number in (3, 1, 2):
        job = Job(str(number), number)
        turns[id(job)] = put(jobs, job, f"turn {number}")
    for _ in range(3):
        job = await jobs.get()
        assert here() == turns[id(job)]
    jobs.task_done()
    assert here() == ""


@pytest.mark.parametrize(("queues", "order"), [(asyncio.Queue, [0, 1, 2]), (asyncio.LifoQueue, [2, 1, 0])])
async def test_one_object_may_wait_several_times(
    captured: Captured, instrument: Instrument, queues: type[Any], order: list[int]
) -> None:
    jobs = queues()
    instrument(jobs)
    turns = [put(jobs, 7, f"turn {number}") for number in range(3)]
    found = []
    for _ in order:
        await jobs.get()
        found.append(here())
    assert found == [turns[number] for number in order]


async def test_between_jobs_the_workers_own_context_is_back(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    with reamon.trace_workflow("worker") as worker:
        turn = put(jobs, "a", "turn")
        jobs.put_nowait("b")
        with reamon.suppress():
            jobs.put_nowait("private")
        assert (await jobs.get(), here()) == ("a", turn)
        jobs.task_done()
        assert reamon.current_span() is worker
        assert (await jobs.get(), here()) == ("b", worker.span_id)
        assert (await jobs.get(), reamon.enabled()) == ("private", False)
        jobs.task_done()
        assert reamon.current_span() is worker
    assert here() == ""


async def test_a_job_that_nobody_traces_is_below_nothing(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    jobs.put_nowait("put in before")
    instrument(jobs)
    turn = put(jobs, "a", "turn")
    jobs.put_nowait("put in outside")
    assert (await jobs.get(), here()) == ("put in before", "")
    assert (await jobs.get(), here()) == ("a", turn)
    assert (await jobs.get(), here()) == ("put in outside", "")


async def test_a_worker_inside_suppress_records_nothing(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    put(jobs, "a", "turn")
    with reamon.suppress():
        await jobs.get()
        assert not reamon.enabled()
    assert here() == ""


async def test_one_that_waits_with_a_timeout_goes_on_below_it_too(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)

    async def worker() -> None:
        for _ in range(2):
            job = await asyncio.wait_for(jobs.get(), 30)
            with reamon.trace_step(f"work on {job}"):
                pass
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(jobs.get(), 0.001)
        jobs.task_done()
        assert here() == ""

    task = asyncio.create_task(worker())
    await asyncio.sleep(0)
    put(jobs, "a", "turn a")
    put(jobs, "b", "turn b")
    await task
    assert nested(captured, without_attributes=True) == [
        ("turn a", [("work on a", [])]),
        ("turn b", [("work on b", [])]),
    ]


async def test_one_that_waits_for_several_things_at_once_does_too(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)

    async def worker() -> str:
        waiting = {asyncio.ensure_future(jobs.get()), asyncio.ensure_future(asyncio.Event().wait())}
        _, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for other in pending:
            other.cancel()
        return here()

    task = asyncio.create_task(worker())
    await asyncio.sleep(0)
    turn = put(jobs, "a", "turn")
    assert await task == turn


async def test_a_get_that_is_cancelled_leaves_the_job_to_the_next(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    cancelled = asyncio.create_task(work(jobs, 1))
    await asyncio.sleep(0)
    cancelled.cancel()
    turn = put(jobs, "a", "turn")
    assert (await jobs.get(), here()) == ("a", turn)
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_a_full_queue_refuses_or_makes_wait_as_ever(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue(maxsize=1)
    instrument(jobs)
    first = put(jobs, 7, "first")
    with reamon.trace_workflow("refused"), pytest.raises(asyncio.QueueFull):
        jobs.put_nowait(7)
    with reamon.trace_workflow("second") as second:
        waiting = asyncio.create_task(jobs.put(7))
    await asyncio.sleep(0)
    assert (await jobs.get(), here()) == (7, first)
    await waiting
    assert (await jobs.get(), here()) == (7, second.span_id)
    with pytest.raises(asyncio.QueueEmpty):
        jobs.get_nowait()
    assert here() == second.span_id  # until it takes the next, or says that it is done


async def test_stages_that_hand_on_to_each_other(captured: Captured, instrument: Instrument) -> None:
    first: asyncio.Queue[str] = asyncio.Queue()
    second: asyncio.Queue[str] = asyncio.Queue()
    instrument(first)
    instrument(second)
    put(first, "a", "turn a")
    put(first, "b", "turn b")

    async def stage_one() -> None:
        for _ in range(2):
            job = await first.get()
            with reamon.trace_step("one"):
                await second.put(job)
            first.task_done()

    await asyncio.gather(stage_one(), work(second, 2))
    assert nested(captured, without_attributes=True) == [
        ("turn a", [("one", [("work on a", [])])]),
        ("turn b", [("one", [("work on b", [])])]),
    ]


async def test_items_of_two_queues_are_done_in_any_order(captured: Captured, instrument: Instrument) -> None:
    left: asyncio.Queue[str] = asyncio.Queue()
    right: asyncio.Queue[str] = asyncio.Queue()
    instrument(left)
    instrument(right)
    with reamon.trace_workflow("worker") as worker:
        for _ in range(2):
            put(left, "l", "left turn")
            turn = put(right, "r", "right turn")
            await left.get()
            await right.get()
            left.task_done()
            assert here() == turn
            right.task_done()
            assert reamon.current_span() is worker
        for _ in range(3):  # without saying so
            put(left, "l", "left turn")
            put(right, "r", "right turn")
            await left.get()
            await right.get()
        left.task_done()
        right.task_done()
        assert reamon.current_span() is worker


async def test_a_block_around_the_taking_neither_loses_nor_keeps_anything(
    captured: Captured, instrument: Instrument
) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    for number in range(4):
        put(jobs, "job", f"turn {number}")
    await jobs.get()
    for kind in (reamon.trace_step, reamon.trace_workflow):
        with kind("block") as block:
            await jobs.get()
            jobs.task_done()
            assert reamon.current_span() is block
    with reamon.trace_workflow("block that is over when the next is taken"):
        await jobs.get()
    put(jobs, "job", "last turn")
    await jobs.get()
    jobs.task_done()
    assert here() == ""


@reamon.trace_step
async def take_traced(jobs: Any) -> Any:
    """A function of the application that takes an item out, and is traced."""
    return await jobs.get()


async def test_a_traced_function_that_takes_for_another_leaves_nothing_behind(
    captured: Captured, instrument: Instrument
) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    for number in range(50):
        put(jobs, "job", f"turn {number}")
        await take_traced(jobs)
        if number % 3:
            jobs.task_done()
            assert here() == ""
    assert len(_TAKEN.get()) <= 2


async def test_children_of_a_worker_go_on_below_the_job(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    turns = [put(jobs, "job", f"turn {number}") for number in range(2)]

    async def handle() -> str:
        await asyncio.sleep(0)
        jobs.task_done()
        return turn_of_child

    children = []
    for _ in range(2):
        await jobs.get()
        turn_of_child = here()
        children.append(asyncio.create_task(handle()))
        assert turn_of_child == turns[len(children) - 1]
    await asyncio.gather(*children)


async def test_a_queue_that_makes_room_by_itself_moves_nobody(captured: Captured, instrument: Instrument) -> None:
    class Newest(asyncio.Queue[str]):
        def put_nowait(self, item: str) -> None:
            if self.full():
                self.get_nowait()
            super().put_nowait(item)

    jobs = Newest(maxsize=1)
    instrument(jobs)
    for number in range(20):
        with reamon.trace_workflow(f"turn {number}") as turn:
            jobs.put_nowait(str(number))
            assert reamon.current_span() is turn
    assert len(_known[jobs]) == 1
    assert (await jobs.get(), here()) == ("19", turn.span_id)


async def test_classes_cover_queues_made_before_and_those_below(captured: Captured, instrument: Instrument) -> None:
    before = asyncio.PriorityQueue[int]()
    undo = instrument(asyncio.Queue)
    turn = put(before, 1, "turn")
    assert (await before.get(), here()) == (1, turn)
    before.task_done()
    undo()
    put(before, 2, "other")
    assert (await before.get(), here()) == (2, "")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
async def test_a_queue_and_its_class_instrumented_at_once_do_it_once(
    captured: Captured, instrument: Instrument, order: tuple[int, int]
) -> None:
    jobs: asyncio.Queue[int] = asyncio.Queue()
    undos = [instrument(jobs), instrument(asyncio.Queue)]
    for undo in [undos[number] for number in order]:
        turn = put(jobs, 1, "turn")
        assert (await jobs.get(), here()) == (1, turn)
        jobs.task_done()
        undo()


if sys.version_info >= (3, 13):  # from where on queues can be shut down

    @pytest.mark.parametrize("queues", [asyncio.Queue, queue.Queue])
    def test_a_queue_that_is_shut_down_moves_nobody_and_keeps_nothing(
        captured: Captured, instrument: Instrument, queues: type[Any]
    ) -> None:
        jobs = queues()
        instrument(jobs)
        put(jobs, "a", "turn")
        put(jobs, "b", "turn")
        jobs.shutdown(immediate=True)
        assert here() == ""
        assert len(_known[jobs]) == 0


async def test_nothing_is_kept_of_items_and_queues(captured: Captured, instrument: Instrument) -> None:
    jobs: asyncio.Queue[Job] = asyncio.Queue()
    undo = instrument(jobs)
    put(jobs, Job("a"), "turn")
    job = await jobs.get()
    jobs.task_done()
    gone = [weakref.ref(job), weakref.ref(jobs)]
    undo()
    assert not {"put_nowait", "get_nowait", "get", "task_done"} & vars(jobs).keys()
    del job, jobs, undo
    instrument.__closure__[0].cell_contents.clear()  # type: ignore[attr-defined]
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


async def test_while_nothing_is_configured_items_pass_through(instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    put(jobs, "a", "turn")
    assert (await jobs.get(), here()) == ("a", "")
    jobs.task_done()
    await jobs.join()
    assert jobs not in _known


async def test_the_methods_look_as_before(instrument: Instrument) -> None:
    jobs: asyncio.Queue[str] = asyncio.Queue()
    instrument(jobs)
    assert inspect.iscoroutinefunction(jobs.get)
    assert inspect.signature(jobs.put_nowait) == inspect.signature(asyncio.Queue[str]().put_nowait)
    with pytest.raises(ValueError, match="task_done"):
        jobs.task_done()


# -- threads -----------------------------------------------------------------------------------------------------------


def test_a_thread_goes_on_below_who_put_the_job_in(captured: Captured, instrument: Instrument) -> None:
    jobs: queue.Queue[str | None] = queue.Queue()

    def worker() -> None:
        while (job := jobs.get()) is not None:
            with reamon.trace_step(f"work on {job}"):
                pass
            jobs.task_done()
            assert here() == ""

    threads = [threading.Thread(target=worker) for _ in range(3)]
    for thread in threads:
        thread.start()
    instrument(jobs)
    for number in range(30):
        put(jobs, str(number), f"turn {number}")
    for _ in threads:
        jobs.put(None)
    for thread in threads:
        thread.join()
    assert sorted(nested(captured, without_attributes=True)) == sorted(
        (f"turn {number}", [(f"work on {number}", [])]) for number in range(30)
    )


@pytest.mark.parametrize("queues", THREAD_QUEUES)
def test_each_job_of_a_thread_finds_its_turn_whatever_the_order(
    captured: Captured, instrument: Instrument, queues: type[Any]
) -> None:
    jobs = queues()
    instrument(queues)
    turns = {}
    for number in (3, 1, 2):
        job = Job(str(number), number)
        turns[id(job)] = put(jobs, job, f"turn {number}")
    for _ in range(3):
        job = jobs.get()
        assert here() == turns[id(job)]
    jobs.task_done()
    assert here() == ""


def test_a_full_queue_of_threads_refuses_and_times_out_as_ever(captured: Captured, instrument: Instrument) -> None:
    jobs: queue.Queue[int] = queue.Queue(maxsize=1)
    instrument(jobs)
    turn = put(jobs, 7, "turn")
    with reamon.trace_workflow("refused"):
        for refused in (lambda: jobs.put_nowait(7), lambda: jobs.put(7, timeout=0.001)):
            with pytest.raises(queue.Full):
                refused()
    assert (jobs.get(timeout=1), here()) == (7, turn)
    with pytest.raises(queue.Empty):
        jobs.get_nowait()
    assert here() == turn
    jobs.task_done()
    assert here() == ""


def test_an_item_that_cannot_be_put_in_is_not_remembered(captured: Captured, instrument: Instrument) -> None:
    jobs: queue.PriorityQueue[Any] = queue.PriorityQueue()
    instrument(jobs)
    jobs.put(1)
    with pytest.raises(TypeError):
        jobs.put("not to be compared with 1")
    jobs.get()
    jobs.get()
    assert len(_known[jobs]) == 0


def test_undone_a_class_is_as_it_was() -> None:
    names = ("_put", "_get", "task_done", "shutdown")
    before = [vars(cls).get(name) for cls in THREAD_QUEUES for name in names]
    undo = instrument_queue(queue.Queue)
    undo()
    undo()
    assert [vars(cls).get(name) for cls in THREAD_QUEUES for name in names] == before


def test_many_threads_at_one_queue_with_equal_items_get_the_right_turns(
    captured: Captured, instrument: Instrument
) -> None:
    jobs: queue.Queue[Any] = queue.Queue(maxsize=2)
    instrument(jobs)
    wrong: list[object] = []

    def produce(name: str) -> None:
        for _ in range(100):
            with reamon.trace_workflow("turn", call_id=name):
                jobs.put([name])

    def consume() -> None:
        for _ in range(100):
            (name,) = jobs.get()
            if reamon.current_span().call_id != name:
                wrong.append(name)
            jobs.task_done()

    threads = [threading.Thread(target=produce, args=(str(number),)) for number in range(4)]
    threads += [threading.Thread(target=consume) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(_known[jobs]) == 0
