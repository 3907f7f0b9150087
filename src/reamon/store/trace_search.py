"""The search for traces: which index leads to them.

SQLite keeps no statistics of a file unless somebody runs ANALYZE on it. Told of a call and a project, it may well walk
through the whole project to find the call. So it is told: where several indexes could lead to what is meant, the one
with the fewest entries for it is left to choose, and how many they are is looked up, up to a bound beyond which it does
not matter. PostgreSQL has statistics, and chooses by itself.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, ColumnElement, Table, and_, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.store.conditions import (
    SQLITE,
    Condition,
    amount_between,
    equals,
    has_tag,
    in_seconds,
    in_time,
    is_between,
    is_one_of,
    says,
    unindexed,
)
from reamon.store.filters import TraceFilter
from reamon.store.listing import Search
from reamon.store.tables import UNUSUAL
from reamon.store.views import AGENTS, TRACES

MANY: Final = 1000
"""So many entries of an index are few enough to look at all of them, and whoever has more is common enough to be met
soon by who walks along the others."""

_USUAL: Final = "completed"


class Way(NamedTuple):
    """An index that leads to what is meant.

    Attributes:
        condition: What the rows have to meet, so that the index is used.
        aside: The same, so that it is not.
        entries: The statement that finds its entries.
    """

    condition: Condition
    aside: Condition
    entries: Any


async def search_traces(connection: AsyncConnection, which: TraceFilter, dialect: str) -> Search:
    """How the database is asked for the traces that are meant."""
    ways = _ways(which, dialect)
    leading = await rarest(connection, ways, in_seconds(TRACES.c.id, which.since, which.until), dialect)
    by_agent = leading == "agent" and dialect == SQLITE
    key: ColumnElement[Any] = unindexed(TRACES.c.id, dialect) if by_agent else TRACES.c.id
    conditions = [
        *(way.condition if name == leading or dialect != SQLITE else way.aside for name, way in ways.items()),
        *_plain(which, key, dialect),
    ]
    keys = (key,) if dialect == SQLITE else (TRACES.c.id, TRACES.c.trace_id)
    return Search(conditions, keys, sorts=by_agent)


def _plain(which: TraceFilter, key: ColumnElement[Any], dialect: str) -> list[Condition]:
    """What no index leads to, and the time, to which every one does."""
    columns = TRACES.c
    return [
        *in_seconds(key, which.since, which.until),
        *in_time(columns.start_time, which.since, which.until),
        *amount_between(columns.total_cost, which.min_cost, which.max_cost, dialect),
        *is_between(columns.duration_ms, which.min_duration_ms, which.max_duration_ms),
        *has_tag(columns.tags, which.tag, dialect),
        *says((columns.error_message, columns.error_type, columns.status_reason), which.error, dialect),
        *equals(columns.error_type, which.error_type),
        *equals(columns.outcome, which.outcome),
        *([] if _is_unusual(which) else is_one_of(columns.status, which.status)),
    ]


def _is_unusual(which: TraceFilter) -> bool:
    return which.status is not None and _USUAL not in which.status


def _ways(which: TraceFilter, dialect: str) -> dict[str, Way]:
    """The indexes that lead to what is meant; the first is taken where several have many entries."""
    ways = ways_to_traces({"call_id": which.call_id}, dialect)
    if _is_unusual(which):
        (meant,) = is_one_of(TRACES.c.status, which.status)
        (aside,) = is_one_of(unindexed(TRACES.c.status, dialect), which.status)
        condition = and_(meant, text(UNUSUAL))
        ways["status"] = Way(condition, aside, select(literal(1)).select_from(TRACES).where(condition))
    ways |= ways_to_traces({"workflow_name": which.workflow, "project": which.project}, dialect)
    if which.agent is not None:
        is_it = AGENTS.c.agent_type == which.agent
        ran_in = select(literal(1)).where(AGENTS.c.trace_id == TRACES.c.trace_id, is_it).correlate(TRACES)
        ways["agent"] = Way(
            TRACES.c.trace_id.in_(select(AGENTS.c.trace_id).where(is_it)),
            ran_in.exists(),
            select(literal(1)).select_from(AGENTS).where(is_it),
        )
    return ways


def ways_to_traces(wanted: Mapping[str, str | None], dialect: str) -> dict[str, Way]:
    """The indexes over columns of `workflow_traces` that are to have these values."""
    return {name: way_by(TRACES, TRACES.c[name], value, dialect) for name, value in wanted.items() if value is not None}


def way_by(table: Table, column: Column[Any], value: str, dialect: str) -> Way:
    """The index over a column that is to have this value."""
    condition = column == value
    return Way(condition, unindexed(column, dialect) == value, select(literal(1)).select_from(table).where(condition))


async def rarest(
    connection: AsyncConnection, ways: Mapping[str, Way], in_range: Sequence[Condition], dialect: str
) -> str | None:
    """The way with the fewest entries; None where the database is to choose.

    What only an index of another table leads to is looked for otherwise if that has many entries.
    """
    if dialect != SQLITE or not ways:
        return None
    if len(ways) == 1 and "agent" not in ways:
        return next(iter(ways))
    sizes = await sizes_of(connection, ways, in_range)
    own = [name for name in sizes if name != "agent"]
    best = min(own, key=sizes.__getitem__, default=None)
    if "agent" in sizes and sizes["agent"] < (MANY if best is None else sizes[best]):
        return "agent"
    return best


async def sizes_of(
    connection: AsyncConnection, ways: Mapping[str, Way], in_range: Sequence[Condition] = ()
) -> dict[str, int]:
    """How many entries each way has, up to `MANY`; a call has few in any case.

    Args:
        connection: To the store.
        ways: The ways.
        in_range: The conditions that a trace is of the time that is asked about.
    """
    if "call_id" in ways:
        return {name: 0 if name == "call_id" else MANY for name in ways}
    counts = [
        select(func.count())
        .select_from((way.entries if name == "agent" else way.entries.where(*in_range)).limit(MANY).subquery())
        .scalar_subquery()
        for name, way in ways.items()
    ]
    return dict(zip(ways, (await connection.execute(select(*counts))).one(), strict=True))
