"""The tables of the store, as SQLModel classes.

They live in a MetaData of their own, so that a host's SQLModel tables and ours never meet. No foreign keys: spans may
arrive before their root, and twice.

Every span's row has an integer key `id` that is made from its span id (`reamon.model.ids.row_id`) and grows with time.
In the rare case that another span has that number, the row has one of the next few; where those are taken too, because
thousands of spans were given one start, it has a number scattered over the same second (`reamon.store.places.Places`).
So a span is found without an index on its text id, by `(id BETWEEN ? AND ? OR id BETWEEN ? AND ?) AND span_id = ?`, and
the order of `id` is that of the starts to the second at worst.

Payloads and other large columns come last in a row: SQLite then reads the small ones without following overflow pages.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Index, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from reamon.store.types import Json, Money, Quantity, RowId, UtcDateTime

__all__ = [
    "AgentExecutionRow",
    "CostDetailRow",
    "OperationRow",
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


def _json() -> Any:
    return Field(default=None, sa_type=Json, nullable=True)


class WorkflowTraceRow(StoreTable, table=True):
    """One row for each trace: its root span, of whatever kind."""

    __tablename__ = "workflow_traces"
    __table_args__ = (
        Index("ix_workflow_traces_call_id", "call_id"),
        Index(
            "ix_workflow_traces_running",
            "process_id",
            sqlite_where=text("status = 'running'"),
            postgresql_where=text("status = 'running'"),
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


class AgentExecutionRow(StoreTable, table=True):
    """One row for each agent span."""

    __tablename__ = "agent_executions"
    __table_args__ = (Index("ix_agent_executions_trace_id", "trace_id"),)

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
    __table_args__ = (Index("ix_operations_trace_id", "trace_id"),)

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
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
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
    from 0; without it one of them would be lost.
    """

    __tablename__ = "cost_details"
    __table_args__ = (Index("ix_cost_details_trace_id", "trace_id"), {"sqlite_with_rowid": False})

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
