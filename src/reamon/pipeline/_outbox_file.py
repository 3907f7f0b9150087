"""The outbox's file: an SQLite database that is made when it is needed, bounded, and replaced if it is damaged."""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from reamon.guard import describe, log
from reamon.processes import abandon

_LOGGER: Final = "reamon.pipeline"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    owner TEXT NOT NULL,
    spans INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    written REAL NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS batches_by_destination ON batches (destination, id);
CREATE TABLE IF NOT EXISTS letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    destination TEXT NOT NULL,
    spans INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    died REAL NOT NULL,
    counted_as TEXT NOT NULL,
    reason TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS lanes (
    destination TEXT NOT NULL,
    owner TEXT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL,
    since REAL NOT NULL,
    error TEXT,
    fix TEXT,
    PRIMARY KEY (destination, owner)
) WITHOUT ROWID;
"""
_BUSY_TIMEOUT: Final = 0.5  # seconds; short, because whoever writes here has other lanes to serve
_NO_DATABASE: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_PAGE_BYTES: Final = 16_384  # of a batch's tenth of a megabyte; SQLite's 4096 make writing one half as dear again
_VACUUM_FROM: Final = 250  # free pages; below, they are kept for what comes
_VACUUM_STEP: Final = 125  # pages given back at a time, in about a millisecond
_MOSTLY_FREE: Final = 4  # times as many pages as are in use: before, giving some back means to move what waits


class OutboxFile:
    """The connection of this process to the file; the caller serialises its use.

    Args:
        path: The file, absolute.
        max_bytes: What it may hold.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._connection: sqlite3.Connection | None = None

    @property
    def exists(self) -> bool:
        """Whether there is anything to read."""
        return self._connection is not None or self.path.exists()

    def open(self) -> sqlite3.Connection:
        """The connection, opened if it is not; the file is made, or made anew if it is no database any more.

        Raises:
            sqlite3.Error: It cannot be used.
            OSError: Its directory cannot be made.
        """
        if self._connection is not None and not self.path.exists():
            self.close()  # deleted: what is written to a file without a name goes with the process
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = connect(self.path)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in _NO_DATABASE:
                    raise
                self._put_aside(error)
                self._connection = connect(self.path)
        return self._connection

    def query(self, query: str, *parameters: Any) -> list[Any]:
        """The rows of a query."""
        return self.open().execute(query, parameters).fetchall()

    def make_room(self, connection: sqlite3.Connection, needed: int) -> bool:
        """Begin to write, and drop the oldest until `needed` bytes fit: dead letters first, then what waits.

        Returns:
            Whether any went that waited to be sent.
        """
        connection.execute("BEGIN IMMEDIATE")
        excess = _taken(connection) + needed - self._max_bytes
        if excess <= 0:
            return False
        excess = _drop_oldest(connection, "letters", excess)
        left = _drop_oldest(connection, "batches", excess)
        return left < excess

    def shrink(self) -> None:
        """Give back to the disk what a backlog took that is gone, a little at a time."""
        connection = self.open()
        free = _number(connection, "freelist_count")
        if free > _VACUUM_FROM and _MOSTLY_FREE * (_number(connection, "page_count") - free) <= free:
            connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_STEP})")  # `execute` takes one step of it

    def close(self) -> None:
        """Close the connection; the next use opens it again."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def after_fork(self) -> None:
        """Let go of the parent's connection."""
        if self._connection is not None:
            abandon(self._connection)
            self._connection = None

    def _put_aside(self, error: Exception) -> None:
        """A file that is no database any more would be in the way for ever; keep it for whoever wants to mend it."""
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        log(_LOGGER, logging.ERROR, "outbox_damaged", kept_as=str(aside), error=describe(error))


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the outbox at `path`, with its tables.

    Raises:
        sqlite3.Error: It is no outbox, or cannot be used.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute(f"PRAGMA page_size = {_PAGE_BYTES}")  # heard by a new file only, like the next one
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        # Some builds of SQLite write zeros over whatever is deleted, which costs as much as writing it did.
        connection.execute("PRAGMA secure_delete = FAST")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _taken(connection: sqlite3.Connection) -> int:
    """Bytes on disk that hold something; to sum up all batches would take longer the more there are."""
    pages, free, size = (_number(connection, name) for name in ("page_count", "freelist_count", "page_size"))
    return (pages - free) * size


def _number(connection: sqlite3.Connection, pragma: str) -> int:
    return int(connection.execute(f"PRAGMA {pragma}").fetchone()[0])


def _drop_oldest(connection: sqlite3.Connection, table: str, excess: int) -> int:
    """Drop the oldest rows until `excess` bytes are free. Returns what is still missing."""
    going = []
    for row_id, size in connection.execute(f"SELECT id, bytes FROM {table} ORDER BY id"):
        if excess <= 0:
            break
        going.append((row_id,))
        excess -= size
    connection.executemany(f"DELETE FROM {table} WHERE id = ?", going)
    return max(excess, 0)
