"""The store: tables, migrations, the fast way in (`SpanWriter`) and the way out (`Store`).

Everything comes lazily: who writes needs no SQLAlchemy, and who only reads needs no writer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reamon.store.cost_filter import CostFilter
    from reamon.store.filters import (
        AlertFilter,
        CostDetailFilter,
        ExecutionFilter,
        MetricFilter,
        OperationFilter,
        TraceFilter,
    )
    from reamon.store.keeping import keep_tables
    from reamon.store.pages import Page
    from reamon.store.projects import ALL_PROJECTS
    from reamon.store.repository import Store
    from reamon.store.sqlite import connect
    from reamon.store.tables import AgentExecutionRow, CostDetailRow, OperationRow, WorkflowTraceRow
    from reamon.store.writer import SpanWriter

_HOMES = {
    "ALL_PROJECTS": "projects",
    "AgentExecutionRow": "tables",
    "AlertFilter": "filters",
    "CostDetailFilter": "filters",
    "CostDetailRow": "tables",
    "CostFilter": "cost_filter",
    "ExecutionFilter": "filters",
    "MetricFilter": "filters",
    "OperationFilter": "filters",
    "OperationRow": "tables",
    "Page": "pages",
    "SpanWriter": "writer",
    "Store": "repository",
    "TraceFilter": "filters",
    "WorkflowTraceRow": "tables",
    "connect": "sqlite",
    "keep_tables": "keeping",
}

__all__ = [
    "ALL_PROJECTS",
    "AgentExecutionRow",
    "AlertFilter",
    "CostDetailFilter",
    "CostDetailRow",
    "CostFilter",
    "ExecutionFilter",
    "MetricFilter",
    "OperationFilter",
    "OperationRow",
    "Page",
    "SpanWriter",
    "Store",
    "TraceFilter",
    "WorkflowTraceRow",
    "connect",
    "keep_tables",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
