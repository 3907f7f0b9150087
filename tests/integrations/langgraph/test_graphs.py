"""Graphs of every shape, each with its whole tree: agents, routing, subgraphs, fan-out, interrupts, streams, ends."""

import asyncio
import contextlib
import threading
from typing import Any

import pytest
from langgraph.checkpoint.memory import MemorySaver
from langgraph.errors import GraphRecursionError
from langgraph.graph import END, START, StateGraph
from langgraph.types import Command, Send, interrupt

import reamon
from reamon.testing import Captured, capture_spans
from support.graphs import State, agents, chain_of, says, says_now, thread
from support.trees import tree

CHAIN = """\
workflow LangGraph
  agent a -> b
  agent b"""


async def test_a_graph_is_a_workflow_and_its_nodes_are_agents_that_hand_over(captured: Captured) -> None:
    await chain_of("a", "b").ainvoke({"log": []})
    assert tree(captured.spans) == CHAIN


def test_the_same_runs_synchronously(captured: Captured) -> None:
    chain_of("a", "b", node=says_now).invoke({"log": []})
    assert tree(captured.spans) == CHAIN


@pytest.mark.parametrize("mode", ["values", "updates", "debug"])
async def test_the_same_is_streamed_and_nothing_is_current_in_the_consumer(captured: Captured, mode: str) -> None:
    chunks = []
    async for chunk in chain_of("a", "b").astream({"log": []}, stream_mode=mode):
        chunks.append(chunk)
        assert reamon.current_span().span_id == ""
    assert chunks
    assert tree(captured.spans) == CHAIN


def test_the_same_is_streamed_synchronously(captured: Captured) -> None:
    for _ in chain_of("a", "b", node=says_now).stream({"log": []}):
        assert reamon.current_span().span_id == ""
    assert tree(captured.spans) == CHAIN


async def test_the_same_is_streamed_as_events(captured: Captured) -> None:
    async for _ in chain_of("a", "b").astream_events({"log": []}, version="v2"):
        pass
    assert tree(captured.spans) == CHAIN


@pytest.mark.parametrize("way", ["events v1", "log", "all modes", "batch"])
@pytest.mark.filterwarnings("ignore")
async def test_the_same_runs_in_every_other_way(captured: Captured, way: str) -> None:
    graph, given = chain_of("a", "b"), {"log": []}
    if way == "batch":
        await graph.abatch([given])
    elif way == "all modes":
        modes = ["values", "updates", "debug", "messages", "custom"]
        async for _ in graph.astream(given, stream_mode=modes, subgraphs=True):
            assert reamon.current_span().span_id == ""
    else:
        stream = graph.astream_log(given) if way == "log" else graph.astream_events(given, version="v1")
        async for _ in stream:
            assert reamon.current_span().span_id == ""
    assert tree(captured.spans) == CHAIN


def test_a_graph_that_was_compiled_before_counts_too() -> None:
    graph = chain_of("a", "b", node=says_now)
    with capture_spans() as captured, reamon.instrument("langgraph"):
        graph.invoke({"log": []})
    assert tree(captured.spans) == CHAIN


async def test_below_a_span_of_the_application_a_graph_is_a_step(captured: Captured) -> None:
    with reamon.trace_workflow("turn", call_id="call-1"):
        await chain_of("a").ainvoke({"log": []}, thread("another"))
        with reamon.trace_step("afterwards"):
            pass
    assert tree(captured.spans) == "workflow turn\n  step LangGraph\n    agent a\n  step afterwards"
    assert {span.call_id for span in captured.spans} == {"call-1"}


async def test_the_thread_is_the_call(captured: Captured) -> None:
    await chain_of("a").ainvoke({"log": []}, thread("call-7"))
    with reamon.trace_workflow("turn"):
        await chain_of("a").ainvoke({"log": []}, thread("call-8"))
    assert {(span.name, span.call_id) for span in captured.spans if span.kind == "workflow"} == {
        ("LangGraph", "call-7"),
        ("turn", "call-8"),
    }


async def test_what_a_node_traces_itself_is_below_it(captured: Captured) -> None:
    @reamon.trace_tool
    async def look_up(word: str) -> str:
        return word

    async def node(state: State) -> dict[str, Any]:
        return {"log": [await look_up("Ada")]}

    graph = StateGraph(State)
    graph.add_node("a", node)
    graph.add_edge(START, "a")
    await graph.compile().ainvoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph\n  agent a\n    tool look_up"


# -- routing ----------------------------------------------------------------------------------------------------------


