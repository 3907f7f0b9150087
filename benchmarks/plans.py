"""Plans: how SQLite finds what a reader asks for."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.store import Store

Asked = tuple[str, Any]
"""A statement and its parameters."""


@contextmanager
def listening(store: Store) -> Iterator[list[Asked]]:
    """The SELECTs that the store sends to its database while the block runs."""
    asked: list[Asked] = []

    def hear(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    engine = store._database._reader.sync_engine
    event.listen(engine, "before_cursor_execute", hear)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", hear)


async def plan(connection: AsyncConnection, asked: Asked) -> list[str]:
    """The steps that SQLite takes for a statement."""
    statement, parameters = asked
    found = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
    return [row[-1] for row in found]


def scans(steps: list[str]) -> list[str]:
    """The steps that read a whole table, or a whole index: those that begin with SCAN and name a table of the store."""
    tables = (
        "workflow_traces",
        "agent_executions",
        "operations",
        "cost_details",
        "performance_metrics",
        "alert_history",
    )
    return [step for step in steps if step.startswith("SCAN") and any(table in step for table in tables)]
