"""What is in a store, read with nothing but sqlite3."""

import sqlite3
from contextlib import closing
from pathlib import Path

_TABLES = {"workflow_traces": "workflow_name", "agent_executions": "agent_name", "operations": "name"}


def stored_names(path: Path) -> list[str]:
    """The names of all spans in the store, sorted."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(
            name for table, column in _TABLES.items() for (name,) in connection.execute(f"SELECT {column} FROM {table}")
        )


def workflow_statuses(path: Path) -> dict[str, str]:
    """The status of each workflow, by name."""
    with closing(sqlite3.connect(path)) as connection:
        return dict(connection.execute("SELECT workflow_name, status FROM workflow_traces").fetchall())


def is_sound(path: Path) -> bool:
    """Whether the file passes SQLite's own check."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
