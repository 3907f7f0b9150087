"""The first tables: workflow traces, agent executions, operations, cost details.

On PostgreSQL the key of a span joins its integer one, and the two tables that grow fastest are partitioned by time.
"""

from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations

from reamon.store.types import Json, LargeCount, Money, Quantity, RowId, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "agent_executions",
        sa.Column("id", RowId(), autoincrement=False, nullable=False),
        sa.Column("span_id", sa.String(), nullable=False),
        sa.Column("trace_id", sa.String(), nullable=False),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("agent_type", sa.String(), nullable=False),
        sa.Column("agent_name", sa.String(), nullable=False),
        sa.Column("agent_version", sa.String(), nullable=True),
        sa.Column("execution_order", sa.Integer(), nullable=True),
        sa.Column("start_time", UtcDateTime(), nullable=False),
        sa.Column("end_time", UtcDateTime(), nullable=True),
        sa.Column("duration_ms", sa.Float(), nullable=True),
        sa.Column("queue_wait_ms", sa.Float(), nullable=True),
        sa.Column("first_token_ms", sa.Float(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), nullable=True),
        sa.Column("success", sa.Boolean(), nullable=False),
        sa.Column("next_agent", sa.String(), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("cost", Money(), nullable=True),
        sa.Column("error_type", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("decision", Json(), nullable=True),
        sa.Column("usage", Json(), nullable=True),
        sa.Column("attributes", Json(), nullable=True),
        sa.Column("events", Json(), nullable=True),
        sa.Column("links", Json(), nullable=True),
        sa.Column("extra", Json(), nullable=True),
        sa.Column("error_stack", sa.String(), nullable=True),
        sa.Column("input_data", Json(), nullable=True),
        sa.Column("output_data", Json(), nullable=True),
        sa.Column("state_before", Json(), nullable=True),
        sa.Column("state_after", Json(), nullable=True),
        _key(op, "span_id"),
        **_partitioned(op),
    )
    _create_default_partition(op, "agent_executions")
    op.create_index("ix_agent_executions_trace_id", "agent_executions", ["trace_id"], unique=False)
    op.create_table(
        "cost_details",
        sa.Column("span_id", sa.String(), nullable=False),
        sa.Column("cost_type", sa.String(), nullable=False),
        sa.Column("price_version", sa.String(), nullable=False),
        sa.Column("item", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("trace_id", sa.String(), nullable=False),
        sa.Column("agent_id", sa.String(), nullable=True),
        sa.Column("call_id", sa.String(), nullable=True),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("usage_units", Quantity(), nullable=True),
        sa.Column("unit", sa.String(), nullable=True),
        sa.Column("unit_cost", Quantity(), nullable=True),
        sa.Column("cost_amount", Money(), nullable=True),
        sa.Column("price_source", sa.String(), nullable=False),
        sa.Column("effective_date", sa.String(), nullable=True),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("span_id", "cost_type", "price_version", "item"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_cost_details_trace_id", "cost_details", ["trace_id"], unique=False)
    op.create_table(
        "operations",
        sa.Column("id", RowId(), autoincrement=False, nullable=False),
        sa.Column("span_id", sa.String(), nullable=False),
        sa.Column("trace_id", sa.String(), nullable=False),
        sa.Column("parent_id", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=True),
        sa.Column("model", sa.String(), nullable=True),
        sa.Column("start_time", UtcDateTime(), nullable=False),
        sa.Column("end_time", UtcDateTime(), nullable=True),
        sa.Column("duration_ms", sa.Float(), nullable=True),
        sa.Column("queue_wait_ms", sa.Float(), nullable=True),
        sa.Column("first_token_ms", sa.Float(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), nullable=True),
        sa.Column("input_tokens", LargeCount(), nullable=True),
        sa.Column("output_tokens", LargeCount(), nullable=True),
        sa.Column("cached_input_tokens", LargeCount(), nullable=True),
        sa.Column("cost", Money(), nullable=True),
        sa.Column("error_type", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("usage", Json(), nullable=True),
        sa.Column("attributes", Json(), nullable=True),
        sa.Column("events", Json(), nullable=True),
        sa.Column("links", Json(), nullable=True),
        sa.Column("extra", Json(), nullable=True),
        sa.Column("error_stack", sa.String(), nullable=True),
        sa.Column("input_data", Json(), nullable=True),
        sa.Column("output_data", Json(), nullable=True),
        _key(op, "span_id"),
        **_partitioned(op),
    )
    _create_default_partition(op, "operations")
    op.create_index("ix_operations_trace_id", "operations", ["trace_id"], unique=False)
    op.create_table(
        "workflow_traces",
        sa.Column("id", RowId(), autoincrement=False, nullable=False),
        sa.Column("trace_id", sa.String(), nullable=False),
        sa.Column("call_id", sa.String(), nullable=True),
        sa.Column("workflow_name", sa.String(), nullable=False),
        sa.Column("workflow_version", sa.String(), nullable=True),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("status_reason", sa.String(), nullable=True),
        sa.Column("start_time", UtcDateTime(), nullable=False),
        sa.Column("end_time", UtcDateTime(), nullable=True),
        sa.Column("duration_ms", sa.Float(), nullable=True),
        sa.Column("queue_wait_ms", sa.Float(), nullable=True),
        sa.Column("first_token_ms", sa.Float(), nullable=True),
        sa.Column("total_cost", Money(), nullable=True),
        sa.Column("cost_status", sa.String(), nullable=False),
        sa.Column("process_id", sa.String(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("error_type", sa.String(), nullable=True),
        sa.Column("error_message", sa.String(), nullable=True),
        sa.Column("tags", Json(), nullable=True),
        sa.Column("metadata", Json(), nullable=True),
        sa.Column("usage", Json(), nullable=True),
        sa.Column("attributes", Json(), nullable=True),
        sa.Column("events", Json(), nullable=True),
        sa.Column("links", Json(), nullable=True),
        sa.Column("extra", Json(), nullable=True),
        sa.Column("error_stack", sa.String(), nullable=True),
        sa.Column("input_data", Json(), nullable=True),
        sa.Column("output_data", Json(), nullable=True),
        _key(op, "trace_id"),
    )
    op.create_index("ix_workflow_traces_call_id", "workflow_traces", ["call_id"], unique=False)
    op.create_index(
        "ix_workflow_traces_running",
        "workflow_traces",
        ["process_id"],
        unique=False,
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )


def downgrade(op: Operations) -> None:
    """Drop the tables, with all that was recorded."""
    for table in ("workflow_traces", "operations", "cost_details", "agent_executions"):
        op.drop_table(table)


def _is_postgres(op: Operations) -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _key(op: Operations, name: str) -> sa.PrimaryKeyConstraint:
    return sa.PrimaryKeyConstraint("id", name) if _is_postgres(op) else sa.PrimaryKeyConstraint("id")


def _partitioned(op: Operations) -> dict[str, Any]:
    return {"postgresql_partition_by": "RANGE (id)"} if _is_postgres(op) else {}


def _create_default_partition(op: Operations, table: str) -> None:
    """Make the partition of what belongs to no other; writers make those of the weeks."""
    if _is_postgres(op):
        op.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
