"""Hand-overs: work that is done by who was there before goes on below the span of who asked for it."""

import asyncio
import contextvars
import copy
import multiprocessing
import pickle
import queue
import threading
from typing import Any

import pytest

import reamon
from reamon.testing import Captured
from reamon.tracing import ActiveSpan, Handover
from support.nested import nested

CALLER = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "baggage": "langsmith-project=p"}


def serve(requests: Any, answers: Any) -> None:
    """A worker process: say where each piece of work is done."""
    for work in iter(requests.get, None):
        with work as span:
            current = reamon.current_span()
            answers.put((span.span_id, current.trace_id, current.call_id, reamon.enabled()))


def test_without_one_a_thread_that_was_started_before_begins_a_trace_of_its_own(captured: Captured) -> None:
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()

    def worker() -> None:
        with reamon.trace_step(requests.get()):
            pass

    thread = threading.Thread(target=worker)
    thread.start()
    with reamon.trace_workflow("turn"):
        requests.put("job")
    thread.join()
    assert captured.one("job").is_root


def test_a_thread_that_was_started_before_works_below_who_asked(captured: Captured) -> None:
    requests: queue.SimpleQueue[Handover | None] = queue.SimpleQueue()

    def worker() -> None:
        for number, work in enumerate(iter(requests.get, None)):
            with work, reamon.trace_step(f"job {number}"):
                pass
            assert reamon.current_trace_id() == ""

    thread = threading.Thread(target=worker)
    thread.start()
    for number in range(2):
        with reamon.trace_workflow(f"turn {number}"):
            requests.put(reamon.handover())
    requests.put(None)
    thread.join()
    assert nested(captured, without_attributes=True) == [("turn 0", [("job 0", [])]), ("turn 1", [("job 1", [])])]


async def test_a_task_that_was_started_before_works_below_who_asked(captured: Captured) -> None:
    requests: asyncio.Queue[Handover] = asyncio.Queue()

    async def worker() -> None:
        async with await requests.get(), reamon.trace_step("job"):
            await asyncio.sleep(0)

    task = asyncio.create_task(worker())
    await asyncio.sleep(0)
    with reamon.trace_workflow("turn"):
        requests.put_nowait(reamon.handover())
        await task
    assert nested(captured) == [("turn", [("job", [])])]


def test_its_value_is_the_span_a_parent_for_what_has_no_block(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        work = reamon.handover()
    with work as span:
        assert span is turn
    reamon.start_span("tool", "call back", parent=work.span).end()
    assert nested(captured, without_attributes=True) == [("turn", [("call back", [])])]


def test_what_starts_after_the_span_has_ended_is_a_late_child(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        work = reamon.handover()
        with work, reamon.trace_step("in time"):
            pass
    for _ in range(2):
        with work, reamon.trace_step("late"):
            pass
    late = {"reamon.late": True}
    assert nested(captured) == [("turn", [("in time", []), ("late", late, []), ("late", late, [])])]


def test_where_nothing_is_current_it_changes_nothing(captured: Captured) -> None:
    work = reamon.handover()
    with reamon.trace_workflow("turn") as turn, work as span:
        assert span is turn
        assert reamon.current_span() is turn
    assert work.span.span_id == ""


def test_nothing_is_recorded_below_what_was_suppressed_nor_inside_of_it(captured: Captured) -> None:
    with reamon.suppress():
        private = reamon.handover()
    with reamon.trace_workflow("turn"):
        public = reamon.handover()
    with private, reamon.trace_step("private"):
        assert not reamon.enabled()
    with reamon.suppress(), public, reamon.trace_step("public"):
        pass
    assert [span.name for span in captured.spans] == ["turn"]


def test_without_configure_it_does_nothing() -> None:
    with reamon.handover() as span:
        span.set_attribute("a", 1)
    assert not reamon.enabled()


def test_an_exception_passes_and_what_was_current_is_so_again(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        work = reamon.handover()
    with reamon.trace_workflow("other") as other:
        with pytest.raises(KeyError), work:
            raise KeyError("lead")
        assert reamon.current_span() is other


async def test_it_may_be_open_in_several_tasks_at_once_in_any_order(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        work = reamon.handover()
    first_may_go = asyncio.Event()

    async def first() -> str:
        with reamon.trace_workflow("first") as mine:
            with work:
                await first_may_go.wait()
            return "right" if reamon.current_span() is mine else "wrong"

    async def second() -> str:
        with reamon.trace_workflow("second") as mine:
            with work:
                first_may_go.set()
                await asyncio.sleep(0.001)
            return "right" if reamon.current_span() is mine else "wrong"

    assert await asyncio.gather(first(), second()) == ["right", "right"]


def test_it_may_be_entered_inside_of_itself(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        work = reamon.handover()
    with work:
        with work, reamon.trace_step("inner"):
            pass
        assert reamon.current_span() is turn
    assert reamon.current_trace_id() == ""


def test_closed_in_another_context_it_changes_nothing_there(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        work = reamon.handover()
    contextvars.copy_context().run(work.__enter__)
    with reamon.trace_workflow("other") as other:
        work.__exit__(None, None, None)
        assert reamon.current_span() is other


def test_a_forgotten_block_inside_of_it_does_not_stay_current(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        work = reamon.handover()
    with work:
        reamon.trace_step("never left").__enter__()
    assert reamon.current_trace_id() == ""


def test_the_caller_of_another_system_is_handed_over_too(captured: Captured) -> None:
    with reamon.extract(CALLER):
        work = pickle.loads(pickle.dumps(reamon.handover()))
    with work, reamon.trace_workflow("job"):
        pass
    job = captured.one("job")
    assert ([link.relation for link in job.links], job.project) == (["remote_parent"], "p")


def test_pickled_it_takes_along_what_another_process_needs(captured: Captured) -> None:
    with reamon.trace_workflow("turn", call_id="c-1") as turn, reamon.trace_agent("agent") as agent:
        work = pickle.loads(pickle.dumps(reamon.handover()))
    with work, reamon.trace_step("job"):
        pass
    job = captured.one("job")
    assert isinstance(agent, ActiveSpan)
    assert (job.ancestors, job.call_id, job.agent_id) == ((turn.span_id, agent.span_id), "c-1", agent.span_id)


def test_a_copy_is_as_good_as_the_original(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        request = {"work": reamon.handover()}
    with reamon.suppress():
        private = copy.deepcopy(reamon.handover())
    with copy.deepcopy(request)["work"]:
        assert reamon.current_span().span_id == turn.span_id
    with private:
        assert not reamon.enabled()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_worker_process_that_was_started_before_works_below_who_asked(captured: Captured, method: str) -> None:
    context = multiprocessing.get_context(method)
    requests, answers = context.SimpleQueue(), context.SimpleQueue()
    process = context.Process(target=serve, args=(requests, answers))
    process.start()
    with reamon.trace_workflow("turn", call_id="c-1") as turn:
        requests.put(reamon.handover())
    requests.put(reamon.handover())
    with reamon.suppress():
        requests.put(reamon.handover())
    is_on = method == "fork"  # a spawned process has configured nothing
    assert answers.get() == (turn.span_id, turn.trace_id, "c-1", is_on)
    assert answers.get() == ("", "", None, is_on)
    assert answers.get() == ("", "", None, False)
    requests.put(None)
    process.join()
    assert process.exitcode == 0
