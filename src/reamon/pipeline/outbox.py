"""The outbox: what could not be delivered yet, on disk, in batches, each for one destination."""

import os
import sqlite3
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from reamon.model import Span
from reamon.processes import ProcessDirectory, current_id

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
_BUSY_TIMEOUT: Final = 2.0
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Span]).decode
_left_behind: list[object] = []


class StoredBatch(msgspec.Struct, frozen=True):
    """A batch on disk.

    Attributes:
        id: What `remove` takes.
        spans: Its spans.
    """

    id: int
    spans: list[Span]


class Outbox:
    """Batches on disk, in one SQLite file that the processes of a machine share.

    A batch belongs to a destination, and only a lane with an equal one gets it. It is owned by the process that wrote
    it; when that process is dead, whoever serves the destination next claims it. The file is made when it is first
    needed. Methods may be called by any thread.

    Args:
        path: The file; the life signs of its processes lie beside it.
        max_bytes: What the batches may take; beyond, the oldest are dropped.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._processes = ProcessDirectory(path.with_name(path.name + "-processes"))
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None

    def write(self, destination: str, spans: Sequence[Span]) -> int:
        """Put a batch on disk. Returns how many older spans had to go to make room.

        Raises:
            sqlite3.Error: The file cannot be written.
            OSError: Its directory cannot be made.
        """
        body = _encode(spans)
        with self._lock:
            self._processes.enter(current_id())
            connection = self._open()
            with connection:
                dropped = self._make_room(connection, len(body))
                connection.execute(
                    "INSERT INTO batches (destination, owner, spans, bytes, written, body) VALUES (?, ?, ?, ?, ?, ?)",
                    (destination, current_id(), len(spans), len(body), time.time(), body),
                )
            return dropped

    def claim(self, destination: str) -> int:
        """Take over what dead processes left for `destination`. Returns how many spans this process now owns of it.

        Raises:
            sqlite3.Error: The file cannot be read.
            OSError: Its directory cannot be written.
        """
        with self._lock:
            if not self.path.exists():
                return 0
            connection = self._open()
            rows = connection.execute("SELECT DISTINCT owner FROM batches WHERE destination = ?", (destination,))
            mine = current_id()
            dead = [owner for (owner,) in rows.fetchall() if owner != mine and not self._processes.is_alive(owner)]
            if dead:
                self._processes.enter(mine)
                with connection:
                    connection.executemany(
                        "UPDATE batches SET owner = ? WHERE destination = ? AND owner = ?",
                        [(mine, destination, owner) for owner in dead],
                    )
            return self.waiting(destination)

    def waiting(self, destination: str) -> int:
        """How many spans this process owns for `destination`."""
        with self._lock:
            if self._connection is None and not self.path.exists():
                return 0
            row = self._open().execute(
                "SELECT coalesce(sum(spans), 0) FROM batches WHERE destination = ? AND owner = ?",
                (destination, current_id()),
            )
            return int(row.fetchone()[0])

    def oldest(self, destination: str) -> StoredBatch | None:
        """The oldest batch that this process owns for `destination`; it stays until `remove`."""
        with self._lock:
            if self._connection is None and not self.path.exists():
                return None
            row = self._open().execute(
                "SELECT id, body FROM batches WHERE destination = ? AND owner = ? ORDER BY id LIMIT 1",
                (destination, current_id()),
            )
            found = row.fetchone()
        return None if found is None else StoredBatch(found[0], _decode(found[1]))

    def remove(self, batch_id: int) -> None:
        """Forget a batch that was acknowledged."""
        with self._lock, self._open() as connection:
            connection.execute("DELETE FROM batches WHERE id = ?", (batch_id,))

    def close(self) -> None:
        """Close the file. What this process still owns is free for the next one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None
            self._processes.leave(current_id())

    def after_fork(self) -> None:
        """Forget the parent's connection, unclosed (SQLite forbids to touch it in a child), and its life sign."""
        self._lock = threading.RLock()
        _left_behind.append(self._connection)
        self._connection = None
        self._processes.after_fork()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self.path, timeout=_BUSY_TIMEOUT, check_same_thread=False)
            try:
                os.chmod(self.path, 0o600)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.executescript(_SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _make_room(self, connection: sqlite3.Connection, needed: int) -> int:
        """Drop the oldest batches until `needed` bytes fit. Returns how many spans went."""
        taken = connection.execute("SELECT coalesce(sum(bytes), 0) FROM batches").fetchone()[0]
        dropped = 0
        while taken and taken + needed > self._max_bytes:
            batch_id, spans, size = connection.execute(
                "SELECT id, spans, bytes FROM batches ORDER BY id LIMIT 1"
            ).fetchone()
            connection.execute("DELETE FROM batches WHERE id = ?", (batch_id,))
            taken -= size
            dropped += spans
        return dropped
