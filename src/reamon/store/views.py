"""Rows as the views of `reamon.model`: what readers get to see of a trace."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from reamon.model import (
    AgentExecution,
    Alert,
    CostData,
    CostDetail,
    Operation,
    PerformanceMetrics,
    Usage,
    WorkflowTrace,
)
from reamon.store.tables import metadata

TRACES = metadata.tables["workflow_traces"]
AGENTS = metadata.tables["agent_executions"]
OPERATIONS = metadata.tables["operations"]
COSTS = metadata.tables["cost_details"]
METRICS = metadata.tables["performance_metrics"]
ALERTS = metadata.tables["alert_history"]

_LARGE = {"input_data", "output_data", "usage", "attributes", "events", "links", "extra", "error_stack", "costs_pruned"}

LISTED = [column for column in TRACES.columns if column.name not in _LARGE]
"""The columns of `workflow_traces` that a listing reads: without the large ones, which SQLite keeps on pages apart."""


def workflow_trace(
    row: RowMapping,
    agents: Sequence[AgentExecution] = (),
    operations: Sequence[Operation] = (),
    costs: Sequence[CostData] = (),
) -> WorkflowTrace:
    """The view of a row of `workflow_traces` and of what lies below it."""
    return WorkflowTrace(
        trace_id=row["trace_id"],
        call_id=row["call_id"],
        workflow_name=row["workflow_name"],
        workflow_version=row["workflow_version"],
        project=row["project"],
        kind=row["kind"],
        status=row["status"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        duration_ms=row["duration_ms"],
        queue_wait_ms=row["queue_wait_ms"],
        first_token_ms=row["first_token_ms"],
        total_cost=row["total_cost"],
        cost_status=row["cost_status"],
        process_id=row["process_id"],
        status_reason=row["status_reason"],
        error_type=row["error_type"],
        error_message=row["error_message"],
        error_stack=row.get("error_stack"),
        tags=tuple(row["tags"] or ()),
        metadata=row["metadata"],
        outcome=row["outcome"],
        input=row.get("input_data"),
        output=row.get("output_data"),
        usage=_usage(row.get("usage")),
        attributes=row.get("attributes") or {},
        agents=tuple(agents),
        operations=tuple(operations),
        costs=tuple(costs),
    )


def agent_execution(row: RowMapping) -> AgentExecution:
    """The view of a row of `agent_executions`."""
    return AgentExecution(
        span_id=row["span_id"],
        trace_id=row["trace_id"],
        parent_id=row["parent_id"],
        agent_type=row["agent_type"],
        agent_name=row["agent_name"],
        execution_order=row["execution_order"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        duration_ms=row["duration_ms"],
        queue_wait_ms=row["queue_wait_ms"],
        first_token_ms=row["first_token_ms"],
        status=row["status"],
        success=row["success"],
        input=row["input_data"],
        output=row["output_data"],
        state_before=row["state_before"],
        state_after=row["state_after"],
        decision=row["decision"],
        next_agent=row["next_agent"],
        confidence=row["confidence"],
        cost=row["cost"],
        usage=_usage(row["usage"]),
        status_reason=row["status_reason"],
        error_type=row["error_type"],
        error_message=row["error_message"],
        error_stack=row["error_stack"],
        attributes=row["attributes"] or {},
    )


def operation(row: RowMapping) -> Operation:
    """The view of a row of `operations`."""
    return Operation(
        span_id=row["span_id"],
        trace_id=row["trace_id"],
        parent_id=row["parent_id"],
        kind=row["kind"],
        name=row["name"],
        provider=row["provider"],
        model=row["model"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        duration_ms=row["duration_ms"],
        queue_wait_ms=row["queue_wait_ms"],
        first_token_ms=row["first_token_ms"],
        status=row["status"],
        input_tokens=row["input_tokens"],
        output_tokens=row["output_tokens"],
        cached_input_tokens=row["cached_input_tokens"],
        input=row["input_data"],
        output=row["output_data"],
        cost=row["cost"],
        usage=_usage(row["usage"]),
        status_reason=row["status_reason"],
        error_type=row["error_type"],
        error_message=row["error_message"],
        error_stack=row["error_stack"],
        attributes=row["attributes"] or {},
    )


def cost_data(row: RowMapping) -> CostData:
    """The view of a row of `cost_details` within its trace."""
    return CostData(**_of_cost(row))


def cost_detail(row: RowMapping) -> CostDetail:
    """The view of a row of `cost_details` by itself."""
    return CostDetail(
        **_of_cost(row),
        span_id=row["span_id"],
        trace_id=row["trace_id"],
        item=row["item"],
        agent_id=row["agent_id"],
        call_id=row["call_id"],
        project=row["project"],
        timestamp=row["timestamp"],
        superseded_by=row["superseded_by"],
    )


def _of_cost(row: RowMapping) -> dict[str, Any]:
    return {
        "cost_type": row["cost_type"],
        "amount": row["cost_amount"],
        "provider": row["provider"],
        "model": row["model"],
        "usage_units": row["usage_units"],
        "unit": row["unit"],
        "unit_cost": row["unit_cost"],
        "price_source": row["price_source"],
        "price_version": row["price_version"],
        "effective_date": row["effective_date"],
        "estimated": row["estimated"],
    }


def performance_metrics(row: RowMapping) -> PerformanceMetrics:
    """The view of a row of `performance_metrics`."""
    return PerformanceMetrics(
        metric_type=row["metric_type"],
        labels=row["labels"],
        window=row["window"],
        timestamp=row["timestamp"],
        project=row["project"] or None,
        count=row["count"],
        errors=row["errors"],
        sum=row["sum"],
        sketch=row["sketch"],
    )


def alert(row: RowMapping) -> Alert:
    """The view of a row of `alert_history`."""
    return Alert(**{name: row[name] for name in Alert.__struct_fields__})


def _usage(entries: Any) -> tuple[Usage, ...]:
    return msgspec.convert(entries or (), tuple[Usage, ...])
