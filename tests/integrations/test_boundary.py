"""Boundaries: what fails inside of a call that answers all the same."""

import asyncio
import contextvars

import reamon
from reamon.integrations.boundary import Boundary, boundary
from reamon.testing import Captured
from reamon.tracing import ActiveSpan


def span() -> ActiveSpan:
    """A span that runs."""
    started = reamon.start_span("agent", "scheduler")
    assert isinstance(started, ActiveSpan)
    return started


def test_what_fails_is_swallowed_until_a_later_attempt_succeeds(captured: Captured) -> None:
    around, error = Boundary(span()), ValueError("once")
    around.failed("model call", error)
    assert (around.swallowed, around.swallowed_by) == (error, "model call")
    around.succeeded("model call")
    assert (around.swallowed, around.swallowed_by) == (None, "")


def test_of_several_failures_the_last_one_counts(captured: Captured) -> None:
    around, first, second = Boundary(span()), ValueError("first"), KeyError("second")
    for what, error in (("process", first), ("model call", second), ("process", first)):
        around.failed(what, error)
    assert (around.swallowed, around.swallowed_by) == (first, "process")


def test_the_innermost_call_is_told_and_the_one_around_it_is_there_again_afterwards(captured: Captured) -> None:
    with Boundary(span()) as outer:
        with Boundary(span()) as inner:
            assert boundary() is inner
        assert boundary() is outer
    assert boundary() is None


async def test_a_task_of_the_call_belongs_to_it_and_what_outlives_it_does_not(captured: Captured) -> None:
    go_on = asyncio.Event()

    async def background() -> Boundary | None:
        await go_on.wait()
        return boundary()

    with Boundary(span()) as around:
        inside = asyncio.create_task(background())
        go_on.set()
        assert await inside is around
        go_on.clear()
        outliving = asyncio.create_task(background())
        await asyncio.sleep(0)
    around.span.end()
    go_on.set()
    assert await outliving is None


def test_it_is_found_by_its_span_where_only_that_has_come_along(captured: Captured) -> None:
    with reamon.trace_agent("scheduler") as agent:
        assert isinstance(agent, ActiveSpan)
        with Boundary(agent) as around:
            with reamon.trace_tool("look up"):
                work = reamon.handover()
            context = contextvars.Context()
            assert context.run(boundary) is None
            context.run(work.__enter__)
            assert context.run(boundary) is around
        assert context.run(boundary) is None
