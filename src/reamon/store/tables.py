"""The tables of the store, as SQLModel classes.

They live in a MetaData of their own, so that a host's SQLModel tables and ours never meet. Nothing refers to a span by
a foreign key: spans may arrive before their root, and twice.

Every span's row has an integer key `id` that is made from its span id (`reamon.model.ids.row_id`) and grows with time.
In the rare case that another span has that number, the row has one of the next few; where those are taken too, because
thousands of spans were given one start, it has a number scattered over the same second (`reamon.store.places.Places`).
So a span is found without an index on its text id, by `(id BETWEEN ? AND ? OR id BETWEEN ? AND ?) AND span_id = ?`, and
the order of `id` is that of the starts to the second at worst.

On PostgreSQL the true key joins the integer one in the primary key, so nothing has to be looked for, and the two tables
that grow fastest are partitioned by `id`, which is to say by time. The models say what both databases have in common.

Payloads and other large columns come last in a row: SQLite then reads the small ones without following overflow pages.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, LargeBinary, false, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from reamon.store.types import Json, Labels, LargeCount, Money, Quantity, RowId, UtcDateTime

__all__ = [
    "AgentExecutionRow",
    "AlertRow",
    "BudgetPeriodRow",
    "BudgetReservationRow",
    "BudgetWriterRow",
    "CostDetailRow",
    "ErasureRow",
    "MetricRow",
    "OperationRow",
    "RepricingRow",
    "StoreTable",
    "WorkflowTraceRow",
    "metadata",
]


class StoreTable(SQLModel, registry=registry()):
    """The base of the store's tables."""


metadata = StoreTable.metadata
"""What Alembic compares and what creates the tables; nothing of a host's is in it."""


def _row_id() -> Any:
    return Field(primary_key=True, sa_type=RowId, sa_column_kwargs={"autoincrement": False})


def _moment() -> Any:
    return Field(sa_type=UtcDateTime)


def _moment_or_none() -> Any:
    return Field(default=None, sa_type=UtcDateTime, nullable=True)


def _money() -> Any:
    return Field(default=None, sa_type=Money, nullable=True)


def _quantity() -> Any:
    return Field(default=None, sa_type=Quantity, nullable=True)


def _count() -> Any:
    return Field(default=None, sa_type=LargeCount, nullable=True)


def _json() -> Any:
    return Field(default=None, sa_type=Json, nullable=True)


UNUSUAL = "status <> 'completed'"
"""The condition of the index over statuses; a query has to repeat it, word for word, for the index to be used."""


class WorkflowTraceRow(StoreTable, table=True):
    """One row for each trace: its root span, of whatever kind.

    `costs_pruned`: its cost details have gone by retention, so `total_cost` is all that is known and changes no more.
    """

    __tablename__ = "workflow_traces"
    __table_args__ = (
        Index("ix_workflow_traces_call_id", "call_id"),
        Index(
            "ix_workflow_traces_running",
            "process_id",
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
        ),
        Index("ix_workflow_traces_trace_id", "trace_id"),
        Index("ix_workflow_traces_project", "project", "id"),
        Index("ix_workflow_traces_workflow_name", "workflow_name", "id"),
        Index(
            "ix_workflow_traces_unusual",  # nearly all are completed: who looks for these walks along the key
            "status",
            "id",
            sqlite_where=text(UNUSUAL),
            postgresql_where=text(UNUSUAL),
        ),
    )

    id: int = _row_id()
    trace_id: str
    call_id: str | None = None
    workflow_name: str
    workflow_version: str | None = None
    project: str | None = None
    kind: str
    status: str
    status_reason: str | None = None
    start_time: datetime = _moment()
    end_time: datetime | None = _moment_or_none()
    duration_ms: float | None = None
    queue_wait_ms: float | None = None
    first_token_ms: float | None = None
    total_cost: Decimal | None = _money()
    cost_status: str = "unknown"
    process_id: str | None = None
    outcome: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    tags: Any = _json()
    metadata_: Any = Field(default=None, sa_type=Json, nullable=True, sa_column_kwargs={"name": "metadata"})
    usage: Any = _json()
    attributes: Any = _json()
    events: Any = _json()
    links: Any = _json()
    extra: Any = _json()
    error_stack: str | None = None
    input_data: Any = _json()
    output_data: Any = _json()
    costs_pruned: bool = Field(default=False, sa_column_kwargs={"server_default": false()})