async def test_a_routing_function_leads_to_the_node_that_its_key_stands_for(captured: Captured) -> None:
    def decide(state: State) -> str:
        return "good"

    graph = StateGraph(State)
    for name in ("rate", "book", "end_call"):
        graph.add_node(name, says(name))
    graph.add_edge(START, "rate")
    graph.add_conditional_edges("rate", decide, {"good": "book", "bad": "end_call"})
    await graph.compile().ainvoke({"log": []})
    assert (
        tree(captured.spans)
        == """\
workflow LangGraph
  agent rate -> book
    step decide
  agent book"""
    )
    routing = next(span for span in captured.spans if span.name == "decide")
    assert routing.output is not None
    assert (routing.output.value, routing.attributes["reamon.routed_to"]) == ("good", ["book"])


async def test_a_route_to_the_end_is_no_hand_over(captured: Captured) -> None:
    graph = StateGraph(State)
    graph.add_node("a", says("a"))
    graph.add_edge(START, "a")
    graph.add_conditional_edges("a", lambda state: "stop", {"stop": END})
    await graph.compile().ainvoke({"log": []})
    (agent,) = agents(captured.spans)
    assert (agent.decision, agent.attributes["reamon.routed_to"]) == (None, [])


async def test_a_command_leads_where_it_says(captured: Captured) -> None:
    async def first(state: State) -> Any:
        return Command(update={"log": ["first"]}, goto="second")

    graph = StateGraph(State)
    graph.add_node("first", first)
    graph.add_node("second", says("second"))
    graph.add_edge(START, "first")
    await graph.compile().ainvoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph\n  agent first -> second\n  agent second"


async def test_a_fan_out_names_everybody_who_goes_on(captured: Captured) -> None:
    graph = StateGraph(State)
    for name in ("start", "left", "right", "join"):
        graph.add_node(name, says(name))
    graph.add_edge(START, "start")
    graph.add_edge("start", "left")
    graph.add_edge("start", "right")
    graph.add_edge(["left", "right"], "join")
    await graph.compile().ainvoke({"log": []})
    assert (
        tree(captured.spans)
        == """\
workflow LangGraph
  agent start -> left
  agent left -> join
  agent right -> join
  agent join"""
    )
    assert agents(captured.spans)[0].attributes["reamon.routed_to"] == ["left", "right"]


async def test_what_is_sent_runs_once_for_each_packet_with_its_own_input(captured: Captured) -> None:
    async def worker(packet: dict[str, int]) -> dict[str, Any]:
        return {"log": [f"worker {packet['number']}"]}

    graph = StateGraph(State)
    graph.add_node("start", says("start"))
    graph.add_node("worker", worker)
    graph.add_edge(START, "start")
    graph.add_conditional_edges("start", lambda state: [Send("worker", {"number": n}) for n in (1, 2)], ["worker"])
    await graph.compile().ainvoke({"log": []})
    start, *workers = agents(captured.spans)
    assert start.decision is not None
    assert start.decision.next_agent == "worker"
    assert [span.state_before.value for span in workers if span.state_before] == [{"number": 1}, {"number": 2}]


async def test_a_subgraph_is_a_step_of_its_node_and_hands_over_to_the_graph_around_it(captured: Captured) -> None:
    async def inner(state: State) -> Any:
        return Command(update={"log": ["inner"]}, goto="outside", graph=Command.PARENT)

    team = StateGraph(State)
    team.add_node("inner", inner)
    team.add_edge(START, "inner")
    graph = StateGraph(State)
    graph.add_node("team", team.compile())
    graph.add_node("outside", says("outside"))
    graph.add_edge(START, "team")
    await graph.compile().ainvoke({"log": []})
    assert (
        tree(captured.spans)
        == """\
workflow LangGraph
  agent team -> outside
    step LangGraph
      agent inner -> outside
  agent outside"""
    )


async def test_a_graph_that_is_called_inside_of_a_node_is_below_that_node(captured: Captured) -> None:
    inner = chain_of("x")

    async def node(state: State) -> dict[str, Any]:
        return {"log": (await inner.ainvoke({"log": []}))["log"]}

    graph = StateGraph(State)
    graph.add_node("a", node)
    graph.add_edge(START, "a")
    await graph.compile().ainvoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph\n  agent a\n    step LangGraph\n      agent x"


# -- state ------------------------------------------------------------------------------------------------------------


async def test_the_state_before_is_true_although_the_node_changes_it_in_place(captured: Captured) -> None:
    async def mutate(state: State) -> dict[str, Any]:
        state["log"].append("in place")
        await asyncio.sleep(0.001)
        return {"score": 1}

    graph = StateGraph(State)
    graph.add_node("mutate", mutate)
    graph.add_edge(START, "mutate")
    await graph.compile().ainvoke({"log": ["before"], "score": 0})
    (agent,) = agents(captured.spans)
    assert agent.state_before is not None
    assert agent.state_after is not None
    assert agent.state_before.value == {"log": ["before"], "score": 0}
    assert agent.state_after.value == {"log": ["before", "in place"], "score": 1}


