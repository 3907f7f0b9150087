"""The queries that add up cost details: exactly, by whatever they can be told apart by.

Each is a function over a connection and runs on SQLite and on PostgreSQL. A detail that a repricing superseded counts
nowhere.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Select, and_, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.errors import ConfigurationError
from reamon.model.cost import EXACT
from reamon.store.cost_filter import DIMENSIONS, EVERY_COST, TIMES, CostFilter
from reamon.store.cost_grouping import COUNTS, PARTS, UTC_ONLY, keyed
from reamon.store.exact_sums import padded, total, usd
from reamon.store.local_times import Stretch, stretches
from reamon.store.views import COSTS

CostKey = tuple[str | None, ...]
"""What tells a group apart: one value for each dimension; None where it is not known."""

_MILLION: Final[ColumnElement[Any]] = literal_column("1000000")


class CostSum(msgspec.Struct, frozen=True, kw_only=True):
    """What some cost details come to.

    Attributes:
        amount: The exact sum of the known amounts, in USD; None where none is known.
        details: How many cost details that are.
        unknown: How many of them have no known price.
        estimated: How many of them rest on usage that was guessed.
    """

    amount: Decimal | None
    details: int
    unknown: int
    estimated: int

    @property
    def status(self) -> str:
        """What `amount` is worth: "complete", "partial" (some prices are unknown) or "unknown" (all are)."""
        return "unknown" if self.amount is None else "partial" if self.unknown else "complete"


def together(sums: Iterable[CostSum]) -> CostSum:
    """What several sums come to."""
    amount: Decimal | None = None
    details = unknown = estimated = 0
    for each in sums:
        if each.amount is not None:
            amount = each.amount if amount is None else EXACT.add(amount, each.amount)
        details += each.details
        unknown += each.unknown
        estimated += each.estimated
    return CostSum(amount=amount, details=details, unknown=unknown, estimated=estimated)


NOTHING: Final = CostSum(amount=None, details=0, unknown=0, estimated=0)


class CostGroups(msgspec.Struct, frozen=True, kw_only=True):
    """Costs told apart.

    Attributes:
        groups: Keys and sums; dearest first, or in order of time where a dimension is one.
        total: The sum of all groups, those beyond the limit included.
        number: How many groups there are, those beyond the limit included.
    """

    groups: list[tuple[CostKey, CostSum]]
    total: CostSum
    number: int


async def read_costs(
    connection: AsyncConnection,
    by: Sequence[str],
    which: CostFilter = EVERY_COST,
    *,
    zone: ZoneInfo | None = None,
    limit: int | None = None,
) -> CostGroups:
    """Add up cost details in groups.

    Args:
        connection: To the store.
        by: What the groups are told apart by: names of `DIMENSIONS`.
        which: The details that count.
        zone: Whose days and hours "day" and "hour" are; UTC unless given.
        limit: At most so many groups: the dearest, or the latest where a dimension is a time.

    Raises:
        ConfigurationError: There is no such dimension, or the limit is below 1.
    """
    _check(by)
    if limit is not None and limit < 1:
        raise ConfigurationError(f"limit = {limit} is not at least 1")
    offsets = await offsets_of(connection, which, zone if _is_in_time(by) else None)
    rows = (await connection.execute(cost_query(by, which, offsets, limit))).all()
    ends = len(by), len(by) + len(PARTS)
    groups = [(tuple(row[: ends[0]]), _sum(row[ends[0] : ends[1]])) for row in rows]
    return CostGroups(
        groups=sorted(groups, key=lambda group: _times(by, group[0])),  # stable: within a day the dearest come first
        total=_sum(rows[0][ends[1] : -1]) if rows else NOTHING,
        number=rows[0][-1] if rows else 0,
    )


async def read_usage(
    connection: AsyncConnection,
    by: Sequence[str],
    which: CostFilter = EVERY_COST,
    *,
    zone: ZoneInfo | None = None,
    keys: Iterable[CostKey] | None = None,
) -> dict[CostKey, dict[str, Decimal]]:
    """Add up what was billed, by unit, in the groups of `read_costs`.

    Args:
        connection: To the store.
        by: What the groups are told apart by.
        which: The details that count.
        zone: See `read_costs`.
        keys: Only these groups.

    Returns:
        For each group the units that it was billed for: tokens, characters, minutes. Fractions count to twelve places.
    """
    _check(by)
    offsets = await offsets_of(connection, which, zone if _is_in_time(by) else None)
    usage: defaultdict[CostKey, dict[str, Decimal]] = defaultdict(dict)
    for *key, unit, whole, fraction in await connection.execute(usage_query(by, which, offsets, keys)):
        units = usd(whole, fraction)
        if units is not None:
            usage[tuple(key)][unit] = units.normalize() if units != units.to_integral() else units.to_integral()
    return dict(usage)


def cost_query(
    by: Sequence[str],
    which: CostFilter = EVERY_COST,
    offsets: Sequence[Stretch] = UTC_ONLY,
    limit: int | None = None,
) -> Select[Any]:
    """The statement of `read_costs`: keys, the sums of a group and of all groups, and how many groups there are."""
    sums = keyed(by, which, offsets)
    keys = [sums.c[f"key_{number}"] for number in range(len(by))]
    parts = [func.sum(sums.c[name]) if name in COUNTS else total(sums.c[name]) for name in PARTS]
    of_all = [
        (func.sum(part) if name in COUNTS else total(part)).over() for name, part in zip(PARTS, parts, strict=True)
    ]
    query = select(*keys, *parts, *of_all, func.count().over()).group_by(*keys).order_by(*_order(by, keys, parts))
    return query if limit is None else query.limit(limit)


def usage_query(
    by: Sequence[str], which: CostFilter, offsets: Sequence[Stretch] = UTC_ONLY, only: Iterable[CostKey] | None = None
) -> Select[Any]:
    """The statement of `read_usage`: keys, the unit, and the two parts of the sum."""
    sums = keyed([*by, "unit"], which, offsets, padded(COSTS.c.usage_units))
    *keys, unit = (sums.c[f"key_{number}"] for number in range(len(by) + 1))
    query = select(*keys, unit, total(sums.c.micros), total(sums.c.rest)).where(unit.is_not(None)).group_by(*keys, unit)
    if only is None:
        return query
    return query.where(or_(False, *(_is(keys, wanted) for wanted in only)))


async def offsets_of(connection: AsyncConnection, which: CostFilter, zone: ZoneInfo | None) -> tuple[Stretch, ...]:
    """The zone's offsets over all the time that the details are of; those of UTC where there is none."""
    if zone is None:
        return UTC_ONLY
    first, last = [
        (await connection.execute(select(end(COSTS.c.timestamp)))).scalar_one() for end in (func.min, func.max)
    ]  # one by one, so that SQLite looks at the ends of an index and not at every row
    if first is None:
        return UTC_ONLY
    return stretches(zone, max(first, which.since or first), min(last, which.until or last))


