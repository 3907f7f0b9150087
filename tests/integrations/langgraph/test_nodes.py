"""Nodes: which are agents, tasks that are none, and records that wait for what the next step tells."""

import asyncio
import threading
from typing import Any

import pytest
from langgraph.func import entrypoint, task
from langgraph.graph import START
from langgraph.types import interrupt

import reamon
from reamon.errors import ConfigurationError
from reamon.guard import guard
from reamon.integrations.langgraph.nodes import Task, agent_rule
from reamon.testing import Captured, capture_spans
from support.graphs import State, agents, graph_of, says, says_now
from support.trees import tree


def test_a_rule_is_made_of_names_or_is_a_function() -> None:
    assert agent_rule(None)("any", {})
    assert not agent_rule(None)("__error_handler__any", {}), "LangGraph's own"
    assert [agent_rule(["a"])(name, {}) for name in "ab"] == [True, False]
    assert agent_rule(lambda name, metadata: metadata["team"] == "sales")("a", {"team": "sales"})


@pytest.mark.parametrize("agents", ["a", 3])
def test_anything_else_is_refused(agents: object) -> None:
    with pytest.raises(ConfigurationError, match="the names of the nodes that are agents"):
        agent_rule(agents)


def test_a_rule_that_raises_makes_agents_of_all() -> None:
    with guard.relaxed():
        assert agent_rule(lambda name, metadata: bool(1 / 0))("a", {})


def test_a_task_is_read_off_the_metadata_of_every_version() -> None:
    old = {"langgraph_node": "a", "langgraph_step": 2, "checkpoint_ns": "a:1"}
    new = {**old, "langgraph_checkpoint_ns": "a:1", "langgraph_path": ("__pregel_push", 0, False)}
    assert (Task.of(old), Task.of(new)) == (Task("a", 2, "a:1", False), Task("a", 2, "a:1", True))
    assert Task.of({"thread_id": "call-1"}) is None


# -- in graphs --------------------------------------------------------------------------------------------------------


async def test_the_tasks_of_the_functional_api_are_steps_of_their_entrypoint(captured: Captured) -> None:
    @task
    async def double(number: int) -> int:
        assert reamon.current_span().name == "double"
        return number * 2

    @entrypoint()
    async def flow(number: int) -> int:
        return sum(await asyncio.gather(double(number), double(number + 1)))

    assert await flow.ainvoke(3) == 14
    assert tree(captured.spans) == "workflow LangGraph\n  agent flow\n    step double\n    step double"
    (agent,) = agents(captured.spans)
    assert agent.state_after is not None
    assert agent.state_after.value == 14


async def test_one_of_several_nodes_fails_and_the_others_are_told_as_they_went(captured: Captured) -> None:
    done = asyncio.Event()

    async def quick(state: State) -> dict[str, Any]:
        done.set()
        return {"log": ["quick"]}

    async def fail(state: State) -> dict[str, Any]:
        await done.wait()
        await asyncio.sleep(0.001)
        raise LookupError("no such lead")

    async def slow(state: State) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    nodes = {"quick": quick, "fail": fail, "slow": slow}
    with pytest.raises(LookupError):
        await graph_of(nodes, *((START, name) for name in nodes)).ainvoke({"log": []})
    assert {span.name: str(span.status) for span in agents(captured.spans)} == {
        "quick": "ok",
        "fail": "error",
        "slow": "cancelled",
    }


async def test_interrupts_at_once_and_inside_of_a_subgraph_are_no_errors(captured: Captured) -> None:
    from langgraph.checkpoint.memory import MemorySaver

    def ask(state: State) -> dict[str, Any]:
        return {"log": [interrupt(reamon.current_span().name)]}

    team = graph_of({"inner": ask}, (START, "inner"))
    nodes = {"one": ask, "team": team, "other": says_now("other")}
    graph = graph_of(nodes, *((START, name) for name in nodes), checkpointer=MemorySaver())
    graph.invoke({"log": []}, {"configurable": {"thread_id": "call-1"}})
    assert {str(span.status) for span in captured.spans} == {"ok"}
    asked = {span.name: [event.name for event in span.events] for span in agents(captured.spans)}
    assert asked == {"one": ["interrupt"], "team": ["interrupt"], "inner": ["interrupt"], "other": []}


def test_nodes_of_one_step_in_threads_are_all_recorded(captured: Captured) -> None:
    together = threading.Barrier(8)

    def node(state: State) -> dict[str, Any]:
        together.wait(10)
        return {"log": [reamon.current_span().name]}

    names = [f"n{number}" for number in range(8)]
    edges = [(START, name) for name in names]
    graph = graph_of(dict.fromkeys(names, node), *edges, *((name, "join") for name in ())).with_config(
        max_concurrency=8
    )
    for _ in range(5):
        graph.invoke({"log": []})
    assert sorted(span.name for span in agents(captured.spans)) == sorted(names * 5)
    for span in agents(captured.spans):
        assert span.state_after is not None
        assert span.state_after.value == {"log": [span.name]}


async def test_no_run_stays_open_after_its_end(captured: Captured) -> None:
    from langchain_core.tracers import context

    graph = graph_of({"a": says("a"), "b": says("b")}, (START, "a"), ("a", "b"))
    await asyncio.gather(*(graph.ainvoke({"log": []}) for _ in range(50)))
    stream = graph.astream({"log": []})
    await anext(stream)
    await stream.aclose()
    handlers = [hook[0].get() for hook in context._configure_hooks]
    (ours,) = [handler for handler in handlers if type(handler).__module__.startswith("reamon.")]
    assert len(ours._runs) == 0


def test_in_a_fork_the_run_goes_on_where_it_was(captured: Captured) -> None:
    import os

    def node(state: State) -> dict[str, Any]:
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        return {"log": ["forked"]}

    graph_of({"a": node, "b": says_now("b")}, (START, "a"), ("a", "b")).invoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph\n  agent a -> b\n  agent b"


@pytest.mark.parametrize("options", [None, {}, {"agents": ["b"]}], ids=["off", "again", "otherwise"])
async def test_instrumentation_may_change_in_the_middle_of_a_run(options: dict[str, Any] | None) -> None:
    async def node(state: State) -> dict[str, Any]:
        if options is None:
            reamon.uninstrument("langgraph")
        else:
            reamon.instrument("langgraph", **options)
        return {"log": ["a"]}

    with capture_spans() as captured, reamon.instrument("langgraph"):
        result = await graph_of({"a": node, "b": says("b")}, (START, "a"), ("a", "b")).ainvoke({"log": []})
        assert (result, reamon.current_span().span_id) == ({"log": ["a", "b"]}, "")
        reamon.uninstrument("langgraph")
    assert tree(captured.spans).startswith("workflow LangGraph\n  agent a")
