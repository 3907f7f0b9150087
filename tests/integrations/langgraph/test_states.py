"""States: what a node left, worked out of snapshots and reducers."""

import dataclasses
import operator
from typing import Annotated, Any, TypedDict

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langgraph.graph import START
from langgraph.types import Command
from pydantic import BaseModel, Field

from reamon.integrations.langgraph.states import appending_keys, has_reducers, update_of, updated
from reamon.testing import Captured
from reamon.tracing import snapshot
from support.graphs import State, agents, chain_of, graph_of, says

states = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.lists(st.integers(0, 9)) | st.integers(0, 9))


@given(before=states, update=states)
def test_values_replace_those_of_the_same_key_and_lists_grow_where_they_are_appended(
    before: dict[str, Any], update: dict[str, Any]
) -> None:
    raw = [msgspec.json.encode(one) for one in (before, update)]
    assert msgspec.json.decode(updated(*raw)) == {**before, **update}
    grown = msgspec.json.decode(updated(*raw, frozenset(before)))
    for key in before.keys() & update.keys():
        same = type(before[key]) is type(update[key])
        assert grown[key] == (before[key] + update[key] if same else update[key])


@pytest.mark.parametrize(
    ("state", "update", "after"),
    [
        (b'{"a":1}', None, b'{"a":1}'),
        (b'{"a":1}', b"null", b'{"a":1}'),
        (b'{"a":1}', b"[1]", b'{"a":1}'),
        (b"[1]", b"[2]", b"[2]"),
        (b"3", b'"x"', b'"x"'),
    ],
)
def test_what_is_no_object_changes_none_and_replaces_its_like(state: bytes, update: bytes | None, after: bytes) -> None:
    assert updated(state, update) == after


def test_a_state_that_is_no_object_may_grow_too() -> None:
    assert updated(b"[1]", b"[2]", frozenset({"__root__"})) == b"[1,2]"


@pytest.mark.parametrize(
    ("output", "update"),
    [
        ({"a": 1}, {"a": 1}),
        (Command(update={"a": 1}), {"a": 1}),
        ([Command(update={"log": [1]}), {"log": [2]}, Command(goto="x")], {"log": [1, 2]}),
        (Command(update=[("a", 1)]), {}),
    ],
)
def test_what_an_output_does_to_the_state(output: Any, update: Any) -> None:
    assert update_of(output) == update


def test_reducers_are_known_by_what_they_are_and_not_called() -> None:
    class Reduced(TypedDict):
        log: Annotated[list[int], operator.add]
        most: Annotated[int, lambda one, other: one or other]
        plain: int

    compiled = graph_of({"a": says("a")}, (START, "a"), state=Reduced)
    assert appending_keys(compiled) == {"log"}
    assert has_reducers(compiled)
    assert not appending_keys(None)


# -- in graphs --------------------------------------------------------------------------------------------------------


class Model(BaseModel):
    log: list[str] = Field(default_factory=list)
    score: int = 0


class Growing(BaseModel):
    log: Annotated[list[str], operator.add] = Field(default_factory=list)


@dataclasses.dataclass
class Record:
    log: list[str] = dataclasses.field(default_factory=list)
    score: int = 0


@pytest.mark.parametrize("kind", [Model, Record])
async def test_a_node_that_returns_the_whole_state_leaves_that(captured: Captured, kind: Any) -> None:
    async def whole(state: Any) -> Any:
        state.log.append("in place")
        return kind(log=state.log, score=state.score + 1)

    async def part(state: Any) -> dict[str, Any]:
        return {"score": state.score + 10}

    await graph_of({"a": whole, "b": part}, (START, "a"), ("a", "b"), state=kind).ainvoke(kind(log=["first"]))
    told = [(span.state_before.value, span.state_after.value) for span in agents(captured.spans)]  # type: ignore[union-attr]
    between = {"log": ["first", "in place"], "score": 1}
    assert told == [({"log": ["first"], "score": 0}, between), (between, {**between, "score": 11})]


async def test_a_whole_state_that_is_put_together_with_the_one_before_is_not_what_is_left(captured: Captured) -> None:
    async def node(state: Growing) -> Growing:
        return Growing(log=["new"])

    await graph_of({"a": node}, (START, "a"), state=Growing).ainvoke(Growing(log=["old"]))
    (agent,) = agents(captured.spans)
    assert agent.state_after is not None
    assert agent.state_after.value == {"log": ["old", "new"]}


async def test_what_only_a_node_sees_is_in_the_state_that_it_left(captured: Captured) -> None:
    class Question(TypedDict):
        question: str

    class Whole(Question):
        answer: str
        secret: str

    class Answer(TypedDict):
        answer: str

    def think(state: Question) -> dict[str, Any]:
        return {"secret": "42"}

    def say(state: Whole) -> dict[str, Any]:
        return {"answer": state["secret"], "secret": "told"}

    from langgraph.graph import StateGraph

    try:
        graph: Any = StateGraph(Whole, input_schema=Question, output_schema=Answer)
    except TypeError:  # langgraph 0.2 calls them otherwise
        graph = StateGraph(Whole, input=Question, output=Answer)
    graph.add_node("think", think)
    graph.add_node("say", say)
    graph.add_edge(START, "think")
    graph.add_edge("think", "say")
    assert graph.compile().invoke({"question": "?"}) == {"answer": "42"}
    after = [span.state_after.value for span in agents(captured.spans) if span.state_after]
    assert after == [
        {"question": "?", "secret": "42"},
        {"question": "?", "secret": "told", "answer": "42"},
    ]


@pytest.mark.parametrize(
    ("kind", "given", "nodes", "told"),
    [
        (list[str], ["in"], {"a": ["a"], "b": ["b"]}, [["in", "a"], ["in", "a", "b"]]),
        (int, 1, {"a": 5, "b": 6}, [6, 12]),
    ],
)
def test_a_state_may_be_no_object(captured: Captured, kind: Any, given: Any, nodes: Any, told: Any) -> None:
    parts = {name: (lambda state, part=part: part) for name, part in nodes.items()}
    state = Annotated[kind, operator.add]
    graph_of(parts, (START, "a"), ("a", "b"), state=state).invoke(given)
    assert [span.state_after.value for span in agents(captured.spans) if span.state_after] == told


async def test_values_that_cannot_be_asked_anything_cost_themselves_only(captured: Captured) -> None:
    class Hostile:
        __hash__ = None  # type: ignore[assignment]

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name)

        def __repr__(self) -> str:
            raise RuntimeError("no")

        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no")

    async def node(state: State) -> dict[str, Any]:
        return {"log": [Hostile(), float("nan"), chr(0xD800), 2**100], "score": 1}

    await graph_of({"a": node, "b": says("b")}, (START, "a"), ("a", "b")).ainvoke({"log": [Hostile()]})
    first, _ = agents(captured.spans)
    assert first.state_after is not None
    assert first.state_after.value["score"] == 1
    assert len(first.state_after.value["log"]) == 5


def test_a_state_of_any_size_is_recorded_within_the_limit(captured: Captured) -> None:
    big = {"log": ["x" * 1000] * 1000}
    chain_of("a", node=lambda name: lambda state: {"score": 1}).invoke(big)
    (agent,) = agents(captured.spans)
    assert agent.state_before is not None
    assert len(agent.state_before.raw) <= 64 * 1024
    assert agent.state_before.raw == snapshot(big)
