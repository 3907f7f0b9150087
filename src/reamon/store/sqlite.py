"""SQLite files: opened ready for writing, with the current schema, without SQLAlchemy.

A new file gets its schema from `schema.sql`, a snapshot of what the migrations make; Alembic is imported only where an
older file has to be brought up to date.
"""

import os
import sqlite3
import time
from pathlib import Path
from typing import Final, Literal

from reamon.errors import StoreError
from reamon.store.versions import NO_TABLES, SCHEMA_VERSION, VERSION_TABLE, is_newer

Synchronous = Literal["NORMAL", "FULL"]

_SNAPSHOT: Final = Path(__file__).with_name("schema.sql")
_PAGE_BYTES: Final = 16_384  # payloads of some kilobytes fit into a page: half the cost of a row at SQLite's 4096
_CACHE_KIB: Final = 16_384  # a whole batch of large payloads, so that no page is written twice
_CHECKPOINT_PAGES: Final = 2_000  # 32 MiB of log between checkpoints
_LOG_BYTES: Final = 64 << 20  # a log that outgrew this in a burst is cut back
_RETRY_SECONDS: Final = 0.02


def default_path() -> Path:
    """Where the store is unless somebody says otherwise: `$REAMON_HOME/reamon.db`, `REAMON_HOME` being `./.reamon`."""
    return Path(os.environ.get("REAMON_HOME") or ".reamon") / "reamon.db"


def connect(path: Path, *, synchronous: Synchronous = "NORMAL", busy_timeout: float = 5.0) -> sqlite3.Connection:
    """Open the store at `path` for writing; make it, or bring it up to date, where needed.

    Several processes may do so at once. The connection is in autocommit mode and may be handed to another thread.

    Args:
        path: The file; directories above it are made.
        synchronous: "NORMAL": what is committed survives the process. "FULL": it survives a power loss as well.
        busy_timeout: How long to wait for another writer, in seconds.

    Raises:
        StoreError: The file is no SQLite database, or was written by a newer reamon.
        sqlite3.OperationalError: The file cannot be opened or written now: it is locked, the disk is full, ...
        OSError: A directory cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=busy_timeout, isolation_level=None, check_same_thread=False)
    try:
        _prepare(connection, synchronous, busy_timeout)
        _bring_up_to_date(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_NOTADB:
            raise StoreError(f"{path} is not an SQLite database: give the store another path") from error
        raise
    except BaseException:
        connection.close()
        raise
    return connection


def schema_version(connection: sqlite3.Connection) -> str | None:
    """The version of the schema in this file, or None where there never was one of ours."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (VERSION_TABLE,)).fetchone():
        return None
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone()
    return str(row[0]) if row else NO_TABLES


def no_store(path: Path) -> StoreError:
    """What to raise where a store should be and none is."""
    demo = path.parent / "demo" / "campaign.db"
    where = f"; what `reamon demo` recorded is in --db {demo}" if demo.is_file() else ""
    return StoreError(
        f"no store at {path}: run your application with reamon.configure() first, "
        f"or say where the store is (--db, REAMON_SQLITE__PATH){where}"
    )


def _prepare(connection: sqlite3.Connection, synchronous: Synchronous, busy_timeout: float) -> None:
    connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # heeded only by a file that is still empty
    _use_log(connection, busy_timeout)
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {_LOG_BYTES}")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")


def _use_log(connection: sqlite3.Connection, patience: float) -> None:
    """Switch to a write-ahead log. SQLite does not wait its turn here when several processes do it at once; we do."""
    deadline = time.monotonic() + patience
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_SECONDS)
        else:
            return


def _bring_up_to_date(connection: sqlite3.Connection, path: Path) -> None:
    version = schema_version(connection)
    if version is None:
        version = _create(connection)
    if version == SCHEMA_VERSION:
        return
    if is_newer(version):
        raise StoreError(
            f"{path} was written by a newer reamon (schema {version}, this one knows {SCHEMA_VERSION}): "
            "upgrade reamon, or give the store another path"
        )
    from reamon.store.migrate import upgrade  # noqa: PLC0415 - brings Alembic, which a current file does not need

    upgrade(path)


def _create(connection: sqlite3.Connection) -> str:
    """Make the tables, unless another process has just done so. Returns the version that the file is at."""
    statements = _SNAPSHOT.read_text("utf-8").split(";\n")
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = schema_version(connection)
        if version is None:
            for statement in statements:
                connection.execute(statement)
            version = SCHEMA_VERSION
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return version
