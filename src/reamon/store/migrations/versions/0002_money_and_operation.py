"""Money and operation: repricings, budgets, metrics, alerts, erasures, and the indexes that filters walk along."""

from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic.operations import BatchOperations, Operations

from reamon.store.types import Json, Labels, Money, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_SUPERSEDED_BY = "fk_cost_details_superseded_by"


def upgrade(op: Operations) -> None:
    """Add what is new; of what was recorded, cost details learn their project."""
    _create_tables(op)
    _create_trace_indexes(op)
    op.add_column("workflow_traces", sa.Column("costs_pruned", sa.Boolean(), nullable=False, server_default=sa.false()))
    _widen_cost_details(op)
    if _is_postgres(op):
        _create_processes(op)


def downgrade(op: Operations) -> None:
    """Drop what is new, superseded cost details included: the older version would count them."""
    if _is_postgres(op):
        op.drop_table("processes")
    op.execute("DELETE FROM cost_details WHERE superseded_by IS NOT NULL")
    op.drop_index("ix_cost_details_timestamp", "cost_details")
    with _changing_cost_details(op) as details:
        details.drop_constraint(_SUPERSEDED_BY, type_="foreignkey")
        for column in ("superseded_by", "estimated", "project"):
            details.drop_column(column)
    op.drop_index("ix_operations_model", "operations")
    op.drop_index("ix_agent_executions_agent_type", "agent_executions")
    op.drop_index("ix_agent_executions_trace_id", "agent_executions")
    op.create_index("ix_agent_executions_trace_id", "agent_executions", ["trace_id"])
    for name in ("unusual", "workflow_name", "project", "trace_id"):
        op.drop_index(f"ix_workflow_traces_{name}", "workflow_traces")
    op.drop_column("workflow_traces", "costs_pruned")
    for table in (
        "erasures",
        "budget_writers",
        "budget_reservations",
        "budget_periods",
        "alert_history",
        "performance_metrics",
        "repricings",
    ):
        op.drop_table(table)


def _create_tables(op: Operations) -> None:
    op.create_table(
        "repricings",
        sa.Column("repricing_id", sa.String(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("price_version", sa.String(), nullable=False),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("since", UtcDateTime(), nullable=True),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.Column("details", sa.Integer(), nullable=False),
        sa.Column("total_before", Money(), nullable=True),
        sa.Column("total_after", Money(), nullable=True),
        sa.PrimaryKeyConstraint("repricing_id"),
    )
    op.create_table(
        "performance_metrics",
        sa.Column("metric_type", sa.String(), nullable=False),
        sa.Column("labels", Labels(), nullable=False),
        sa.Column("window", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("project", sa.String(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("sum", sa.Float(), nullable=False),
        sa.Column("sketch", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("metric_type", "labels", "window", "timestamp", "project"),
    )
    op.create_index("ix_performance_metrics_timestamp", "performance_metrics", ["timestamp"])
    op.create_table(
        "alert_history",
        sa.Column("alert_id", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("labels", Labels(), nullable=False),
        sa.Column("project", sa.String(), nullable=True),
        sa.Column("severity", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("triggered_at", UtcDateTime(), nullable=False),
        sa.Column("resolved_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("metadata", Json(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id"),
    )
    op.create_index("ix_alert_history_triggered_at", "alert_history", ["triggered_at"])
    op.create_index(
        "ix_alert_history_open",
        "alert_history",
        ["rule"],
        sqlite_where=sa.text("resolved_at IS NULL"),
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "budget_periods",
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("period_start", UtcDateTime(), nullable=False),
        sa.Column("spent", Money(), nullable=False),
        sa.Column("stated", Money(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.Column("crossed", Json(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("budget", "scope", "period_start"),
    )
    op.create_index("ix_budget_periods_updated_at", "budget_periods", ["updated_at"])
    op.create_table(
        "budget_reservations",
        sa.Column("reservation_id", sa.String(), nullable=False),
        sa.Column("budget", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("period_start", UtcDateTime(), nullable=False),
        sa.Column("amount", Money(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("reservation_id", "budget", "scope"),
        sa.ForeignKeyConstraint(
            ["budget", "scope", "period_start"],
            ["budget_periods.budget", "budget_periods.scope", "budget_periods.period_start"],
            name="fk_budget_reservations_period",
        ),
    )
    op.create_index("ix_budget_reservations_period", "budget_reservations", ["budget", "scope", "period_start"])
    op.create_table(
        "budget_writers",
        sa.Column("writer", sa.String(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("writer"),
    )
    op.create_table(
        "erasures",
        sa.Column("erasure_id", sa.String(), nullable=False),
        sa.Column("timestamp", UtcDateTime(), nullable=False),
        sa.Column("subject_kind", sa.String(), nullable=False),
        sa.Column("subject_digest", sa.String(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=True),
        sa.Column("receipt", Json(), nullable=True),
        sa.PrimaryKeyConstraint("erasure_id"),
    )


def _is_postgres(op: Operations) -> bool:
    return op.get_bind().dialect.name == "postgresql"


def _create_processes(op: Operations) -> None:
    """Make the table of who writes from where; a SQLite file has locks of the operating system instead."""
    op.create_table(
        "processes",
        sa.Column("process_id", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("process_id"),
    )


def _create_trace_indexes(op: Operations) -> None:
    op.create_index("ix_workflow_traces_trace_id", "workflow_traces", ["trace_id"])
    op.create_index("ix_workflow_traces_project", "workflow_traces", ["project", "id"])
    op.create_index("ix_workflow_traces_workflow_name", "workflow_traces", ["workflow_name", "id"])
    op.create_index(
        "ix_workflow_traces_unusual",
        "workflow_traces",
        ["status", "id"],
        sqlite_where=sa.text("status <> 'completed'"),
        postgresql_where=sa.text("status <> 'completed'"),
    )
    op.drop_index("ix_agent_executions_trace_id", "agent_executions")
    op.create_index("ix_agent_executions_trace_id", "agent_executions", ["trace_id", "span_id", "agent_type"])
    op.create_index("ix_agent_executions_agent_type", "agent_executions", ["agent_type", "id"])
    op.create_index(
        "ix_operations_model",
        "operations",
        ["model", "id"],
        sqlite_where=sa.text("model IS NOT NULL"),
        postgresql_where=sa.text("model IS NOT NULL"),
    )


def _widen_cost_details(op: Operations) -> None:
    with _changing_cost_details(op) as details:
        details.add_column(sa.Column("project", sa.String(), nullable=True))
        details.add_column(sa.Column("estimated", sa.Boolean(), nullable=False, server_default=sa.false()))
        details.add_column(sa.Column("superseded_by", sa.String(), nullable=True))
        details.create_foreign_key(_SUPERSEDED_BY, "repricings", ["superseded_by"], ["repricing_id"])
    op.create_index("ix_cost_details_timestamp", "cost_details", ["timestamp"])
    op.execute(
        "UPDATE cost_details SET project = (SELECT project FROM workflow_traces"
        " WHERE workflow_traces.trace_id = cost_details.trace_id)"
    )


def _changing_cost_details(op: Operations) -> AbstractContextManager[BatchOperations]:
    """A change of the table; SQLite, which cannot add or drop a foreign key, copies it."""
    return op.batch_alter_table("cost_details", table_kwargs={"sqlite_with_rowid": False})
