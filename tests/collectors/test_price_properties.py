"""What holds for every usage and every price."""

from datetime import date
from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from reamon.collectors import PriceBook
from reamon.model import CostBreakdown, CostData, Usage
from reamon.model.cost import PLACES
from reamon.model.usage import AMOUNTS, COUNTS, PARTS

DAY = date(2026, 7, 1)
TOKENS = tuple(unit for unit in COUNTS if unit.endswith("_tokens"))
WHOLES = ("input_tokens", "output_tokens")
SORTS = (
    ("input_tokens",),
    ("input_tokens", "input_audio_tokens"),
    ("input_tokens", "cached_input_tokens"),
    ("input_tokens", "cached_input_tokens", "input_audio_tokens", "cached_audio_tokens"),
    ("input_tokens", "cache_write_tokens"),
    ("input_tokens", "cache_write_tokens", "cache_write_1h_tokens"),
    ("output_tokens",),
    ("output_tokens", "reasoning_tokens"),
    ("output_tokens", "output_audio_tokens"),
)
NO_LOSS = Fraction(PLACES) / 2

counts = st.none() | st.integers(0, 10**9)
quantities = st.none() | st.decimals(0, 10**6, places=6)
rates = st.fixed_dictionaries({}, optional=dict.fromkeys(COUNTS + AMOUNTS, st.decimals(0, 1, places=12))).filter(bool)
usages = st.fixed_dictionaries(dict.fromkeys(COUNTS, counts) | dict.fromkeys(AMOUNTS, quantities))


@st.composite
def token_usages(draw: st.DrawFn) -> dict[str, int]:
    """Tokens as providers count them: each is of one sort, and counted in all units that the sort is in."""
    usage = dict.fromkeys(TOKENS, 0)
    for units in SORTS:
        size = draw(st.integers(0, 10**6))
        for unit in units:
            usage[unit] += size
    return usage


def wholes(unit: str) -> set[str]:
    """The units that include this one."""
    around = {whole for whole, parts in PARTS.items() if unit in parts}
    return around.union(*map(wholes, around))


def price(own: dict[str, Any], usage: dict[str, Any]) -> tuple[CostData, ...]:
    return PriceBook({"x": own}, model_prices=False).price(Usage(provider="x", **usage), at=DAY)


def total(details: tuple[CostData, ...]) -> Fraction:
    return sum((Fraction(detail.amount) for detail in details if detail.amount is not None), Fraction(0))


def any_known(details: tuple[CostData, ...]) -> bool:
    return any(detail.amount is not None for detail in details)


@given(rates, usages)
def test_the_details_of_a_usage_are_its_units_at_their_prices_each_rounded_once(
    own: dict[str, Decimal], usage: dict[str, Any]
) -> None:
    for detail in price(own, usage):
        if detail.amount is None:
            continue
        assert detail.usage_units is not None
        assert detail.unit_cost is not None
        exact = Fraction(detail.usage_units) * Fraction(detail.unit_cost)
        assert abs(Fraction(detail.amount) - exact) <= NO_LOSS + Fraction(1, 10**18)


@given(rates, usages)
def test_the_decimal_context_of_the_application_changes_nothing(own: dict[str, Decimal], usage: dict[str, Any]) -> None:
    expected = price(own, usage)
    with localcontext(prec=2, rounding=ROUND_UP):
        assert price(own, usage) == expected
        assert CostBreakdown.of(expected).total == (total(expected) if any_known(expected) else None)


@given(st.lists(st.tuples(rates, usages), max_size=5))
def test_the_parts_of_a_call_sum_to_its_total_to_the_last_digit(
    call: list[tuple[dict[str, Decimal], dict[str, Any]]],
) -> None:
    details = [detail for own, usage in call for detail in price(own, usage)]
    breakdown = CostBreakdown.of(details)
    assert Fraction(breakdown.total or 0) == total(tuple(details))
    assert sum(map(Fraction, breakdown.by_type.values())) == Fraction(breakdown.total or 0)


@given(rates, usages)
def test_no_cost_is_negative_and_the_same_question_has_the_same_answer(
    own: dict[str, Decimal], usage: dict[str, Any]
) -> None:
    details = price(own, usage)
    assert details
    assert all(detail.amount is None or detail.amount >= 0 for detail in details)
    assert price(own, usage) == details


@given(rates, usages, st.sampled_from(COUNTS), st.integers(1, 10**6))
def test_who_uses_more_never_pays_less(own: dict[str, Decimal], usage: dict[str, Any], unit: str, more: int) -> None:
    assume(usage[unit] is not None)
    grown = {**usage, unit: usage[unit] + more}
    for whole in wholes(unit):
        # a part is dearer than the rest of its whole, or the other way round: what grows is both
        assume(usage[whole] is not None)
        grown[whole] = usage[whole] + more
    assert total(price(own, grown)) >= total(price(own, usage))


@given(
    st.decimals("0.01", 100, places=2), st.decimals("0.01", 10, places=2), st.decimals(0, 10, places=2),
    st.decimals(0, 1000, places=3), st.decimals(0, 1000, places=3),
)  # fmt: skip
def test_steps_bill_no_less_than_was_used_nor_a_step_more(
    rate: Decimal, increment: Decimal, minimum: Decimal, used: Decimal, more: Decimal
) -> None:
    own = {"minutes": rate, "increment": increment, **({"minimum": minimum} if minimum else {})}
    (detail,) = price(own, {"minutes": used})
    assert detail.usage_units is not None
    assert detail.usage_units % increment == 0
    assert used <= detail.usage_units < max(used, minimum) + increment
    assert total(price(own, {"minutes": used + more})) >= total((detail,))


@given(
    st.fixed_dictionaries(dict.fromkeys(TOKENS, st.decimals(0, 1, places=9))),
    token_usages(),
    token_usages(),
)
def test_two_requests_pay_for_cached_tokens_what_one_with_both_would(
    own: dict[str, Decimal], first: dict[str, int], second: dict[str, int]
) -> None:
    both = {unit: first[unit] + second[unit] for unit in first}
    assert total(price(own, first)) + total(price(own, second)) == total(price(own, both))


@given(
    st.fixed_dictionaries(
        dict.fromkeys(WHOLES, st.decimals(0, 1, places=9)),
        optional={unit: st.decimals(0, 1, places=9) for unit in TOKENS if unit not in WHOLES},
    ),
    token_usages(),
)
def test_every_token_is_billed_exactly_once_whichever_parts_have_a_price(
    own: dict[str, Decimal], usage: dict[str, int]
) -> None:
    details = price(own, usage)
    billed = sum(detail.usage_units or 0 for detail in details)
    assert billed == usage["input_tokens"] + usage["output_tokens"]
