"""Payload: bytes at hand, decoded on demand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.model import Payload

texts = st.text(st.characters(exclude_categories=["Cs"]))
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=12,
)


@given(plain)
def test_a_json_like_value_comes_back(value: object) -> None:
    payload = Payload.of(value)
    assert payload.value == value
    assert Payload(payload.text.encode()) == payload


def test_each_value_is_made_anew() -> None:
    payload = Payload.of({"list": [1]})
    payload.value["list"].append(2)
    assert payload.value == {"list": [1]}


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError):
        Payload.of(object())
