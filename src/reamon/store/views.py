"""Rows as the views of `reamon.model`: what readers get to see of a trace."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from reamon.model import AgentExecution, CostData, Operation, Usage, WorkflowTrace
from reamon.store.tables import metadata

TRACES = metadata.tables["workflow_traces"]
AGENTS = metadata.tables["agent_executions"]
OPERATIONS = metadata.tables["operations"]
COSTS = metadata.tables["cost_details"]

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
    """The view of a row of `cost_details`."""
    return CostData(
        cost_type=row["cost_type"],
        amount=row["cost_amount"],
        provider=row["provider"],
        model=row["model"],
        usage_units=row["usage_units"],
        unit=row["unit"],
        unit_cost=row["unit_cost"],
        price_source=row["price_source"],
        price_version=row["price_version"],
        effective_date=row["effective_date"],
    )


def _usage(entries: Any) -> tuple[Usage, ...]:
    return msgspec.convert(entries or (), tuple[Usage, ...])
