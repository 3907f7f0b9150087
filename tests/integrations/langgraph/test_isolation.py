"""Isolation: what is current in the library's methods never is in their callers, nor in the consumers of streams."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from langgraph.graph import START

import reamon
from reamon.integrations.langgraph.isolation import isolate, take_graph
from reamon.integrations.patches import Patches
from reamon.testing import Captured
from reamon.tracing import enter
from support.graphs import State, chain_of, graph_of, says, says_now
from support.trees import tree

CHAIN = "workflow LangGraph\n  agent a -> b\n  agent b"


def make_current() -> None:
    span = reamon.start_span("tool", "left behind")
    if span.is_recording:
        enter(span)


class Library:
    """Its methods make spans current and do not clean up."""

    def run(self) -> str:
        make_current()
        return "done"

    async def arun(self) -> str:
        make_current()
        return "done"

    def fail(self) -> None:
        make_current()
        raise LookupError("away")

    def stream(self) -> Iterator[str]:
        make_current()
        yield reamon.current_span().name
        yield reamon.current_span().name

    async def astream(self) -> AsyncIterator[str]:
        make_current()
        yield reamon.current_span().name
        yield reamon.current_span().name


@pytest.fixture
def isolated() -> Iterator[None]:
    patches = Patches()
    isolate(
        patches,
        Library,
        lambda run_id, error: None,
        methods=("run", "arun", "fail", "absent"),
        streams=("stream", "astream"),
    )
    yield
    patches.undo()
    assert not hasattr(Library.run, "_self_reamon")


async def test_what_a_method_leaves_current_ends_with_it(isolated: None, captured: Captured) -> None:
    library = Library()
    with reamon.trace_step("mine") as mine:
        assert library.run() == "done"
        assert await library.arun() == "done"
        with pytest.raises(LookupError):
            library.fail()
        assert reamon.current_span() is mine


async def test_a_stream_and_its_consumer_each_keep_what_is_current(isolated: None, captured: Captured) -> None:
    with reamon.trace_step("mine") as mine:
        for item in Library().stream():
            assert (item, reamon.current_span()) == ("left behind", mine)
        async for item in Library().astream():
            assert (item, reamon.current_span()) == ("left behind", mine)


def test_where_nothing_is_recorded_methods_are_as_they_were(isolated: None) -> None:
    assert Library().run() == "done"
    assert list(Library().stream()) == ["", ""]


async def test_a_stream_may_go_on_in_another_task_or_thread(captured: Captured) -> None:
    asynchronous = chain_of("a", "b").astream({"log": []})
    await asyncio.create_task(anext(asynchronous))

    async def drain() -> None:
        async for _ in asynchronous:
            assert reamon.current_span().span_id == ""

    await asyncio.create_task(drain())
    stream = chain_of("a", "b", node=says_now).stream({"log": []})
    next(stream)
    consumer = threading.Thread(target=lambda: list(stream))
    consumer.start()
    consumer.join()
    assert tree(captured.spans) == f"{CHAIN}\n{CHAIN}"


async def test_the_node_is_current_in_its_body_and_in_a_thread_of_it(captured: Captured) -> None:
    async def coroutine(state: State) -> dict[str, Any]:
        return {"log": [reamon.current_span().name, await asyncio.to_thread(lambda: reamon.current_span().name)]}

    def function(state: State) -> dict[str, Any]:
        return {"log": [reamon.current_span().name]}

    graph = graph_of({"a": coroutine, "b": function}, (START, "a"), ("a", "b"))
    assert (await graph.ainvoke({"log": []}))["log"] == ["a", "a", "b"]


async def test_graphs_at_once_inside_of_a_node_are_below_it(captured: Captured) -> None:
    inner = chain_of("x")

    async def node(state: State) -> dict[str, Any]:
        async with asyncio.TaskGroup() as group:
            for _ in range(2):
                group.create_task(inner.ainvoke({"log": []}))
        assert reamon.current_span().name == "a"
        return {"log": ["a"]}

    await graph_of({"a": node}, (START, "a")).ainvoke({"log": []})
    below = "    step LangGraph\n      agent x"
    assert tree(captured.spans) == f"workflow LangGraph\n  agent a\n{below}\n{below}"


async def test_a_graph_that_outlives_its_turn_stays_a_part_of_it_and_is_late(captured: Captured) -> None:
    over = asyncio.Event()

    async def afterwards() -> None:
        await over.wait()
        await chain_of("a").ainvoke({"log": []})

    with reamon.trace_workflow("turn"):
        background = asyncio.create_task(afterwards())
        await asyncio.sleep(0)
    over.set()
    await background
    assert tree(captured.spans) == "workflow turn\n  step LangGraph\n    agent a"
    late = next(span for span in captured.spans if span.name == "LangGraph")
    assert late.attributes["reamon.late"] is True


@pytest.mark.parametrize("leave", [KeyboardInterrupt, SystemExit])
def test_a_signal_leaves_through_all_of_it(captured: Captured, leave: Callable[[], BaseException]) -> None:
    def node(state: State) -> dict[str, Any]:
        raise leave()

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        graph_of({"a": says_now("a"), "b": node}, (START, "a"), ("a", "b")).invoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph [cancelled]\n  agent a -> b\n  agent b [cancelled]"


def test_nobody_else_takes_the_graph_of_a_call() -> None:
    assert take_graph() is None


async def test_a_cancelled_subgraph_is_cancelled_up_to_the_root(captured: Captured) -> None:
    reached = asyncio.Event()

    async def slow(state: State) -> dict[str, Any]:
        reached.set()
        await asyncio.sleep(60)
        return {}

    team = graph_of({"i": says("i"), "slow": slow}, (START, "i"), ("i", "slow"))
    running = asyncio.create_task(graph_of({"team": team}, (START, "team")).ainvoke({"log": []}))
    await reached.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert (
        tree(captured.spans)
        == """\
workflow LangGraph [cancelled]
  agent team [cancelled]
    step LangGraph [cancelled]
      agent i -> slow
      agent slow [cancelled]"""
    )
