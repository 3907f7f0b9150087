"""Percentiles by nearest rank: always a value that was observed, never one in between."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TypeVar

Number = TypeVar("Number", int, float, Decimal)


def percentile(ordered: Sequence[Number], percent: int) -> Number:
    """The smallest value that at least `percent` percent of the values do not exceed (nearest rank).

    Args:
        ordered: The values in ascending order, at least one.
        percent: 1 to 100.

    Raises:
        ValueError: There are no values, or `percent` is out of range.

    Example:
        >>> percentile([10, 20, 30, 40], 50), percentile([10, 20, 30, 40], 95)
        (20, 40)
    """
    if not ordered:
        raise ValueError("no values, no percentile: ask only where something was observed")
    if not 1 <= percent <= 100:
        raise ValueError(f"a percentile lies between 1 and 100, not at {percent}")
    rank = -(-percent * len(ordered) // 100)
    return ordered[rank - 1]
