"""SQLite: the store that needs no server, for one machine and any number of its processes."""

import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple, get_args

from reamon import processes
from reamon.errors import ConfigurationError
from reamon.guard import describe, log
from reamon.model import Span
from reamon.processes import ProcessDirectory
from reamon.store.sqlite import Synchronous, connect, default_path
from reamon.store.writer import SpanWriter

_LOGGER: Final = "reamon.exporters"
_WAITING_HELPS: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL}
"""What is wrong with the moment, and not with the connection."""


class SQLiteExporter:
    """Writes spans to an SQLite file, where they can be queried as soon as a batch is acknowledged.

    Each batch is one transaction, so there is nothing to flush. Other processes may write to the same file. A workflow
    is stored when it starts; if its process dies, whoever opens the file next marks it `interrupted`.

    Args:
        path: The file; `$REAMON_HOME/reamon.db` if not given. It is made where it does not exist.
        synchronous: "NORMAL": what is acknowledged survives the process. "FULL": it survives a power loss as well.
        busy_timeout: How long to wait for another writer before a batch is put off, in seconds.
        name: Unique among the configured exporters.

    Raises:
        ConfigurationError: An argument cannot be used.

    Example:
        ```python
        reamon.configure(exporters=[SQLiteExporter("calls.db")])
        ```
    """

    local = True

    def __init__(
        self,
        path: Path | str | None = None,
        *,
        synchronous: Synchronous = "NORMAL",
        busy_timeout: float = 5.0,
        name: str = "sqlite",
    ) -> None:
        if synchronous not in get_args(Synchronous):
            raise ConfigurationError(f"SQLiteExporter: synchronous={synchronous!r} must be 'NORMAL' or 'FULL'")
        if not busy_timeout > 0:
            raise ConfigurationError(f"SQLiteExporter: busy_timeout={busy_timeout!r} must be more than 0 seconds")
        if str(path) == ":memory:":
            raise ConfigurationError("SQLiteExporter needs a file; to keep spans in memory use MemoryExporter()")
        self.name = name
        self.path = Path(default_path() if path is None else path).absolute()
        self.destination = f"sqlite:{self.path}"
        self._synchronous: Synchronous = synchronous
        self._busy_timeout = busy_timeout
        self._lock = threading.Lock()
        self._file: _OpenFile | None = None
        self._processes = ProcessDirectory(self.path.with_name(self.path.name + "-processes"))

    def open(self) -> None:
        """Make or migrate the file, and mark what died with its process as interrupted.

        A file that cannot be written now (locked, full, no permission) is logged and tried again with every batch.

        Raises:
            ConfigurationError: The path is a directory.
            StoreError: The file is no database, or was written by a newer reamon.
        """
        if self.path.is_dir():
            raise ConfigurationError(f"SQLiteExporter: {self.path} is a directory; give the path of a file in it")
        with self._lock:
            try:
                self._ready()
            except (sqlite3.Error, OSError) as error:
                log(
                    _LOGGER,
                    logging.WARNING,
                    "sqlite_not_ready",
                    path=str(self.path),
                    error=describe(error),
                    then="retried",
                )

    def export(self, batch: Sequence[Span]) -> None:
        """Store finished spans in one transaction.

        Raises:
            Rejected: Some can never be stored; the others are.
            sqlite3.Error: Nothing was stored: the file is locked, the disk is full, ...
            OSError: The file's directory cannot be made.
        """
        self._run(lambda writer: writer.write(batch))

    def started(self, batch: Sequence[Span]) -> None:
        """Store workflows that have begun, together with the sign that this process lives.

        Raises:
            Rejected: Some can never be stored; the others are.
            sqlite3.Error: Nothing was stored.
            OSError: The directory beside the file cannot be written.
        """
        self._processes.enter(processes.current_id())
        self._run(lambda writer: writer.write_started(batch))

    def shutdown(self, timeout: float) -> None:
        """Close the file. The sign of life stays while workflows of this process are unfinished, because it does live.

        Args:
            timeout: Unused: closing waits for nobody.
        """
        with self._lock:
            unfinished = self._has_unfinished()
            self._close()
            if not unfinished:
                self._processes.leave(processes.current_id())

    def after_fork(self) -> None:
        """Forget the parent's connection, unclosed, and its sign of life."""
        self._lock = threading.Lock()
        self._abandon()
        self._processes.after_fork()

    def _run(self, action: Callable[[SpanWriter], None]) -> None:
        with self._lock:
            writer = self._ready()
            try:
                action(writer)
            except sqlite3.Error as error:
                if _code(error) not in _WAITING_HELPS:
                    self._close()
                raise

    def _ready(self) -> SpanWriter:
        """The writer of the open file; opened here if it is the first time, or if the last connection broke."""
        if self._file is not None and not self._file.is_at(self.path):
            self._abandon()  # closing it would remove the log of the file that has taken its place
        if self._file is None:
            connection = connect(self.path, synchronous=self._synchronous, busy_timeout=self._busy_timeout)
            try:
                writer = SpanWriter(connection)
                self._settle_the_dead(writer)
                self._file = _OpenFile(connection, writer, self.path.stat())
            except BaseException:
                connection.close()
                raise
        return self._file.writer

    def _settle_the_dead(self, writer: SpanWriter) -> None:
        """Mark as interrupted what processes had running that live no more."""
        me = processes.current_id()
        running = writer.running_processes()
        if me in running:  # an exporter before this one recorded them
            self._processes.enter(me)
        dead = [process for process in running if process != me and not self._processes.is_alive(process)]
        if dead:
            count = writer.interrupt(dead)
            log(
                _LOGGER,
                logging.WARNING,
                "workflows_interrupted",
                workflows=count,
                processes=len(dead),
                path=str(self.path),
            )
        for process in self._processes.others():
            self._processes.remove(process)

    def _has_unfinished(self) -> bool:
        try:
            return self._file is not None and processes.current_id() in self._file.writer.running_processes()
        except sqlite3.Error:
            return True

    def _close(self) -> None:
        if self._file is not None:
            self._file.connection.close()
            self._file = None

    def _abandon(self) -> None:
        """Leave the connection as it is, for good."""
        if self._file is not None:
            processes.abandon(self._file.connection)
            self._file = None


class _OpenFile(NamedTuple):
    connection: sqlite3.Connection
    writer: SpanWriter
    opened: os.stat_result

    def is_at(self, path: Path) -> bool:
        """Whether `path` is still this file; somebody may have removed it, or put another in its place."""
        try:
            return os.path.samestat(self.opened, path.stat())
        except FileNotFoundError:
            return False


def _code(error: sqlite3.Error) -> int | None:
    """SQLite's primary result code, where the error comes from SQLite itself."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