def _check(by: Sequence[str]) -> None:
    unknown = [name for name in by if name not in DIMENSIONS]
    if unknown or not by:
        raise ConfigurationError(
            f"costs cannot be told apart by {', '.join(unknown) or 'nothing'}; by: {', '.join(DIMENSIONS)}"
        )


def _is_in_time(by: Sequence[str]) -> bool:
    return any(name in TIMES for name in by)


def _times(by: Sequence[str], key: CostKey) -> list[str]:
    return [value or "" for name, value in zip(by, key, strict=True) if name in TIMES]


def _order(
    by: Sequence[str], keys: Sequence[ColumnElement[Any]], parts: Sequence[ColumnElement[Any]]
) -> list[ColumnElement[Any]]:
    whole, fraction = parts[:2]
    times = [key.desc() for name, key in zip(by, keys, strict=True) if name in TIMES]
    carried = fraction.op("/")(_MILLION)  # of integers, where it is not 0
    dearest = [whole.is_(None), (whole + carried).desc(), (fraction - carried * _MILLION).desc()]
    return [*times, *dearest, *(key.asc() for key in keys)]


def _is(keys: Sequence[ColumnElement[Any]], wanted: CostKey) -> ColumnElement[bool]:
    return and_(*(key.is_(None) if value is None else key == value for key, value in zip(keys, wanted, strict=True)))


def _sum(row: Sequence[Any]) -> CostSum:
    micro_dollars, rests, details, unknown, estimated = row
    return CostSum(
        amount=usd(micro_dollars, rests), details=int(details), unknown=int(unknown), estimated=int(estimated)
    )
