"""The store: tables, migrations, the fast way in (`SpanWriter`) and the way out (`Store`).

Everything comes lazily: who writes needs no SQLAlchemy, and who only reads needs no writer.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reamon.store.repository import Store
    from reamon.store.sqlite import connect
    from reamon.store.tables import AgentExecutionRow, CostDetailRow, OperationRow, WorkflowTraceRow
    from reamon.store.writer import SpanWriter

_HOMES = {
    "AgentExecutionRow": "tables",
    "CostDetailRow": "tables",
    "OperationRow": "tables",
    "SpanWriter": "writer",
    "Store": "repository",
    "WorkflowTraceRow": "tables",
    "connect": "sqlite",
}

__all__ = [
    "AgentExecutionRow",
    "CostDetailRow",
    "OperationRow",
    "SpanWriter",
    "Store",
    "WorkflowTraceRow",
    "connect",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
