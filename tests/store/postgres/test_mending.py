"""What PostgreSQL cannot hold, made into what it can."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reamon.store.postgres.mending import mend_row, readable_json

TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)  # surrogates and NUL included
VALUES = st.recursive(TEXT | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner))


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in strings(item)]
    return [text for item in value for text in strings(item)] if isinstance(value, list) else []


@given(VALUES)
def test_json_of_any_text_becomes_readable_and_keeps_all_that_was(value: Any) -> None:
    before = json.dumps(value)
    after = readable_json(before)
    texts = strings(json.loads(after))
    assert not any("\0" in text for text in texts)
    assert all(text.encode() is not None for text in texts)
    if all("\0" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text) for text in strings(value)):
        assert after == before


def test_an_escaped_backslash_before_a_letter_u_is_no_escape() -> None:
    text = r'"\\u0000 \\\\ud800"'
    assert readable_json(text) == text
    assert json.loads(readable_json(r'"\\\u0000"')) == "\\\ufffd"


def test_a_row_is_mended_by_the_types_of_its_columns() -> None:
    row = mend_row(
        ["a\0b\ud800", "w" * 5000, 1 << 70, 1 << 40, 7, "no number", None, 1],
        ["name", "call_id", "input_tokens", "execution_order", "item", "duration_ms", "end_time", "success"],
        ["text", "text", "bigint", "integer", "integer", "double precision", "timestamptz", "boolean"],
    )
    assert row == ["a\ufffdb?", "w" * 300, None, None, 7, None, None, 1]
