"""Redaction: no secret key keeps its value, wherever it stands and however it is written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.model import Payload, SpanEvent
from reamon.pipeline.redact import REDACTED, RedactKeys
from reamon.testing import make_span

_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("field", ["input", "output", "state_before", "state_after", "metadata"])
def test_every_payload_is_redacted_at_any_depth(field: str) -> None:
    span = make_span(**{field: {"deep": [{"Password": "hunter2"}], "kept": 1}})
    payload = getattr(RedactKeys(["password"])(span), field)
    assert payload.value == {"deep": [{"Password": REDACTED}], "kept": 1}


def test_attributes_and_events_are_redacted() -> None:
    attributes = {"api_key": "k", "list": [{"api_key": "k"}]}
    span = make_span(attributes=attributes, events=(SpanEvent("retry", 1, {"api_key": "k", "attempt": 2}),))
    redacted = RedactKeys(["api_key"])(span)
    assert redacted.attributes == {"api_key": REDACTED, "list": [{"api_key": REDACTED}]}
    assert redacted.events == (SpanEvent("retry", 1, {"api_key": REDACTED, "attempt": 2}),)


def test_what_has_no_such_key_is_left_as_it_is() -> None:
    span = make_span(input={"text": "my password is password"}, attributes={"a": 1}, events=(SpanEvent("e", 1),))
    assert RedactKeys(["password"])(span) is span


@pytest.mark.parametrize("keys", [[], [""]])
def test_with_no_keys_nothing_is_redacted(keys: list[str]) -> None:
    span = make_span(input={"": "value"})
    assert RedactKeys(keys)(span) is span


@pytest.mark.parametrize("key", ["passwörd", 'a"b', "back\\slash", "a.b", "x*", "ключ", "^", "-]"])
def test_a_key_may_be_any_text(key: str) -> None:
    span = make_span(input={key: 1, key.upper(): 2, "other": 3})
    payload = RedactKeys([key])(span).input
    assert payload is not None
    assert set(payload.value.values()) == {REDACTED, 3}


@given(value=_values, key=st.text('abäПß"\\ .*', min_size=1, max_size=4))
def test_no_value_of_a_secret_key_is_left(value: Any, key: str) -> None:
    span = make_span(input={"outer": [{key: "SECRET", "beside": value}]})
    payload = RedactKeys([key])(span).input
    assert payload is not None
    assert b"SECRET" not in payload.raw


def test_a_payload_may_be_nested_deeper_than_two_calls_a_level_can_be() -> None:
    span = make_span(input=None)
    deep = b'{"a":[' * 350 + b'{"password":"SECRET"}' + b"]}" * 350
    payload = RedactKeys(["password"])(span.replace(input=Payload(deep))).input
    assert payload is not None
    assert payload.raw == deep.replace(b"SECRET", REDACTED.encode())
