"""The outbox's file as those open it who are no pipeline: nothing is made, nothing put aside, and errors say more."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import quote

from reamon.errors import StoreError
from reamon.pipeline._outbox_file import connect

T = TypeVar("T")

_PATIENCE: Final = 5_000  # milliseconds to wait for another writer; a person waits rather than tries again
_STEP: Final = 500  # pages given back to the disk in one transaction
_BUSY: Final = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_DAMAGED: Final = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}


def reading(path: Path, question: Callable[[sqlite3.Connection], T]) -> T:
    """Ask the file something, and leave no trace in its directory.

    A reader of an SQLite file with a write-ahead log makes that log if there is none, even if it may not write. So
    where no application has the file open, it is read as one that does not change; if it has changed after all, the
    answer may be wrong, and the question is asked again.

    Raises:
        StoreError: It cannot be read; the message says why.
    """
    with explained(path):
        before = _state(path)
        if before is not None:
            try:
                with closing(_read_only(path, immutable=True)) as connection:
                    answer = _ask(connection, path, question)
            except sqlite3.Error:
                if _state(path) == before:
                    raise
            else:
                if _state(path) == before:
                    return answer
        with closing(_read_only(path, immutable=False)) as connection:
            return _ask(connection, path, question)


def writing(path: Path) -> sqlite3.Connection:
    """A connection for changes, which waits for others that write.

    Raises:
        sqlite3.Error: It cannot be written.
        OSError: The same.
    """
    connection = connect(path)
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}")
    return connection


def has_table(connection: sqlite3.Connection, table: str) -> bool:
    """Whether the file has a table; one that an older reamon has made may lack some."""
    query = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?)"
    return bool(connection.execute(query, (table,)).fetchone()[0])


def give_back(connection: sqlite3.Connection) -> None:
    """Give the disk back what was deleted, in steps that let others write in between."""
    free = _free_pages(connection)
    while free:
        connection.executescript(f"PRAGMA incremental_vacuum({_STEP})")
        left = _free_pages(connection)
        if left >= free:
            return
        free = left


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say of an error inside what it means for whoever typed a command, and what to do.

    Raises:
        StoreError: Instead of `sqlite3.Error` and `OSError`.
    """
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StoreError(_explanation(path, error)) from error


def _explanation(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in _BUSY:
        return f"{path} is busy, an application is writing to it: try again"
    if code in _DAMAGED:
        return (
            f"{path} is damaged ({error}): the next application that opens it puts it aside and begins a new one; "
            "`.recover` of the sqlite3 program may save what is in it"
        )
    if code == sqlite3.SQLITE_ERROR:
        return f"{path} is not what this version of reamon makes ({error}): if a newer one wrote it, upgrade"
    return f"{path} cannot be used as an outbox: {error}"


def _ask(connection: sqlite3.Connection, path: Path, question: Callable[[sqlite3.Connection], T]) -> T:
    if not has_table(connection, "batches"):
        raise StoreError(f"{path} is an SQLite file, but no outbox of reamon: give another path")
    return question(connection)


def _state(path: Path) -> tuple[int, int] | None:
    """What changes when the file does; None while some process has it open."""
    if path.with_name(f"{path.name}-wal").exists():
        return None
    status = path.stat()
    return status.st_mtime_ns, status.st_size


def _read_only(path: Path, *, immutable: bool) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro{'&immutable=1' if immutable else ''}", uri=True)


def _free_pages(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA freelist_count").fetchone()[0])
