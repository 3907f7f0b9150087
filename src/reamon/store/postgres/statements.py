"""Statements: what turns staged rows into rows of the store, with totals that PostgreSQL adds up itself.

All are prepared once in a connection, and every one takes its rows in the order of their keys, so that two processes
that deliver the same spans never wait for each other.
"""

from typing import Final

from reamon.store.postgres.staging import Staging
from reamon.store.rows import AGENT_COLUMNS, COST_COLUMNS, OPERATION_COLUMNS, WORKFLOW_COLUMNS

OPERATIONS: Final = Staging("operations", OPERATION_COLUMNS)
AGENTS: Final = Staging("agent_executions", AGENT_COLUMNS)
WORKFLOWS: Final = Staging("workflow_traces", WORKFLOW_COLUMNS)
COSTS: Final = Staging("cost_details", COST_COLUMNS)

STAGINGS: Final = (OPERATIONS, AGENTS, WORKFLOWS, COSTS)

_DETAIL_KEY: Final = ("span_id", "cost_type", "price_version", "item")
_OF_THE_TRACE: Final = (
    "SELECT sum(cost_amount) AS total,"
    " CASE WHEN count(cost_amount) = 0 THEN 'unknown' WHEN count(cost_amount) = count(*) THEN 'complete'"
    " ELSE 'partial' END AS status FROM cost_details d WHERE d.superseded_by IS NULL AND d.trace_id ="
)


def _insert(staging: Staging, values: str, more: str, key: tuple[str, ...], action: str) -> str:
    order = ", ".join(f"s.{column}" for column in key)
    return (
        f"INSERT INTO {staging.table} ({', '.join(staging.columns)})"
        f" SELECT {values} FROM {staging.name} s{more} ORDER BY {order}"
        f" ON CONFLICT ({', '.join(key)}) DO {action}"
    )


def _update(staging: Staging, *, without: tuple[str, ...]) -> str:
    changed = [column for column in staging.columns if column not in without]
    return "UPDATE SET " + ", ".join(f"{column} = excluded.{column}" for column in changed)


def _instead(staging: Staging, **expressions: str) -> str:
    """The staged values, but these expressions in the place of what the rows have."""
    kinds = zip(staging.columns, staging.types, strict=True)
    return ", ".join(expressions.get(name, f"s.{name}::{kind}") for name, kind in kinds)


INSERT_OPERATIONS: Final = _insert(OPERATIONS, OPERATIONS.values, "", ("id", "span_id"), "NOTHING")

UPSERT_COSTS: Final = _insert(COSTS, COSTS.values, "", _DETAIL_KEY, _update(COSTS, without=_DETAIL_KEY))
"""What a repricing has superseded stays so: that column is not among those that are written."""

LOCK_TOTALS: Final = "SELECT pg_advisory_xact_lock(number) FROM unnest(%s::bigint[]) AS number"
"""From here on nobody else adds up these traces. Who comes later sees what we have written, since every statement sees
what was committed before it began."""

INSERT_AGENTS: Final = _insert(
    AGENTS,
    _instead(
        AGENTS,
        cost=(
            "(SELECT sum(cost_amount) FROM cost_details d WHERE d.superseded_by IS NULL"
            " AND d.trace_id = s.trace_id AND d.agent_id = s.span_id)"
        ),
    ),
    "",
    ("id", "span_id"),
    "NOTHING",
)

INSERT_STARTS: Final = _insert(WORKFLOWS, WORKFLOWS.values, "", ("id", "trace_id"), "NOTHING")

UPSERT_FINISHES: Final = (
    _insert(
        WORKFLOWS,
        _instead(WORKFLOWS, total_cost="c.total", cost_status="c.status"),
        f" CROSS JOIN LATERAL ({_OF_THE_TRACE} s.trace_id) c",
        ("id", "trace_id"),
        _update(WORKFLOWS, without=("id", "trace_id")),
    )
    .replace(
        "total_cost = excluded.total_cost",
        "total_cost = CASE WHEN w.costs_pruned THEN w.total_cost ELSE excluded.total_cost END",
    )
    .replace(
        "cost_status = excluded.cost_status",
        "cost_status = CASE WHEN w.costs_pruned THEN w.cost_status ELSE excluded.cost_status END",
    )
    .replace("INTO workflow_traces", "INTO workflow_traces AS w")
    + " WHERE w.status IN ('running', 'interrupted')"
)

UPDATE_AGENTS: Final = (
    "UPDATE agent_executions a SET cost = c.total"
    " FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS k (id, span_id, trace_id)"
    " CROSS JOIN LATERAL (SELECT sum(cost_amount) AS total FROM cost_details d WHERE d.superseded_by IS NULL"
    " AND d.trace_id = k.trace_id AND d.agent_id = k.span_id) c"
    " WHERE a.id = k.id AND a.span_id = k.span_id AND a.cost IS DISTINCT FROM c.total"
)

UPDATE_TRACES: Final = (
    "UPDATE workflow_traces w SET total_cost = c.total, cost_status = c.status"
    " FROM unnest(%s::bigint[], %s::text[]) AS k (id, trace_id)"
    f" CROSS JOIN LATERAL ({_OF_THE_TRACE} k.trace_id) c"
    " WHERE w.id = k.id AND w.trace_id = k.trace_id AND NOT w.costs_pruned"
    " AND (w.total_cost, w.cost_status) IS DISTINCT FROM (c.total, c.status)"
)
