"""Inspection: what a store's file says about itself, read without SQLAlchemy and without changing it."""

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import msgspec

from reamon.errors import StoreError
from reamon.store.sqlite import no_store, schema_version

TABLES = ("workflow_traces", "agent_executions", "operations", "cost_details")


class Inspection(msgspec.Struct, frozen=True, kw_only=True):
    """What was found.

    Attributes:
        path: The file.
        schema: The version of its tables; None where it has none of ours.
        octets: Its size, the write-ahead log included.
        damage: What SQLite's quick check complains about; empty where the file is sound.
        rows: How many rows each table has.
        statuses: How many traces there are of each status.
        running: How many running workflows each process has, by its id.
    """

    path: Path
    schema: str | None
    octets: int
    damage: tuple[str, ...]
    rows: dict[str, int]
    statuses: dict[str, int]
    running: dict[str, int]


def inspect(path: Path) -> Inspection:
    """Look at the store at `path`.

    Raises:
        StoreError: There is no such file, or it cannot be read.
    """
    if not path.is_file():
        raise no_store(path)
    try:
        with closing(read_only(path)) as connection:
            return _inspect(connection, path)
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be read as a store: {error}") from error


def read_only(path: Path) -> sqlite3.Connection:
    """A connection that cannot change the file."""
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True)


def _inspect(connection: sqlite3.Connection, path: Path) -> Inspection:
    schema = schema_version(connection)
    answers = [row[0] for row in connection.execute("PRAGMA quick_check")]
    return Inspection(
        path=path,
        schema=schema,
        octets=sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}-wal")) if file.exists()),
        damage=() if answers == ["ok"] else tuple(answers),
        rows={table: _count(connection, table) for table in TABLES} if schema else {},
        statuses=_statuses(connection) if schema else {},
        running=_running(connection) if schema else {},
    )


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def _statuses(connection: sqlite3.Connection) -> dict[str, int]:
    return dict(connection.execute("SELECT status, count(*) FROM workflow_traces GROUP BY status ORDER BY status"))


def _running(connection: sqlite3.Connection) -> dict[str, int]:
    query = "SELECT process_id FROM workflow_traces WHERE status = 'running' AND process_id IS NOT NULL"
    return dict(Counter(row[0] for row in connection.execute(query)))
