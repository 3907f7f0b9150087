"""The cost report: what was spent, told apart by whatever is asked for, exact to the last digit."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Context, Decimal
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.store.cost_filter import EVERY_COST, CostFilter
from reamon.store.cost_queries import CostKey, CostSum, read_costs, read_usage
from reamon.store.local_times import zone_of
from reamon.store.projects import narrowed

if TYPE_CHECKING:
    from reamon.store import Store

_SHARES: Final = Context(prec=50)
_SHARE_PLACES: Final = Decimal("0.000001")
_FEW: Final = 200
"""Up to so many groups, only their own usage is read."""


class CostRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one group cost.

    Attributes:
        key: What tells it apart, by dimension; None where that is not known ("agent" of what no agent did).
        amount: USD, exact; None where no price is known.
        share: Its part of the report's total, 0 to 1, to six places; None where one of the two is not known.
        status: What `amount` is worth: "complete", "partial" or "unknown".
        details: How many cost details it sums up.
        unknown: How many of them have no known price.
        estimated: How many of them rest on usage that was guessed.
        usage: What was billed, by unit ("input_tokens", "characters", "minutes").
    """

    key: dict[str, str | None]
    amount: Decimal | None
    share: Decimal | None
    status: str
    details: int
    unknown: int
    estimated: int
    usage: dict[str, Decimal]


class CostReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was spent.

    Attributes:
        by: What the rows are told apart by.
        project: The project that was asked for; None means all.
        call_id: The call that was asked for; None means all.
        since: From when on; None from the beginning.
        until: Until when, not included; None to the end.
        zone: The time zone of days and hours.
        rows: Dearest first, or in order of time where a day or hour tells them apart.
        groups: How many rows there are without the limit.
        amount: The sum of all rows, those beyond the limit included; None where nothing is known.
        status: What `amount` is worth.
        details: How many cost details that are.
        unknown: How many of them have no known price.
        estimated: How many of them rest on usage that was guessed.
    """

    by: tuple[str, ...]
    project: str | None
    call_id: str | None
    since: datetime | None
    until: datetime | None
    zone: str
    rows: tuple[CostRow, ...]
    groups: int
    amount: Decimal | None
    status: str
    details: int
    unknown: int
    estimated: int


async def cost_report(
    store: "Store",
    by: str | Sequence[str] = "agent",
    which: CostFilter = EVERY_COST,
    *,
    zone: str = "UTC",
    limit: int | None = None,
) -> CostReport:
    """Add up what was spent.

    Args:
        store: An open store; all is read as of one moment of it.
        by: What is told apart: "call", "trace", "agent", "workflow", "version", "outcome" (of the call), "provider",
            "model", "type", "project", "day", "hour"; or several of these.
        which: The costs that count.
        zone: The time zone whose days and hours are meant, by its IANA name.
        limit: At most so many rows: the dearest, or the latest.

    Raises:
        ConfigurationError: There is no such dimension or time zone.
        StoreError: It is about another project than the one that is seen, or the store cannot be read.

    Example:
        ```python
        async with Store.open("calls.db") as store:
            report = await cost_report(store, by=("day", "model"), which=CostFilter(since=monday))
        for row in report.rows:
            print(row.key["day"], row.key["model"], row.amount)
        ```
    """
    seen = msgspec.structs.replace(which, project=narrowed(store.project, which.project))
    async with store.moment() as connection:
        return await read_report(connection, by, seen, zone=zone, limit=limit)


async def read_report(
    connection: AsyncConnection,
    by: str | Sequence[str],
    which: CostFilter = EVERY_COST,
    *,
    zone: str = "UTC",
    limit: int | None = None,
) -> CostReport:
    """`cost_report`, over a connection; it sees every project."""
    by = (by,) if isinstance(by, str) else tuple(by)
    place = zone_of(zone)
    found = await read_costs(connection, by, which, zone=place, limit=limit)
    shown = [key for key, _ in found.groups]
    usage = await read_usage(connection, by, which, zone=place, keys=shown if len(shown) <= _FEW else None)
    return CostReport(
        by=by,
        project=which.project,
        call_id=which.call_id,
        since=which.since,
        until=which.until,
        zone=zone,
        rows=tuple(_row(by, key, each, found.total.amount, usage.get(key, {})) for key, each in found.groups),
        groups=found.number,
        amount=found.total.amount,
        status=found.total.status,
        details=found.total.details,
        unknown=found.total.unknown,
        estimated=found.total.estimated,
    )


def share_of(part: Decimal | None, whole: Decimal | None) -> Decimal | None:
    """A part of a whole, 0 to 1, to six places; None where there is nothing to divide.

    Example:
        >>> share_of(Decimal(1), Decimal(3)), share_of(Decimal(1), Decimal(0))
        (Decimal('0.333333'), None)
    """
    if part is None or not whole:
        return None
    return _SHARES.quantize(_SHARES.divide(part, whole), _SHARE_PLACES)


def _row(by: Sequence[str], key: CostKey, each: CostSum, whole: Decimal | None, usage: dict[str, Decimal]) -> CostRow:
    return CostRow(
        key=dict(zip(by, key, strict=True)),
        amount=each.amount,
        share=share_of(each.amount, whole),
        status=each.status,
        details=each.details,
        unknown=each.unknown,
        estimated=each.estimated,
        usage=usage,
    )
