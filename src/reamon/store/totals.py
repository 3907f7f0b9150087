"""Totals: what the rows of traces, agents and operations say that these cost, brought up to date with the details."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Column, Table, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model.cost import summed
from reamon.store.views import AGENTS, COSTS, OPERATIONS, TRACES

Known = defaultdict[str, list[Decimal | None]]
"""The amounts by whose they are; None for an unknown one."""


async def refresh_totals(connection: AsyncConnection, trace_ids: Sequence[str]) -> None:
    """Add up the cost details of these traces and write the sums into their rows, in the caller's transaction.

    A trace's total is what all its details come to, an agent's cost that of the operations that it is the nearest agent
    of and its own, an operation's cost its own.
    """
    of_traces, of_agents, of_spans = await _amounts(connection, trace_ids)
    await _write(connection, OPERATIONS, OPERATIONS.c.span_id, trace_ids, of_spans)
    await _write(connection, AGENTS, AGENTS.c.span_id, trace_ids, of_agents)
    rows = await connection.execute(
        select(TRACES.c.id, TRACES.c.trace_id, TRACES.c.total_cost, TRACES.c.cost_status).where(
            TRACES.c.trace_id.in_(trace_ids), TRACES.c.costs_pruned.is_(False)
        )
    )
    changes = []
    for row in rows.all():
        total, status = _worth(of_traces[row.trace_id])
        if (total, status) != (row.total_cost, row.cost_status):
            changes.append({"key_id": row.id, "key": row.trace_id, "total_cost": total, "cost_status": status})
    if changes:
        is_it = (TRACES.c.id == bindparam("key_id"), TRACES.c.trace_id == bindparam("key"))
        await connection.execute(update(TRACES).where(*is_it), changes)


async def _amounts(connection: AsyncConnection, trace_ids: Sequence[str]) -> tuple[Known, Known, Known]:
    """The amounts that count: by trace, by agent, and by the span that was billed."""
    of_traces, of_agents, of_spans = Known(list), Known(list), Known(list)
    query = select(COSTS.c.trace_id, COSTS.c.agent_id, COSTS.c.span_id, COSTS.c.cost_amount).where(
        COSTS.c.trace_id.in_(trace_ids), COSTS.c.superseded_by.is_(None)
    )
    for trace_id, agent_id, span_id, amount in await connection.execute(query):
        of_traces[trace_id].append(amount)
        of_spans[span_id].append(amount)
        if agent_id is not None:
            of_agents[agent_id].append(amount)
    return of_traces, of_agents, of_spans


async def _write(
    connection: AsyncConnection, table: Table, key: Column[Any], trace_ids: Sequence[str], amounts: Known
) -> None:
    rows = await connection.execute(select(table.c.id, key, table.c.cost).where(table.c.trace_id.in_(trace_ids)))
    changes = [
        {"key_id": row_id, "key": span_id, "cost": total}
        for row_id, span_id, cost in rows.all()
        if (total := _worth(amounts[span_id])[0]) != cost
    ]
    if changes:
        is_it = (table.c.id == bindparam("key_id"), key == bindparam("key"))
        await connection.execute(update(table).where(*is_it), changes)


def _worth(amounts: Sequence[Decimal | None]) -> tuple[Decimal | None, str]:
    """What amounts come to, and what that is worth."""
    known = [amount for amount in amounts if amount is not None]
    if not known:
        return None, "unknown"
    return summed(known), "complete" if len(known) == len(amounts) else "partial"
