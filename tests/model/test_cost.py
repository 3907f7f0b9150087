"""Money: exact from end to end."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.model import CostBreakdown, CostData
from reamon.model.cost import PLACES, exact, rounded, summed

amounts = st.decimals(0, 10**12, places=12)
details = st.lists(
    st.builds(CostData, cost_type=st.sampled_from(["llm", "tts", "telephony"]), amount=st.none() | amounts)
)


@pytest.mark.parametrize(
    ("given_as", "expected"),
    [(0.1, "0.1"), ("0.30", "0.30"), (7, "7"), (Decimal("1.10"), "1.10"), (1e-07, "1E-7"), (" 2 ", "2")],
)
def test_an_amount_is_taken_digit_for_digit(given_as: float | int | str | Decimal, expected: str) -> None:
    assert str(exact(given_as)) == expected


@pytest.mark.parametrize(
    "nonsense", ["a lot", "", float("nan"), float("inf"), Decimal("NaN"), "-Infinity", True, None, [1], b"1"]
)
def test_what_is_no_finite_number_is_refused_by_name(nonsense: object) -> None:
    with pytest.raises(ValueError, match=r"number|amount"):
        exact(nonsense)  # type: ignore[arg-type]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_what_it_prints(number: float) -> None:
    assert exact(number) == Decimal(repr(number))


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("0.0000000000005", "0.000000000000"),
        ("0.0000000000015", "0.000000000002"),
        ("0.0000000000025", "0.000000000002"),
        ("1", "1.000000000000"),
    ],
)
def test_money_is_rounded_half_to_even(amount: str, expected: str) -> None:
    assert f"{rounded(Decimal(amount)):f}" == expected


@given(st.decimals(0, 10**15, places=20))
def test_rounding_moves_by_half_a_place_at_most_and_only_once(amount: Decimal) -> None:
    once = rounded(amount)
    assert abs(Fraction(once) - Fraction(amount)) <= Fraction(PLACES) / 2
    assert rounded(once) == once == amount.quantize(PLACES, rounding=ROUND_HALF_EVEN)


@given(details)
def test_the_parts_of_a_breakdown_sum_to_its_total_exactly(costs: list[CostData]) -> None:
    breakdown = CostBreakdown.of(costs)
    known = [cost.amount for cost in costs if cost.amount is not None]
    assert sum(map(Fraction, breakdown.by_type.values())) == sum(map(Fraction, known))
    assert (breakdown.total is None) == (not known)
    assert Fraction(breakdown.total or 0) == sum(map(Fraction, known))


@given(details)
def test_a_breakdown_says_whether_something_is_unknown(costs: list[CostData]) -> None:
    known = {cost.amount is not None for cost in costs}
    expected = {frozenset({True}): "complete", frozenset({True, False}): "partial"}.get(frozenset(known), "unknown")
    assert CostBreakdown.of(costs).status == expected


def test_unknown_is_not_free() -> None:
    assert CostBreakdown.of([CostData(cost_type="llm", amount=None)]).total is None
    assert CostBreakdown.of([CostData(cost_type="llm", amount=Decimal(0))]).total == 0


@given(st.lists(amounts))
def test_a_sum_is_exact_whatever_the_application_has_made_of_its_context(parts: list[Decimal]) -> None:
    with localcontext(prec=2):
        whole = summed(parts)
    assert Fraction(whole) == sum(map(Fraction, parts))
