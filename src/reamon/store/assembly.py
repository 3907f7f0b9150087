"""Assembly: whole traces out of four tables, by one query for each, however many traces there are."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model import AgentExecution, CostData, Operation, WorkflowTrace
from reamon.store.conditions import Condition
from reamon.store.listing import gathered
from reamon.store.views import (
    AGENTS,
    COSTS,
    OPERATIONS,
    TRACES,
    agent_execution,
    cost_data,
    operation,
    workflow_trace,
)

Part = TypeVar("Part", AgentExecution, Operation, CostData)

_TRACES_AT_A_TIME = 200
"""How many traces one query names: SQLite versions of old allow 999 values in a statement."""


async def assembled(connection: AsyncConnection, are_meant: Sequence[Condition]) -> list[WorkflowTrace]:
    """The whole traces that meet the conditions, in order of their start."""
    roots = await connection.execute(select(TRACES).where(*are_meant).order_by(*_by_start(TRACES)))
    rows = await gathered(roots, lambda row: row)
    traces: list[WorkflowTrace] = []
    for position in range(0, len(rows), _TRACES_AT_A_TIME):
        part = rows[position : position + _TRACES_AT_A_TIME]
        ids = [row["trace_id"] for row in part]
        agents, operations, costs = await _below(connection, ids)
        traces += [
            workflow_trace(row, agents[row["trace_id"]], operations[row["trace_id"]], costs[row["trace_id"]])
            for row in part
        ]
    return traces


async def _below(
    connection: AsyncConnection, ids: Sequence[str]
) -> tuple[dict[str, list[AgentExecution]], dict[str, list[Operation]], dict[str, list[CostData]]]:
    agents = await connection.execute(_parts(AGENTS, ids).order_by(*_by_start(AGENTS)))
    by_agent = _by_trace(await gathered(agents, lambda row: (row["trace_id"], agent_execution(row))))
    operations = await connection.execute(_parts(OPERATIONS, ids).order_by(*_by_start(OPERATIONS)))
    by_operation = _by_trace(await gathered(operations, lambda row: (row["trace_id"], operation(row))))
    current = _parts(COSTS, ids).where(COSTS.c.superseded_by.is_(None))
    costs = await connection.execute(current.order_by(COSTS.c.timestamp, COSTS.c.span_id, COSTS.c.item))
    by_cost = _by_trace(await gathered(costs, lambda row: (row["trace_id"], cost_data(row))))
    return by_agent, by_operation, by_cost


def _parts(table: Table, ids: Sequence[str]) -> Select[Any]:
    return select(table).where(table.c.trace_id.in_(ids))


def _by_start(table: Table) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """In order of start; the key alone follows it to the second only, where many spans were given one start."""
    return table.c.start_time, table.c.id


def _by_trace(parts: Iterable[tuple[str, Part]]) -> defaultdict[str, list[Part]]:
    grouped: defaultdict[str, list[Part]] = defaultdict(list)
    for trace_id, part in parts:
        grouped[trace_id].append(part)
    return grouped
