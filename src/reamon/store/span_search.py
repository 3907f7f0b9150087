"""The search for what ran in traces: agent executions and operations, by what they say and by what their trace says."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Table, literal, select
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
from reamon.store.filters import ExecutionFilter, OperationFilter
from reamon.store.listing import Search
from reamon.store.trace_search import MANY, sizes_of, ways_to_traces
from reamon.store.views import TRACES

Wanted: TypeAlias = Mapping[str, str | None]
"""Columns of `workflow_traces` and the values that they are to have; None for any."""


async def search_below(
    connection: AsyncConnection,
    table: Table,
    which: ExecutionFilter | OperationFilter,
    indexed: Mapping[str, str | None],
    dialect: str,
) -> Search:
    """How the database is asked for spans below traces.

    Args:
        connection: To the store.
        table: Where they are.
        which: Which are meant.
        indexed: Columns of the table with an index of their own, and the values that they are to have.
        dialect: The database's.
    """
    wanted = {"call_id": which.call_id, "workflow_name": which.workflow, "project": which.project}
    if which.trace_id is not None:
        conditions = [table.c.trace_id == which.trace_id, *ran_in(table, wanted, which.tag, dialect)]
        is_led = True
    else:
        conditions, is_led = await led_by_traces(connection, table, wanted, which.tag, dialect)

    def column_of(name: str) -> ColumnElement[Any]:
        """The column; where the traces lead, without its index."""
        return unindexed(table.c[name], dialect) if is_led else table.c[name]

    conditions += [
        *(condition for name, value in indexed.items() for condition in equals(column_of(name), value)),
        *is_one_of(table.c.status, which.status),
        *in_seconds(column_of("id"), which.since, which.until),
        *in_time(table.c.start_time, which.since, which.until),
        *amount_between(table.c.cost, which.min_cost, which.max_cost, dialect),
        *is_between(table.c.duration_ms, which.min_duration_ms, which.max_duration_ms),
        *says((table.c.error_message, table.c.error_type, table.c.status_reason), which.error, dialect),
        *equals(table.c.error_type, which.error_type),
    ]
    keys = (column_of("id"),) if dialect == SQLITE else (table.c.id, table.c.span_id)
    return Search(conditions, keys, sorts=is_led)


async def led_by_traces(
    connection: AsyncConnection, table: Table, wanted: Wanted, tag: str | None, dialect: str
) -> tuple[list[Condition], bool]:
    """The conditions that a row's trace is one of those wanted, and whether they lead to the rows.

    On SQLite they do where a call is wanted, or where few traces are; otherwise whoever looks along the rows soon meets
    those that are wanted, and looks their traces up.
    """
    ways = ways_to_traces(wanted, dialect)
    if dialect != SQLITE or not ways:
        return ran_in(table, wanted, tag, dialect), False
    sizes = await sizes_of(connection, ways)
    leading = min(sizes, key=sizes.__getitem__)
    if sizes[leading] >= MANY:
        return ran_in(table, wanted, tag, dialect), False
    meant = [way.condition if name == leading else way.aside for name, way in ways.items()]
    traces = select(TRACES.c.trace_id).where(*meant, *has_tag(TRACES.c.tags, tag, dialect))
    return [table.c.trace_id.in_(traces)], True


def ran_in(table: Table, wanted: Wanted, tag: str | None, dialect: str) -> list[Condition]:
    """The condition that a row's trace is one of those wanted; nothing where any is."""
    ways = ways_to_traces(wanted, dialect)
    tagged = has_tag(TRACES.c.tags, tag, dialect)
    if not ways and not tagged:
        return []
    if dialect != SQLITE:
        meant = [way.condition for way in ways.values()]
        return [table.c.trace_id.in_(select(TRACES.c.trace_id).where(*meant, *tagged))]
    is_it = select(literal(1)).where(
        TRACES.c.trace_id == table.c.trace_id, *(way.aside for way in ways.values()), *tagged
    )
    return [is_it.correlate(table).exists()]