class AgentExecutionRow(StoreTable, table=True):
    """One row for each agent span."""

    __tablename__ = "agent_executions"
    __table_args__ = (
        Index("ix_agent_executions_trace_id", "trace_id", "span_id", "agent_type"),  # sums by agent read it alone
        Index("ix_agent_executions_agent_type", "agent_type", "id"),
    )

    id: int = _row_id()
    span_id: str
    trace_id: str
    parent_id: str | None = None
    agent_type: str
    agent_name: str
    agent_version: str | None = None
    execution_order: int | None = None
    start_time: datetime = _moment()
    end_time: datetime | None = _moment_or_none()
    duration_ms: float | None = None
    queue_wait_ms: float | None = None
    first_token_ms: float | None = None
    status: str
    status_reason: str | None = None
    success: bool
    next_agent: str | None = None
    confidence: float | None = None
    cost: Decimal | None = _money()
    error_type: str | None = None
    error_message: str | None = None
    decision: Any = _json()
    usage: Any = _json()
    attributes: Any = _json()
    events: Any = _json()
    links: Any = _json()
    extra: Any = _json()
    error_stack: str | None = None
    input_data: Any = _json()
    output_data: Any = _json()
    state_before: Any = _json()
    state_after: Any = _json()


class OperationRow(StoreTable, table=True):
    """One row for each span that is neither an agent nor the workflow at the root of a trace."""

    __tablename__ = "operations"
    __table_args__ = (
        Index("ix_operations_trace_id", "trace_id"),
        Index(
            "ix_operations_model",
            "model",
            "id",
            sqlite_where=text("model IS NOT NULL"),
            postgresql_where=text("model IS NOT NULL"),
        ),
    )

    id: int = _row_id()
    span_id: str
    trace_id: str
    parent_id: str | None = None
    kind: str
    name: str
    provider: str | None = None
    model: str | None = None
    start_time: datetime = _moment()
    end_time: datetime | None = _moment_or_none()
    duration_ms: float | None = None
    queue_wait_ms: float | None = None
    first_token_ms: float | None = None
    status: str
    status_reason: str | None = None
    input_tokens: int | None = _count()
    output_tokens: int | None = _count()
    cached_input_tokens: int | None = _count()
    cost: Decimal | None = _money()
    error_type: str | None = None
    error_message: str | None = None
    usage: Any = _json()
    attributes: Any = _json()
    events: Any = _json()
    links: Any = _json()
    extra: Any = _json()
    error_stack: str | None = None
    input_data: Any = _json()
    output_data: Any = _json()


class CostDetailRow(StoreTable, table=True):
    """One row for each cost detail of a span.

    `item` tells apart the details of one span that share type and price version (a retry on another model), counted
    from 0; without it one of them would be lost. A detail that a repricing put another one in the place of stays, and
    `superseded_by` says which; it counts in no sum.
    """

    __tablename__ = "cost_details"
    __table_args__ = (
        ForeignKeyConstraint(["superseded_by"], ["repricings.repricing_id"], name="fk_cost_details_superseded_by"),
        Index("ix_cost_details_trace_id", "trace_id"),
        Index("ix_cost_details_timestamp", "timestamp"),
        {"sqlite_with_rowid": False},
    )

    span_id: str = Field(primary_key=True)
    cost_type: str = Field(primary_key=True)
    price_version: str = Field(primary_key=True)
    item: int = Field(default=0, primary_key=True, sa_column_kwargs={"autoincrement": False})
    trace_id: str
    agent_id: str | None = None
    call_id: str | None = None
    provider: str | None = None
    model: str | None = None
    usage_units: Decimal | None = _quantity()
    unit: str | None = None
    unit_cost: Decimal | None = _quantity()
    cost_amount: Decimal | None = _money()
    price_source: str
    effective_date: str | None = None
    timestamp: datetime = _moment()
    project: str | None = None
    estimated: bool = Field(default=False, sa_column_kwargs={"server_default": false()})
    superseded_by: str | None = None


