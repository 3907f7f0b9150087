"""The history of repricings: when the past was priced anew, and what that made of it."""

from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.store.tables import metadata

_REPRICINGS: Final = metadata.tables["repricings"]


class RepricingEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One repricing (`repricings`).

    Attributes:
        repricing_id: Its id, which `cost_details.superseded_by` refers to.
        timestamp: When it began.
        price_version: The edition of the prices.
        project: The project that was priced anew; None for all.
        since: From when on; None from the beginning.
        until: Until when, not included; None to the end.
        details: How many cost details came to count.
        total_before: What those came to that they took the place of, in USD.
        total_after: What they come to.
    """

    repricing_id: str
    timestamp: datetime
    price_version: str
    project: str | None
    since: datetime | None
    until: datetime | None
    details: int
    total_before: Decimal | None
    total_after: Decimal | None


async def read_repricings(connection: AsyncConnection, project: str | None = None) -> list[RepricingEntry]:
    """All repricings, the newest first.

    Args:
        connection: To the store.
        project: Those that this project's costs were priced by; all of them unless given.
    """
    columns = _REPRICINGS.c
    query = select(_REPRICINGS).order_by(columns.timestamp.desc(), columns.repricing_id.desc())
    if project is not None:
        query = query.where(or_(columns.project == project, columns.project.is_(None)))
    rows = await connection.execute(query)
    return [RepricingEntry(**{name: row[name] for name in RepricingEntry.__struct_fields__}) for row in rows.mappings()]
