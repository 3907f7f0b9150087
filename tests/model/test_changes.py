"""How a state's change is told."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reamon.model.changes import Change, changes

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_what_stayed_the_same_is_not_told(state: Any) -> None:
    assert changes(state, state) == []


@given(json_values, json_values)
def test_whatever_changed_is_told_and_the_other_way_round_too(before: Any, after: Any) -> None:
    there, back = changes(before, after), changes(after, before)
    assert bool(there) == bool(back)
    assert {change.path for change in there} == {change.path for change in back}


def test_only_the_values_that_changed_are_told() -> None:
    before = {"stage": "greeting", "lead": {"name": "Ada", "score": 0}, "history": ["hello"]}
    after = {"stage": "closing", "lead": {"name": "Ada", "score": 0.4}, "history": ["hello", "yes"]}
    assert changes(before, after) == [
        Change("stage", "greeting", "closing"),
        Change("lead.score", "0", "0.4"),
        Change("history", "1 item", "2 items"),
    ]


def test_keys_that_come_and_go_are_told() -> None:
    assert changes({"old": 1}, {"new": 2}) == [Change("old", "1", "(none)"), Change("new", "(none)", "2")]


def test_a_list_that_changed_but_not_in_length_says_so() -> None:
    assert changes({"history": ["a"]}, {"history": ["b"]}) == [Change("history", "1 item", "1 item, changed")]


def test_empty_text_can_be_seen() -> None:
    assert changes({"reply": ""}, {"reply": "hello"}) == [Change("reply", '""', "hello")]


def test_true_is_not_one() -> None:
    assert changes({"escalated": 1}, {"escalated": True}) == [Change("escalated", "1", "true")]


def test_a_long_value_is_told_shortly() -> None:
    (change,) = changes({"note": ""}, {"note": "x" * 500})
    assert len(change.after) == 40


def test_a_state_nested_deeper_than_the_stack_is_compared() -> None:
    before: dict[str, Any] = {"value": 1}
    after: dict[str, Any] = {"value": 2}
    for _ in range(3000):
        before, after = {"in": before}, {"in": after}
    assert len(changes(before, after)) == 1