class RepricingRow(StoreTable, table=True):
    """One row for each time that the past was priced anew."""

    __tablename__ = "repricings"

    repricing_id: str = Field(primary_key=True)
    timestamp: datetime = _moment()
    price_version: str
    project: str | None = None
    since: datetime | None = _moment_or_none()
    until: datetime | None = _moment_or_none()
    details: int
    total_before: Decimal | None = _money()
    total_after: Decimal | None = _money()


class MetricRow(StoreTable, table=True):
    """One row for each series and window of time (`performance_metrics`).

    The project is part of the key, so that two projects never share a series; what belongs to none has an empty one.
    """

    __tablename__ = "performance_metrics"
    __table_args__ = (Index("ix_performance_metrics_timestamp", "timestamp"),)

    metric_type: str = Field(primary_key=True)
    labels: Any = Field(primary_key=True, sa_type=Labels)
    window: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    timestamp: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    project: str = Field(default="", primary_key=True)
    count: int
    errors: int = 0
    sum: float = 0.0
    sketch: bytes | None = Field(default=None, sa_type=LargeBinary)


class AlertRow(StoreTable, table=True):
    """One row for each alert, whatever became of it (`alert_history`)."""

    __tablename__ = "alert_history"
    __table_args__ = (
        Index("ix_alert_history_triggered_at", "triggered_at"),
        Index(
            "ix_alert_history_open",
            "rule",
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
    )

    alert_id: str = Field(primary_key=True)
    rule: str
    labels: Any = Field(sa_type=Labels)
    project: str | None = None
    severity: str
    state: str
    message: str
    triggered_at: datetime = _moment()
    resolved_at: datetime | None = _moment_or_none()
    acknowledged_by: str | None = None
    metadata_: Any = Field(default=None, sa_type=Json, nullable=True, sa_column_kwargs={"name": "metadata"})


class BudgetPeriodRow(StoreTable, table=True):
    """One row for each budget, scope and period: what was spent in it, by whatever process.

    `stated` is the part of `spent` that no span told of; `unknown` counts costs without an amount.
    """

    __tablename__ = "budget_periods"
    __table_args__ = (Index("ix_budget_periods_updated_at", "updated_at"),)

    budget: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    period_start: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    spent: Decimal = Field(sa_type=Money)
    stated: Decimal = Field(sa_type=Money)
    unknown: int
    crossed: Any = _json()
    updated_at: datetime = _moment()


class BudgetReservationRow(StoreTable, table=True):
    """One row for each reservation that is not settled yet."""

    __tablename__ = "budget_reservations"
    __table_args__ = (
        ForeignKeyConstraint(
            ["budget", "scope", "period_start"],
            ["budget_periods.budget", "budget_periods.scope", "budget_periods.period_start"],
            name="fk_budget_reservations_period",
        ),
        Index("ix_budget_reservations_period", "budget", "scope", "period_start"),
    )

    reservation_id: str = Field(primary_key=True)
    budget: str = Field(primary_key=True)
    scope: str = Field(primary_key=True)
    period_start: datetime = _moment()
    amount: Decimal = Field(sa_type=Money)
    expires_at: datetime = _moment()


class BudgetWriterRow(StoreTable, table=True):
    """One row for each process that spends: the last of its batches that was counted, so that none counts twice."""

    __tablename__ = "budget_writers"

    writer: str = Field(primary_key=True)
    sequence: int = Field(sa_type=BigInteger)
    updated_at: datetime = _moment()


class ErasureRow(StoreTable, table=True):
    """One row for each time that a person's data were deleted: the receipt, without anything of the person in it."""

    __tablename__ = "erasures"

    erasure_id: str = Field(primary_key=True)
    timestamp: datetime = _moment()
    subject_kind: str
    subject_digest: str
    requested_by: str | None = None
    receipt: Any = _json()
