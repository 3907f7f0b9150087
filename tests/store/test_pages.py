"""Cursors: opaque, and refused where they do not belong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import StoreError
from reamon.store.pages import cursor, key_of

KEYS = (int, str)
ROW = cursor("traces", "newest", (7, "row"))


@given(st.integers(0, (1 << 63) - 1), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_gives_its_key_back(number: int, text: str) -> None:
    assert key_of(cursor("traces", "oldest", (number, text)), "traces", "oldest", KEYS) == (number, text)


@pytest.mark.parametrize(
    "text",
    ["", "r1.", "nonsense", "r1.####", ROW[:-2], ROW + "A", "r2" + ROW[2:], "r1.A" + ROW[3:], "é" * 40, "r1.é"],
)
def test_a_damaged_or_foreign_cursor_is_refused(text: str) -> None:
    with pytest.raises(StoreError, match="is not a whole cursor of this version: take `next` of the page before"):
        key_of(text, "traces", "newest", KEYS)


def test_a_cursor_of_another_listing_or_order_says_so() -> None:
    with pytest.raises(StoreError, match="belongs to a page of traces, not of costs"):
        key_of(ROW, "costs", "newest", KEYS)
    with pytest.raises(StoreError, match="a list with the newest first"):
        key_of(ROW, "traces", "oldest", KEYS)


def test_a_cursor_with_another_kind_of_key_is_refused() -> None:
    with pytest.raises(StoreError, match="not a whole cursor"):
        key_of(ROW, "traces", "newest", (str, str))
