"""Routing: where nodes lead to, by edges, functions, `Command`s and `Send`s, and by what comes next if nobody says."""

from types import SimpleNamespace
from typing import Any

import pytest
from langchain_core.runnables import RunnableLambda
from langgraph.graph import END, START
from langgraph.types import Command, Send

import reamon
from reamon.integrations.langgraph.routing import Routing, is_command, targets_of
from reamon.testing import Captured
from support.graphs import State, graph_of, routed, says, says_now
from support.trees import tree


def graph(branches: dict[str, Any] | None = None, edges: tuple[tuple[str, str], ...] = ()) -> Any:
    """As much of a graph as routing looks at."""
    return SimpleNamespace(builder=SimpleNamespace(branches=branches or {}, edges=set(edges), waiting_edges=set()))


def branch(**ends: str) -> Any:
    return SimpleNamespace(ends=ends or None)


class Hostile:
    """Answers no question about itself."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize(
    ("answer", "ends", "targets"),
    [
        ("good", {"good": "book"}, ("book",)),
        ("book", None, ("book",)),
        (True, {True: "book", False: END}, ("book",)),
        (["a", END], None, ("a", END)),
        ([Send("a", {}), "b"], {"b": "c"}, ("a", "c")),
        ({"un": "hashable"}, {"good": "book"}, ("dict",)),
    ],
)
def test_an_answer_names_nodes(answer: Any, ends: Any, targets: tuple[str, ...]) -> None:
    assert targets_of(answer, ends) == targets


def test_an_answer_that_raises_at_every_question_is_told_by_its_class() -> None:
    assert targets_of(Hostile(), {"good": "book"}) == ("Hostile",)


def test_a_command_is_told_by_its_class_and_not_asked() -> None:
    assert is_command(Command(goto="a"))
    assert not is_command(Hostile())


def test_what_is_not_known_is_none_and_nowhere_is_empty() -> None:
    routing = Routing(graph({"a": {"choose": branch()}}), "a")
    assert routing.targets is None
    routing.answered("choose", END)
    assert routing.targets == ()


def test_all_routing_functions_have_to_answer() -> None:
    routing = Routing(graph({"a": {"one": branch(), "two": branch()}}), "a")
    routing.answered("one", "b")
    assert routing.targets is None
    routing.answered("two", ["b", "c"])
    assert routing.targets == ("b", "c")


def test_who_comes_next_is_the_answer_where_nobody_gave_one_as_far_as_that_is_possible() -> None:
    routing = Routing(graph({"a": {"choose": branch(x="b", y="c")}}), "a")
    routing.follow(["b", "z"])
    assert routing.targets == ("b",)
    routing.follow(["c"])
    assert routing.targets == ("b",), "it had its answer"


def test_a_node_that_nothing_leads_away_from_ends_the_graph_unless_that_is_not_known() -> None:
    known, unknown = Routing(graph(), "a"), Routing(None, "a")
    known.conclude()
    unknown.conclude()
    assert (known.targets, unknown.targets) == ((), None)


def test_a_node_after_all_that_a_function_leads_to_is_not_overlooked() -> None:
    routing = Routing(graph({"a": {"choose": SimpleNamespace(ends=None, then="c")}}), "b")  # langgraph 0.2
    routing.conclude()
    assert routing.targets is None


# -- in graphs --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["ainvoke", "invoke"])
async def test_a_lambda_routes_under_the_name_that_the_graph_gives_it(captured: Captured, how: str) -> None:
    node = says if how == "ainvoke" else says_now
    lambdas = [("a", lambda state: ["b", "c"], ["b", "c"])]
    compiled = graph_of({name: node(name) for name in "abc"}, (START, "a"), routes=lambdas)
    if how == "ainvoke":
        await compiled.ainvoke({"log": []})
    else:
        compiled.invoke({"log": []})
    assert routed(captured.spans) == {"a": ["b", "c"], "b": [], "c": []}
    assert "    step condition" in tree(captured.spans)


async def test_where_a_graph_begins_is_routing_too(captured: Captured) -> None:
    def enter(state: State) -> str:
        return "first"

    await graph_of({"a": says("a"), "b": says("b")}, routes=[(START, enter, {"first": "b"})]).ainvoke({"log": []})
    assert tree(captured.spans) == "workflow LangGraph\n  step enter\n  agent b"
    step = next(span for span in captured.spans if span.name == "enter")
    assert step.attributes == {"reamon.routed_from": START, "reamon.routed_to": ["b"]}


async def test_what_a_node_calls_itself_is_no_routing_whatever_its_name(captured: Captured) -> None:
    def route(state: State) -> str:
        return "b"

    async def node(state: State) -> dict[str, Any]:
        return {"log": [RunnableLambda(route).invoke(state)]}

    await graph_of({"a": node, "b": says("b")}, (START, "a"), routes=[("a", route, ["b"])]).ainvoke({"log": []})
    steps = [span for span in captured.spans if span.name == "route"]
    assert [span.attributes.get("reamon.routed_to") for span in steps] == [None, ["b"]]


async def test_several_commands_of_one_node_lead_to_all_that_they_name(captured: Captured) -> None:
    async def node(state: State) -> Any:
        return [Command(goto="b", update={"log": [1]}), Command(goto=Send("c", {"score": 4}))]

    await graph_of({"a": node, "b": says("b"), "c": says("c")}, (START, "a")).ainvoke({"log": []})
    assert routed(captured.spans) == {"a": ["b", "c"], "b": [], "c": []}


@pytest.mark.parametrize("error", [ValueError("no way"), None], ids=["raises", "names nobody"])
async def test_a_routing_function_that_fails_fails_its_node(captured: Captured, error: Exception | None) -> None:
    def route(state: State) -> str:
        if error is not None:
            raise error
        return "nobody"

    with pytest.raises((ValueError, KeyError)):
        await graph_of({"a": says("a"), "b": says("b")}, (START, "a"), routes=[("a", route, {"b": "b"})]).ainvoke(
            {"log": []}
        )
    status = " [error]" if error else ""
    assert tree(captured.spans) == f"workflow LangGraph [error]\n  agent a [error]\n    step route{status}"


async def test_nodes_at_once_that_route_without_an_event_hand_over_to_whom_comes_next(captured: Captured) -> None:
    def silent() -> Any:  # as prebuilt agents do
        try:
            from langgraph._internal._runnable import RunnableCallable
        except ImportError:  # langgraph 0.2
            from langgraph.utils.runnable import RunnableCallable  # type: ignore[import-not-found,no-redef]
        return RunnableCallable(lambda state: ["c", "d"], name="silent", trace=False)

    nodes = {name: says(name) for name in "abcd"}
    routes = [("a", silent(), ["c", "d"]), ("b", silent(), ["c", "d"])]
    await graph_of(nodes, (START, "a"), (START, "b"), routes=routes).ainvoke({"log": []})
    assert routed(captured.spans) == {"a": ["c", "d"], "b": ["c", "d"], "c": [], "d": []}
    assert reamon.current_span().span_id == ""
