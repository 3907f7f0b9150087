"""The outbox: what is not acknowledged yet, on disk, in batches, each for one destination."""

import logging
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from reamon.guard import describe, log
from reamon.model import Span
from reamon.processes import ProcessDirectory, abandon, current_id
from reamon.store.mending import mended

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
"""
_BUSY_TIMEOUT: Final = 0.5  # short, because whoever writes here has other lanes to serve
_NO_DATABASE: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}
_decode = msgspec.msgpack.Decoder(list[Span]).decode


class StoredBatch(msgspec.Struct, frozen=True):
    """Spans from disk.

    Attributes:
        ids: What `remove` takes.
        spans: Oldest first.
    """

    ids: tuple[int, ...]
    spans: list[Span]


class Outbox:
    """Batches on disk, in one SQLite file that the processes of a machine share.

    A batch belongs to a destination, and only a lane with an equal one gets it. It is owned by the process that wrote
    it; when that process is dead, whoever serves the destination next claims it. The file is made when it is first
    needed, and one that is damaged is put aside. Methods may be called by any thread.

    Args:
        path: The file; the life signs of its processes lie beside it.
        max_bytes: What the batches may take on disk; beyond, the oldest are dropped, whoever owns them.

    Attributes:
        at_work: Held by whoever uses the file.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path.absolute()
        self._max_bytes = max_bytes
        self._processes = ProcessDirectory(self.path.with_name(path.name + "-processes"))
        self.at_work = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def write(self, destination: str, spans: Sequence[Span]) -> tuple[int, bool]:
        """Put a batch on disk.

        Returns:
            Its id, and whether older batches had to go to make room.

        Raises:
            sqlite3.Error: The file cannot be written.
            OSError: Its directory cannot be made.
        """
        body = _encode(spans)
        with self.at_work:
            self._processes.enter(current_id())
            with self._open() as connection:
                made_room = self._make_room(connection, len(body))
                row = connection.execute(
                    "INSERT INTO batches (destination, owner, spans, bytes, written, body) VALUES (?, ?, ?, ?, ?, ?)",
                    (destination, current_id(), len(spans), len(body), time.time(), body),
                )
                return row.lastrowid or 0, made_room

    def claim(self, destination: str) -> int:
        """Take over what dead processes left for `destination`. Returns how many spans that are.

        Raises:
            sqlite3.Error: The file cannot be read.
            OSError: Its directory cannot be written.
        """
        with self.at_work:
            if not self.path.exists():
                return 0
            rows = self._query("SELECT DISTINCT owner FROM batches WHERE destination = ?", destination)
            mine = current_id()
            dead = [owner for (owner,) in rows if owner != mine and not self._processes.is_alive(owner)]
            if not dead:
                return 0
            self._processes.enter(mine)
            before = self.waiting(destination)
            with self._open() as connection:
                connection.executemany(
                    "UPDATE batches SET owner = ? WHERE destination = ? AND owner = ?",
                    [(mine, destination, owner) for owner in dead],
                )
            return self.waiting(destination) - before

    def waiting(self, destination: str) -> int:
        """How many spans this process owns for `destination`."""
        return self._number("SELECT sum(spans) FROM batches WHERE destination = ? AND owner = ?", destination)

    def newest(self, destination: str) -> int:
        """The highest id of a batch that this process owns for `destination`; 0 if there is none."""
        return self._number("SELECT max(id) FROM batches WHERE destination = ? AND owner = ?", destination)

    def has_until(self, destination: str, batch_id: int) -> bool:
        """Whether this process owns a batch for `destination` that is as old as `batch_id`, or older."""
        return bool(
            self._number(
                "SELECT EXISTS (SELECT 1 FROM batches WHERE destination = ? AND owner = ? AND id <= ?)",
                destination,
                batch_id,
            )
        )

    def oldest(self, destination: str, size: int) -> StoredBatch | None:
        """The oldest batches that this process owns for `destination`, up to `size` spans, together; at least one.

        They stay until `remove`. A batch that cannot be read (a newer reamon wrote it) comes alone: its id, no spans.
        """
        with self.at_work:
            if not self._exists:
                return None
            rows = self._open().execute(
                "SELECT id, spans, body FROM batches WHERE destination = ? AND owner = ? ORDER BY id",
                (destination, current_id()),
            )
            batch = StoredBatch((), [])
            for batch_id, count, body in rows:
                if batch.ids and len(batch.spans) + count > size:
                    break
                spans = _read(body)
                if batch.ids and not spans:
                    break
                batch = StoredBatch((*batch.ids, batch_id), batch.spans + spans)
                if not spans:
                    break
            rows.close()
        return batch if batch.ids else None

    def remove(self, ids: Sequence[int]) -> int:
        """Forget batches. Returns how many spans that were; fewer than expected if some had to make room meanwhile."""
        marks = ", ".join("?" * len(ids))
        with self.at_work, self._open() as connection:
            spans = connection.execute(f"SELECT coalesce(sum(spans), 0) FROM batches WHERE id IN ({marks})", ids)
            (removed,) = spans.fetchone()
            connection.execute(f"DELETE FROM batches WHERE id IN ({marks})", ids)
            return int(removed)

    def close(self) -> None:
        """Close the file. What this process still owns is free for the next one."""
        with self.at_work:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._processes.leave(current_id())

    def after_fork(self) -> None:
        """Let go of the parent's connection and its life sign."""
        self.at_work = threading.RLock()
        if self._connection is not None:
            abandon(self._connection)
            self._connection = None
        self._processes.after_fork()

    @property
    def _exists(self) -> bool:
        return self._connection is not None or self.path.exists()

    def _number(self, query: str, destination: str, *more: Any) -> int:
        with self.at_work:
            return int(self._query(query, destination, current_id(), *more)[0][0] or 0) if self._exists else 0

    def _query(self, query: str, *parameters: Any) -> list[Any]:
        return self._open().execute(query, parameters).fetchall()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._connection = _connect(self.path)
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF not in _NO_DATABASE:
                    raise
                self._put_aside(error)
                self._connection = _connect(self.path)
        return self._connection

    def _put_aside(self, error: Exception) -> None:
        """A file that is no database any more would be in the way for ever; keep it for whoever wants to mend it."""
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.time_ns()}")
        self.path.rename(aside)
        for suffix in ("-wal", "-shm"):
            self.path.with_name(self.path.name + suffix).unlink(missing_ok=True)
        log("reamon.pipeline", logging.ERROR, "outbox_damaged", kept_as=str(aside), error=describe(error))

    def _make_room(self, connection: sqlite3.Connection, needed: int) -> bool:
        """Drop the oldest batches until `needed` bytes fit. Returns whether some went."""
        connection.execute("BEGIN IMMEDIATE")
        excess = _taken(connection) + needed - self._max_bytes
        if excess <= 0:
            return False
        going = []
        for batch_id, size in connection.execute("SELECT id, bytes FROM batches ORDER BY id"):
            if excess <= 0:
                break
            going.append((batch_id,))
            excess -= size
        connection.executemany("DELETE FROM batches WHERE id = ?", going)
        return bool(going)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, check_same_thread=False)
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection


def _taken(connection: sqlite3.Connection) -> int:
    """Bytes on disk that hold something; to sum up all batches would take longer the more there are."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)


def _encode(spans: Sequence[Span]) -> bytes:
    try:
        return msgspec.msgpack.encode(spans, enc_hook=_type_name)
    except (ValueError, OverflowError):  # lone surrogates, integers beyond 64 bits
        return msgspec.msgpack.encode([mended(span) for span in spans], enc_hook=_type_name)


def _read(body: bytes) -> list[Span]:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _type_name(value: object) -> str:
    """What stands for an object that a processor or a collector has put into a span, and that is no plain value."""
    return f"<{type(value).__name__}>"
