"""Graphs for tests: a small state, nodes that say one word, and what was recorded of agents."""

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph

from reamon.model import Span

Node = Callable[..., Any]


class State(TypedDict, total=False):
    """A state with a value that is replaced and a list that grows."""

    log: Annotated[list[Any], operator.add]
    score: int


def says(word: str, **more: Any) -> Node:
    """A node that adds one word to the log."""

    async def node(state: State) -> dict[str, Any]:
        return {"log": [word], **more}

    return node


def says_now(word: str) -> Node:
    """The same, synchronously."""
    return lambda state: {"log": [word]}


def graph_of(
    nodes: Mapping[str, Node],
    *edges: tuple[Any, str],
    routes: Iterable[tuple[Any, ...]] = (),
    state: Any = State,
    **options: Any,
) -> Any:
    """A compiled graph."""
    graph = StateGraph(state)
    for name, node in nodes.items():
        graph.add_node(name, node)
    for start, end in edges:
        graph.add_edge(start, end)
    for route in routes:
        graph.add_conditional_edges(*route)
    return graph.compile(**options)


def chain_of(*names: str, node: Callable[[str], Node] = says, **options: Any) -> Any:
    """A graph whose nodes follow one another."""
    edges = zip((START, *names), (*names, END), strict=True)
    return graph_of({name: node(name) for name in names}, *edges, **options)


def agents(spans: Iterable[Span]) -> list[Span]:
    """The agent executions, in their order."""
    return sorted((span for span in spans if span.kind == "agent"), key=lambda span: span.execution_order or 0)


def routed(spans: Iterable[Span]) -> dict[str, Any]:
    """Where each agent handed over to, by name."""
    return {span.name: span.attributes.get("reamon.routed_to") for span in agents(spans)}


def thread(name: str) -> dict[str, Any]:
    """The configuration of a conversation."""
    return {"configurable": {"thread_id": name}}