async def test_the_state_after_is_the_graphs_own_with_its_reducers_applied(captured: Captured) -> None:
    await chain_of("a", "b", "c").ainvoke({"log": ["start"]})
    after = [span.state_after.value["log"] for span in agents(captured.spans) if span.state_after]
    assert after == [["start", "a"], ["start", "a", "b"], ["start", "a", "b", "c"]]


async def test_nodes_that_run_at_once_each_have_their_own_state_after(captured: Captured) -> None:
    graph = StateGraph(State)
    graph.add_node("left", says("left", score=1))
    graph.add_node("right", says("right"))
    graph.add_edge(START, "left")
    graph.add_edge(START, "right")
    await graph.compile().ainvoke({"log": ["start"], "score": 0})
    after = {span.name: span.state_after.value for span in agents(captured.spans) if span.state_after}
    assert after == {
        "left": {"log": ["start", "left"], "score": 1},
        "right": {"log": ["start", "right"], "score": 0},
    }


async def test_a_node_that_fails_has_the_state_that_it_left(captured: Captured) -> None:
    async def fail(state: State) -> dict[str, Any]:
        state["log"].append("half done")
        raise LookupError("no such lead")

    graph = StateGraph(State)
    graph.add_node("fail", fail)
    graph.add_edge(START, "fail")
    with pytest.raises(LookupError):
        await graph.compile().ainvoke({"log": []})
    (agent,) = agents(captured.spans)
    assert tree(captured.spans) == "workflow LangGraph [error]\n  agent fail [error]"
    assert agent.error is not None
    assert agent.state_after is not None
    assert (agent.error.type, agent.state_after.value) == ("LookupError", {"log": ["half done"]})


# -- interrupts, ends -------------------------------------------------------------------------------------------------


async def test_an_interrupt_is_no_error_and_resuming_goes_on_in_the_same_call(captured: Captured) -> None:
    def ask(state: State) -> dict[str, Any]:
        return {"log": [interrupt("may I call you?")]}

    graph = StateGraph(State)
    graph.add_node("a", says_now("a"))
    graph.add_node("ask", ask)
    graph.add_edge(START, "a")
    graph.add_edge("a", "ask")
    compiled = graph.compile(checkpointer=MemorySaver())
    compiled.invoke({"log": []}, thread("call-1"))
    compiled.invoke(Command(resume="yes"), thread("call-1"))
    assert tree(captured.spans) == "workflow LangGraph\n  agent a -> ask\n  agent ask\nworkflow LangGraph\n  agent ask"
    asked = next(span for span in agents(captured.spans) if span.name == "ask" and span.events)
    assert (asked.events[0].name, asked.events[0].attributes) == ("interrupt", {"values": ["may I call you?"]})
    assert (asked.status_reason, asked.error) == ("interrupted: it waits for an answer", None)
    first, second = sorted((span for span in captured.spans if span.kind == "workflow"), key=lambda span: span.start_ns)
    assert first.attributes["reamon.interrupted"] is True
    assert "reamon.interrupted" not in second.attributes
    assert {span.call_id for span in captured.spans} == {"call-1"}


async def test_a_turn_that_is_cancelled_is_cancelled_in_all_that_was_open(captured: Captured) -> None:
    async def slow(state: State) -> dict[str, Any]:
        await asyncio.sleep(60)
        return {}

    graph = StateGraph(State)
    graph.add_node("quick", says("quick"))
    graph.add_node("slow", slow)
    graph.add_edge(START, "quick")
    graph.add_edge("quick", "slow")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(graph.compile().ainvoke({"log": []}), 0.05)
    assert (
        tree(captured.spans)
        == """\
workflow LangGraph [cancelled]
  agent quick -> slow
  agent slow [cancelled]"""
    )


async def test_the_recursion_limit_is_an_error_of_the_graph_and_not_of_its_nodes(captured: Captured) -> None:
    async def again(state: State) -> Any:
        return Command(update={"log": ["again"]}, goto="again")

    graph = StateGraph(State)
    graph.add_node("again", again)
    graph.add_edge(START, "again")
    with pytest.raises(GraphRecursionError):
        await graph.compile().ainvoke({"log": []}, {"recursion_limit": 2})
    assert (
        tree(captured.spans)
        == """\
workflow LangGraph [error]
  agent again -> again
  agent again -> again"""
    )


