"""Money inside of the budgets: whole trillionths of a dollar, which add up exactly in every place that keeps them."""

from decimal import Decimal
from typing import Final

from reamon.guard import guard
from reamon.model.cost import EXACT, LARGEST, exact, rounded

_TRILLIONTH: Final = Decimal("1E-12")

MOST: Final = int(LARGEST) * 10**12
"""The largest cost that is believed, in trillionths: beyond some of them, not every ledger counts exactly."""

Amount = Decimal | int | str | float
"""An amount as it is given: a float counts digit for digit as it is written."""


def trillionths(amount: Amount) -> int:
    """`amount` USD in trillionths, rounded once, half to even.

    Raises:
        ValueError: It is no finite number.

    Example:
        >>> trillionths("0.10"), trillionths(0.1)
        (100000000000, 100000000000)
    """
    return int(rounded(exact(amount)).scaleb(12, EXACT))


def amount_of(amount: Amount | None, otherwise: int) -> int:
    """An amount in trillionths, given while the application runs: what is none is contained, and counts as `otherwise`.

    What is more than `MOST` counts as that.

    Example:
        >>> amount_of(None, 0)
        0
    """
    if amount is None:
        return otherwise
    try:
        found = MOST if exact(amount) > usd(MOST) else trillionths(amount)
        if found < 0:
            raise ValueError(f"an amount of a budget is not negative: {amount!r}")
    except (ValueError, ArithmeticError) as error:
        guard.contain("Budgets", error)
        return otherwise
    return found


def usd(amount: int) -> Decimal:
    """Trillionths as USD.

    Example:
        >>> usd(100_000_000_001)
        Decimal('0.100000000001')
    """
    return EXACT.multiply(Decimal(amount), _TRILLIONTH)


def share_of(amount: int, share: Decimal) -> int:
    """The part `share` (0.8) of an amount, rounded half to even.

    Example:
        >>> share_of(trillionths("0.10"), Decimal("0.85"))
        85000000000
    """
    return int(EXACT.to_integral_value(EXACT.multiply(Decimal(amount), share)))


def shown(amount: int) -> str:
    """An amount for people: at least two places, and no zeros behind the others.

    Example:
        >>> shown(42_500_000_000_000), shown(1_000)
        ('42.50', '0.000000001')
    """
    whole, _, places = format(usd(amount), "f").partition(".")
    return f"{whole}.{places.rstrip('0').ljust(2, '0')}"


def plain(amount: int) -> Decimal:
    """Trillionths as USD, with no more places than it takes.

    Example:
        >>> plain(100_000_000_000)
        Decimal('0.10')
    """
    return Decimal(shown(amount))
