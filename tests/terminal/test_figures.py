"""Figures for people."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.terminal.figures import bar, count, duration, money, share, stretch, volume


@pytest.mark.parametrize(
    ("milliseconds", "told"),
    [
        (0, "0.00 ms"), (0.994, "0.99 ms"), (0.996, "1.0 ms"), (9.96, "10 ms"), (999.4, "999 ms"), (999.6, "1.00 s"),
        (59_994, "59.99 s"), (59_996, "1:00 min"), (3_600_000, "60:00 min"), (None, ""),
    ],
)  # fmt: skip
def test_durations_never_round_into_a_unit_that_they_left(milliseconds: float | None, told: str) -> None:
    assert duration(milliseconds) == told


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        (Decimal(0), "$0.000000"), (Decimal("0.0041234567"), "$0.004123"), (Decimal("1234.5"), "$1,234.5000"),
        (Decimal("0.0000001"), "<$0.000001"), (Decimal("-0.5"), "-$0.500000"), (None, ""),
    ],
)  # fmt: skip
def test_money_says_dollars_and_never_shows_something_as_nothing(amount: Decimal | None, told: str) -> None:
    assert money(amount) == told


def test_counts_shares_and_sizes_carry_their_units() -> None:
    assert [count(1, "call"), count(2, "call"), share(1, 3), volume(2_500_000_000)] == [
        "1 call", "2 calls", "33.3 %", "2.5 GB",
    ]  # fmt: skip


@given(st.floats(min_value=0, max_value=1e6), st.floats(min_value=1e-3, max_value=1e6))
def test_a_bar_keeps_within_its_width_and_shows_even_the_smallest(value: float, longest: float) -> None:
    drawn = bar(value, longest, width=10)
    assert len(drawn) <= 10
    assert bool(drawn) == (value > 0)


@given(st.floats(min_value=-2, max_value=3), st.floats(min_value=0, max_value=3))
def test_a_stretch_always_has_its_width_and_something_on_it(start: float, length: float) -> None:
    drawn = stretch(start, start + length, width=24)
    assert len(drawn) == 24
    assert "█" in drawn
    assert set(drawn.strip("·")) == {"█"}
