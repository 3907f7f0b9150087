"""Money: exact, in USD, never a float."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import reduce

import msgspec

PLACES = Decimal("0.000000000001")
"""Each cost detail is rounded once, to twelve places, half to even."""

LARGEST = Decimal(1_000_000_000)
"""USD beyond which one cost detail is a mistake and not believed: some thousands of such, and sums would overflow."""

STATED = "stated"
"""The source of what the application says itself, and the beginning of its version: no price book knows it better."""

STATED_COSTS = "reamon.stated_costs"
"""The attribute of a span with the cost types that the application stated on it as if a price book had said them."""

EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
"""In which money is computed: wide enough that no sum is rounded, and never the thread's own context, which an
application may have made narrow."""

_NOTHING = Decimal(0)


def exact(amount: Decimal | int | str | float) -> Decimal:
    """`amount` as a Decimal, digit for digit as it is written: `exact(0.1) == Decimal("0.1")`.

    Raises:
        ValueError: `amount` is no number, or not a finite one.
    """
    if isinstance(amount, bool) or not isinstance(amount, Decimal | int | str | float):
        raise ValueError(f"an amount is a Decimal, int, str or float, not {type(amount).__name__}")
    try:
        number = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    except ArithmeticError:
        raise ValueError(f"{amount!r} is not a number") from None
    if not number.is_finite():
        raise ValueError(f"{amount!r} is not a finite number")
    return number


def rounded(amount: Decimal) -> Decimal:
    """`amount` at the one precision in which money is kept."""
    return EXACT.quantize(amount, PLACES)


def summed(amounts: Iterable[Decimal]) -> Decimal:
    """The exact sum of amounts; 0 of none.

    Example:
        >>> summed([Decimal("0.1"), Decimal("0.000000000002")])
        Decimal('0.100000000002')
    """
    return reduce(EXACT.add, amounts, _NOTHING)


class CostData(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One cost detail: what was paid for one unit of a usage.

    Attributes:
        cost_type: What was paid for: "llm", "tts", "stt", "telephony", "infrastructure" or a name of your own.
        amount: USD, rounded to twelve places; None means that no price is known, which is not the same as free.
        provider: Who bills it.
        model: The model or the product.
        usage_units: How many units were billed.
        unit: What a unit is ("input_tokens", "characters", "minutes").
        unit_cost: USD for one unit, to 28 digits.
        price_source: Where the price comes from: "stated" by the application, "rates" of your own, a profile's name,
            "local", "genai-prices", "cache-hit", or "unknown".
        price_version: Which edition of that source; with span, cost type and a number it makes the detail's key.
        effective_date: The date (ISO 8601) on which the price took effect.
        estimated: Whether the amount rests on usage that was guessed, because the provider reported none.
    """

    cost_type: str
    amount: Decimal | None
    provider: str | None = None
    model: str | None = None
    usage_units: Decimal | None = None
    unit: str | None = None
    unit_cost: Decimal | None = None
    price_source: str = STATED
    price_version: str = STATED
    effective_date: str | None = None
    estimated: bool = False

    @property
    def says_stated(self) -> bool:
        """Whether the detail itself says that the application stated it."""
        return self.price_source == STATED or self.price_version.startswith(STATED)


class CostBreakdown(msgspec.Struct, frozen=True, kw_only=True):
    """What something cost, by cost type.

    Attributes:
        by_type: USD for each cost type, unknown amounts left out.
        total: The sum of `by_type`, or None where nothing is known.
        status: "complete", "partial" (some amounts are unknown) or "unknown" (all of them are, or there are none).
    """

    by_type: dict[str, Decimal]
    total: Decimal | None
    status: str

    @classmethod
    def of(cls, details: Iterable[CostData]) -> "CostBreakdown":
        """The breakdown of `details`."""
        by_type: dict[str, Decimal] = {}
        unknown = 0
        for detail in details:
            if detail.amount is None:
                unknown += 1
            else:
                by_type[detail.cost_type] = EXACT.add(by_type.get(detail.cost_type, _NOTHING), detail.amount)
        total = summed(by_type.values()) if by_type else None
        status = "unknown" if total is None else "partial" if unknown else "complete"
        return cls(by_type=by_type, total=total, status=status)