@pytest.mark.parametrize("closes", [True, False], ids=["closed", "dropped"])
async def test_a_stream_that_its_consumer_abandons_ends_well(captured: Captured, closes: bool) -> None:
    stream = chain_of("a", "b").astream({"log": []}, stream_mode="updates")
    async for _ in stream:
        break
    if closes:
        await stream.aclose()
    del stream
    for _ in range(10):
        await asyncio.sleep(0)
    assert tree(captured.spans).startswith("workflow LangGraph\n  agent a -> b")
    root = next(span for span in captured.spans if span.kind == "workflow")
    assert root.attributes["reamon.abandoned"] is True


async def test_each_attempt_of_a_node_that_is_retried_is_told(captured: Captured) -> None:
    from langgraph.types import RetryPolicy

    attempts = []

    async def flaky(state: State) -> dict[str, Any]:
        attempts.append(1)
        if len(attempts) == 1:
            raise ConnectionError("once")
        return {"log": ["done"]}

    graph = StateGraph(State)
    policy = RetryPolicy(initial_interval=0.001, jitter=False)
    try:
        graph.add_node("flaky", flaky, retry_policy=policy)
    except TypeError:  # langgraph 0.2 calls it otherwise
        graph.add_node("flaky", flaky, retry=policy)
    graph.add_edge(START, "flaky")
    await graph.compile().ainvoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph\n  agent flaky [error]\n  agent flaky"
    assert [span.attributes.get("reamon.attempt") for span in agents(captured.spans)] == [None, 2]


# -- many at once -----------------------------------------------------------------------------------------------------


async def test_many_turns_at_once_keep_their_trees_apart(captured: Captured) -> None:
    graph = chain_of("a", "b", "c")
    await asyncio.gather(*(graph.ainvoke({"log": []}, thread(f"call-{n}")) for n in range(20)))
    spans = captured.spans
    for n in range(20):
        own = [span for span in spans if span.call_id == f"call-{n}"]
        assert tree(own) == "workflow LangGraph\n  agent a -> b\n  agent b -> c\n  agent c"


def test_graphs_in_many_threads_keep_their_trees_apart(captured: Captured) -> None:
    graph = chain_of("a", "b", node=says_now)
    threads = [threading.Thread(target=graph.invoke, args=({"log": []}, thread(f"call-{n}"))) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for n in range(8):
        assert tree([span for span in captured.spans if span.call_id == f"call-{n}"]) == CHAIN


# -- what is not recorded ---------------------------------------------------------------------------------------------


async def test_inside_of_suppress_nothing_is_recorded(captured: Captured) -> None:
    with reamon.suppress():
        await chain_of("a").ainvoke({"log": []})
    assert captured.spans == []


async def test_unconfigured_a_graph_runs_as_ever() -> None:
    with reamon.instrument("langgraph"):
        assert await chain_of("a").ainvoke({"log": []}) == {"log": ["a"]}


async def test_recording_may_begin_and_end_in_the_middle_of_a_run() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(state: State) -> dict[str, Any]:
        begun.set()
        await go_on.wait()
        return {"log": ["waited"]}

    graph = StateGraph(State)
    graph.add_node("wait", wait)
    graph.add_node("next", says("next"))
    graph.add_edge(START, "wait")
    graph.add_edge("wait", "next")
    with reamon.instrument("langgraph"):
        running = asyncio.create_task(graph.compile().ainvoke({"log": []}))
        await begun.wait()
        with capture_spans() as captured:
            go_on.set()
            assert await running == {"log": ["waited", "next"]}
            assert "agent next" in tree(captured.spans)
        begun.clear()
        go_on.clear()
        with capture_spans():
            running = asyncio.create_task(graph.compile().ainvoke({"log": []}))
            await begun.wait()
        go_on.set()
        assert await running == {"log": ["waited", "next"]}


def test_which_nodes_are_agents_is_a_rule_that_can_be_set() -> None:
    graph = chain_of("greet", "tools", node=says_now)
    for rule in (["greet"], lambda name, metadata: name != "tools"):
        with capture_spans() as captured, reamon.instrument("langgraph", agents=rule):
            graph.invoke({"log": []})
        assert tree(captured.spans) == "workflow LangGraph\n  agent greet -> tools\n  step tools"


async def test_a_consumer_that_stops_in_the_middle_of_two_streams_mixes_nothing_up(captured: Captured) -> None:
    one, two = chain_of("a", "b").astream({"log": []}), chain_of("x", "y").astream({"log": []})
    await anext(one)
    await anext(two)
    with contextlib.suppress(StopAsyncIteration):
        while True:
            await anext(one)
    with contextlib.suppress(StopAsyncIteration):
        while True:
            await anext(two)
    assert tree(captured.spans) == f"{CHAIN}\nworkflow LangGraph\n  agent x -> y\n  agent y"
