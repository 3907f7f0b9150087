"""Propagation: parents are right in threads, pools, tasks and processes."""

import asyncio
import contextvars
import itertools
import multiprocessing
import os
import pickle
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

import pytest

import reamon
from reamon.testing import Captured
from reamon.tracing import ActiveSpan, SpanContext
from support.nested import nested


class RefusedError(Exception):
    """An error of the application."""


@reamon.trace_tool
def work(number: int = 0) -> int:
    """Do some."""
    return number


@reamon.trace_tool
async def async_work(number: int = 0) -> int:
    """Do some, later."""
    await asyncio.sleep(0)
    return number


def whereabouts(_: object = None) -> tuple[str, str | None, tuple[str, ...], str | None, str | None]:
    """What a span that starts here says about itself."""
    with reamon.trace_step("elsewhere") as span:
        assert isinstance(span, ActiveSpan)
        return span.trace_id, span.parent_id, span.ancestors, span.call_id, span.trace.project


# -- threads ---------------------------------------------------------------------------------------------------------


def test_a_bare_thread_begins_a_trace_of_its_own(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert captured.one("work").is_root


def test_a_propagated_function_runs_below_the_span_that_was_current(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        run = reamon.propagate(work)
    thread = threading.Thread(target=run, args=(5,))
    thread.start()
    thread.join()
    assert captured.one("work").parent_id == turn.span_id


def test_it_looks_like_the_function_and_returns_what_that_returns(captured: Captured) -> None:
    run = reamon.propagate(work)
    assert (run.__name__, run.__doc__) == ("work", "Do some.")
    assert run(5) == 5


def test_what_was_current_in_the_thread_is_so_again_afterwards(captured: Captured) -> None:
    def fail() -> None:
        raise RefusedError

    with reamon.trace_workflow("turn"):
        run = reamon.propagate(fail)
    with reamon.trace_workflow("other") as other:
        with pytest.raises(RefusedError):
            run()
        assert reamon.current_span() is other


def test_where_nothing_is_current_nothing_is_propagated(captured: Captured) -> None:
    run = reamon.propagate(work)
    with reamon.trace_workflow("turn"):
        run()
    assert captured.one("work").is_root


async def test_a_propagated_coroutine_function_is_one_still(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        run = reamon.propagate(async_work)
    assert asyncio.iscoroutinefunction(run)
    with reamon.trace_workflow("other") as other:
        assert await run(5) == 5
        assert reamon.current_span() is other
    assert captured.one("async_work").parent_id == turn.span_id


async def test_a_propagated_coroutine_that_is_closed_elsewhere_changes_nothing_there(captured: Captured) -> None:
    async def wait() -> None:
        await asyncio.sleep(3600)

    with reamon.trace_workflow("turn"):
        pending: Any = reamon.propagate(wait)()
    contextvars.copy_context().run(pending.send, None)
    with reamon.trace_workflow("other") as other:
        pending.close()
        assert reamon.current_span() is other


def test_tasks_of_a_wrapped_executor_run_below_their_submitter(captured: Captured) -> None:
    pool = reamon.wrap_executor(ThreadPoolExecutor(4))
    with pool:
        futures = []
        for number in range(8):
            with reamon.trace_workflow(f"turn {number}"):
                futures.append(pool.submit(work, number))
        assert [future.result() for future in futures] == list(range(8))
    for span in captured.named("work"):
        assert span.input is not None
        assert span.parent_id == captured.one(f"turn {span.input.value['number']}").span_id


def test_a_wrapped_executor_maps_below_its_caller(captured: Captured) -> None:
    with reamon.wrap_executor(ThreadPoolExecutor(2)) as pool, reamon.trace_workflow("turn") as turn:
        assert list(pool.map(work, range(5))) == [0, 1, 2, 3, 4]
    assert {span.parent_id for span in captured.named("work")} == {turn.span_id}


async def test_a_wrapped_executor_works_with_the_event_loop(captured: Captured) -> None:
    with reamon.wrap_executor(ThreadPoolExecutor(1)) as pool, reamon.trace_workflow("turn") as turn:
        assert await asyncio.get_running_loop().run_in_executor(pool, work, 3) == 3
        assert await asyncio.to_thread(work, 4) == 4
    assert {span.parent_id for span in captured.named("work")} == {turn.span_id}


def test_an_exception_in_a_pool_arrives_unchanged(captured: Captured) -> None:
    error = RefusedError("no budget")

    def fail() -> None:
        raise error

    with reamon.wrap_executor(ThreadPoolExecutor(1)) as pool:
        assert pool.submit(fail).exception() is error


def test_a_suppressed_submitter_has_its_tasks_suppressed(captured: Captured) -> None:
    with reamon.wrap_executor(ThreadPoolExecutor(1)) as pool, reamon.suppress():
        pool.submit(work).result()
    assert captured.spans == []


# -- tasks -----------------------------------------------------------------------------------------------------------


async def test_gathered_tasks_are_siblings(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        await asyncio.gather(*(async_work(number) for number in range(5)))
    assert [span.parent_id for span in captured.named("async_work")] == [turn.span_id] * 5


async def test_tasks_of_a_group_are_siblings_and_a_failure_cancels_the_others(captured: Captured) -> None:
    @reamon.trace_agent
    async def fail() -> None:
        await asyncio.sleep(0)
        raise RefusedError

    @reamon.trace_agent
    async def wait() -> None:
        await asyncio.Event().wait()

    @reamon.trace_workflow
    async def turn_of_two() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait())
            group.create_task(fail())

    with pytest.raises(ExceptionGroup):
        await turn_of_two()
    turn = captured.one("turn_of_two")
    assert (captured.one("fail").status, captured.one("wait").status) == ("error", "cancelled")
    assert (turn.status, turn.error and turn.error.type) == ("error", "ExceptionGroup")
    assert [child.parent_id for child in captured.children_of(turn)] == [turn.span_id] * 2


async def test_a_call_that_timed_out_is_cancelled_inside(captured: Captured) -> None:
    @reamon.trace_llm
    async def slow() -> None:
        await asyncio.Event().wait()

    @reamon.trace_agent
    async def patient() -> str:
        try:
            await asyncio.wait_for(slow(), 0.001)
        except TimeoutError:
            reamon.current_span().set_status("degraded", "the model was slow")
        return "sorry"

    assert await patient() == "sorry"
    assert (captured.one("slow").status, captured.one("patient").status) == ("cancelled", "degraded")
    assert captured.one("slow").parent_id == captured.one("patient").span_id


async def test_a_task_that_outlives_its_workflow_stays_its_child(captured: Captured) -> None:
    go = asyncio.Event()

    async def analytics() -> None:
        await go.wait()
        with reamon.trace_agent("analytics"):
            pass

    with reamon.trace_workflow("turn") as turn:
        task = asyncio.create_task(analytics())
    go.set()
    await task
    span = captured.one("analytics")
    assert (span.parent_id, span.trace_id) == (turn.span_id, turn.trace_id)
    assert span.attributes == {"reamon.late": True}


async def test_what_a_late_task_does_is_kept_whole_and_only_what_began_late_is_marked(captured: Captured) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def analytics() -> None:
        with reamon.trace_agent("in time"):
            began.set()
            await go.wait()
            with reamon.trace_llm("below one that is not over"):
                pass
        with reamon.trace_agent("late") as late:
            with reamon.trace_llm("below a late one"):
                await asyncio.sleep(0)
            await asyncio.create_task(async_work())
        assert late.trace_id

    with reamon.trace_workflow("turn", call_id="c-1"), reamon.trace_agent("answer"):
        task = asyncio.create_task(analytics())
        await began.wait()
    go.set()
    await task
    late = {"reamon.late": True}
    assert nested(captured) == [
        (
            "turn",
            [
                (
                    "answer",
                    [
                        ("in time", [("below one that is not over", [])]),
                        ("late", late, [("below a late one", []), ("async_work", [])]),
                    ],
                )
            ],
        )
    ]
    assert {span.call_id for span in captured.spans} == {"c-1"}


async def test_a_workflow_that_a_late_task_opens_is_linked_to_where_it_came_from(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        task = asyncio.create_task(late_workflow())
    await task
    late = captured.one("late_workflow")
    assert (late.is_root, [link.span_id for link in late.links]) == (True, [turn.span_id])
    assert late.attributes == {}


@reamon.trace_workflow
async def late_workflow() -> None:
    """A workflow of its own."""
    await asyncio.sleep(0)


@pytest.mark.parametrize("way", ["decorator", "block"])
async def test_tasks_that_start_each_other_without_an_end_grow_no_chain(captured: Captured, way: str) -> None:
    @reamon.trace_step
    async def decorated(left: int) -> None:
        go_on(left)

    async def job(left: int) -> None:
        if way == "decorator":
            await decorated(left)
        else:
            with reamon.trace_step("job"):
                go_on(left)

    def go_on(left: int) -> None:
        tasks.append(asyncio.create_task(job(left - 1)) if left else None)

    tasks: list[asyncio.Task[None] | None] = []
    with reamon.trace_workflow("turn", call_id="call-1"):
        go_on(200)
    while task := tasks.pop():
        await task
    assert len(captured.spans) == 201
    assert max(len(span.ancestors) for span in captured.spans) == 63
    roots = sorted((span for span in captured.spans if span.is_root), key=lambda span: span.start_ns)
    assert [root.call_id for root in roots] == ["call-1"] * 4
    for before, root in itertools.pairwise(roots):
        assert [(link.trace_id, link.relation) for link in root.links] == [(before.trace_id, "parent_trace")]


async def test_a_late_task_that_is_cancelled_is_recorded_so(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        task = asyncio.create_task(async_work())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [span.name for span in captured.spans] == ["turn"]  # it had not begun

    with reamon.trace_workflow("other"):
        task = asyncio.create_task(wait_for_ever())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (captured.one("wait_for_ever").status, captured.one("wait_for_ever").attributes) == (
        "cancelled",
        {"reamon.late": True},
    )


@reamon.trace_agent
async def wait_for_ever() -> None:
    """An agent that never answers."""
    await asyncio.Event().wait()


async def test_a_coroutine_that_is_closed_before_its_end_is_cancelled(captured: Captured) -> None:
    pending: Any = async_work()
    pending.send(None)
    pending.close()
    assert captured.one("async_work").status == "cancelled"
    assert reamon.current_trace_id() == ""


async def test_a_status_of_ones_own_stands_when_the_coroutine_is_closed(captured: Captured) -> None:
    @reamon.trace_agent
    async def answer() -> None:
        reamon.current_span().set_status("degraded", "slow")
        await asyncio.sleep(3600)

    pending: Any = answer()
    pending.send(None)
    pending.close()
    assert captured.one("answer").status == "degraded"


async def test_a_coroutine_that_is_closed_in_another_context_changes_nothing_there(captured: Captured) -> None:
    pending: Any = async_work()
    contextvars.copy_context().run(pending.send, None)
    with reamon.trace_workflow("other") as other:
        pending.close()
        assert reamon.current_span() is other
    assert captured.one("async_work").is_root


# -- processes -------------------------------------------------------------------------------------------------------


def test_a_context_takes_along_what_another_process_needs(captured: Captured) -> None:
    turn_scope = reamon.trace_workflow("turn", call_id="c-1", project="p", tags=("t",))
    with turn_scope as turn, reamon.trace_agent("agent") as agent:
        assert isinstance(agent, ActiveSpan)
        context = SpanContext.of(agent)
    revived = context.revive()
    assert (revived.span_id, revived.trace_id) == (agent.span_id, turn.span_id)
    child = reamon.start_span("llm", "remote chat", parent=revived)
    child.end()
    span = captured.one("remote chat")
    assert (span.trace_id, span.parent_id, span.ancestors) == (
        turn.trace_id,
        agent.span_id,
        (turn.span_id, agent.span_id),
    )
    assert (span.call_id, span.project, span.tags, span.agent_id) == ("c-1", "p", ("t",), agent.span_id)
    assert "reamon.late" not in span.attributes


def test_a_context_may_be_handed_on_to_a_third_process(captured: Captured) -> None:
    with reamon.trace_workflow("turn"), reamon.trace_agent("agent") as agent:
        assert isinstance(agent, ActiveSpan)
        context = SpanContext.of(agent)
    assert SpanContext.of(context.revive()) == context


def test_a_revived_span_is_never_recorded_itself(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        pass
    assert isinstance(turn, ActiveSpan)
    SpanContext.of(turn).revive().end()
    assert [span.name for span in captured.spans] == ["turn"]


def test_it_can_be_revived_where_nothing_is_recorded(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        assert isinstance(turn, ActiveSpan)
        context = SpanContext.of(turn)
    reamon.shutdown()
    assert context.revive().trace_id == turn.trace_id


def test_a_propagated_function_survives_being_pickled(captured: Captured) -> None:
    with reamon.trace_workflow("turn", call_id="c-1") as turn:
        pickled = pickle.dumps(reamon.propagate(whereabouts))
    trace_id, parent_id, ancestors, call_id, _ = pickle.loads(pickled)()
    assert (trace_id, parent_id, ancestors, call_id) == (turn.trace_id, turn.span_id, (turn.span_id,), "c-1")
    assert pickle.loads(pickle.dumps(reamon.propagate(whereabouts)))()[1] is None


def test_what_is_suppressed_or_another_systems_stays_so_when_pickled(captured: Captured) -> None:
    with reamon.suppress():
        private = pickle.dumps(reamon.propagate(reamon.enabled))
    assert pickle.loads(private)() is False
    with reamon.extract({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}):
        foreign = pickle.dumps(reamon.propagate(work))
    pickle.loads(foreign)()
    assert [link.relation for link in captured.one("work").links] == ["remote_parent"]


def test_tasks_of_a_process_pool_run_below_their_submitter(captured: Captured) -> None:
    pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork"))
    turn_scope = reamon.trace_workflow("turn", call_id="c-1", project="p")
    with reamon.wrap_executor(pool) as wrapped, turn_scope as turn, reamon.trace_agent("agent") as agent:
        places = [wrapped.submit(whereabouts).result(), *wrapped.map(whereabouts, range(2), chunksize=2)]
    assert places == [(turn.trace_id, agent.span_id, (turn.span_id, agent.span_id), "c-1", "p")] * 3


def test_what_a_parent_started_is_not_finished_by_a_forked_child(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        child = os.fork()
        if child == 0:
            with reamon.trace_tool("in the child") as tool:
                right = tool.parent_id == turn.span_id and tool.trace_id == turn.trace_id
            turn.end()
            runtime_stats = reamon.stats()
            os._exit(0 if right and runtime_stats.recorded == 1 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert captured.one("turn").status == "ok"
    assert captured.named("in the child") == []
