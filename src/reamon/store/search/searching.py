"""Searching: one question, whatever the store is."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reamon.errors import StoreError
from reamon.store.administration import SQLiteStore, is_postgres, opened, path_of
from reamon.store.projects import Project, visible
from reamon.store.search import fts
from reamon.store.search.hits import Found, Hit
from reamon.store.search.query import Query
from reamon.store.search.scan import scan

_NO_MODULE: Final = "this Python's SQLite has no FTS5, so every row was read"
_NOT_WRITABLE: Final = "the store cannot be written here, so there is no index to use, and every row was read"
_BUSY: Final = (
    "somebody writes to the store without a pause, so the index could not be brought up to date: every row was read"
)
_NOT_BUILT: Final = "there is no index, so every row was read: `reamon search --build` makes one"
_DAMAGED: Final = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}
_IN_THE_WAY: Final = {sqlite3.SQLITE_BUSY: _BUSY, sqlite3.SQLITE_LOCKED: _BUSY, sqlite3.SQLITE_READONLY: _NOT_WRITABLE}

Progress = Callable[[int], object]


def search(
    target: Path | str, text: str, *, project: Project = None, limit: int = 20, progress: Progress | None = None
) -> Found:
    """Find spans by the words of their inputs, outputs, states, decisions and errors.

    Every word has to occur, in any case and with or without accents; `"a phrase"` as it stands, `begin*` as the
    beginning of a word. No text is wrong: where it has no word, nothing is found.

    On SQLite the index is made by the first search and brought up to date by each, while others write; where that
    cannot be, every row is read instead. On PostgreSQL `build_index` makes it.

    Args:
        target: The store: a SQLite file, or the URL of a database.
        text: What to look for.
        project: Only in this project; `ALL_PROJECTS`: in every one; None: in the configured one.
        limit: How many hits, at most.
        progress: Told how many rows were just indexed.

    Raises:
        StoreError: There is no store, or it cannot be read.
    """
    query, seen = Query.parse(text), visible(project)
    if not query.terms or limit < 1:
        with opened(target, writable=False):
            return Found(hits=(), by="index")
    if is_postgres(target):
        return _search_postgres(target, query, seen, limit)
    return _search_sqlite(path_of(target), query, seen, limit, progress)


def build_index(target: Path | str, *, progress: Progress | None = None) -> None:
    """Make the index now, or bring it up to date, rather than when somebody searches.

    Raises:
        StoreError: There is no store, it cannot be written, or its database can have no index.
    """
    with opened(target, writable=True) as database:
        if not isinstance(database, SQLiteStore):
            from reamon.store.search.postgres import build  # noqa: PLC0415 - of one kind of store

            build(database)
        elif not fts.is_available(database.connection):
            raise StoreError(f"{database.where} can have no index: {_NO_MODULE.partition(',')[0]}")
        else:
            _bring_up_to_date(database, progress)


def forget_index(target: Path | str) -> None:
    """Drop the index, whose room is then free; the next search, or `build_index`, makes it anew.

    Raises:
        StoreError: There is no store, or it cannot be written.
    """
    with opened(target, writable=True) as database:
        if isinstance(database, SQLiteStore):
            with database.transaction():
                fts.forget(database.connection)
        else:
            from reamon.store.search.postgres import drop  # noqa: PLC0415 - of one kind of store

            drop(database)


def _search_sqlite(path: Path, query: Query, project: str | None, limit: int, progress: Progress | None) -> Found:
    try:
        with _indexable(path) as database:
            _bring_up_to_date(database, progress)
            try:
                hits = fts.look(database, query, project, limit)
            except sqlite3.DatabaseError as error:
                if _code(error) not in _DAMAGED:
                    raise
                _make_anew(database, progress)
                hits = fts.look(database, query, project, limit)
            return Found(hits=_newest(hits, limit), by="index")
    except _NoIndexError as reason:
        note = str(reason)
    with opened(path, writable=False) as database:
        return Found(hits=_newest(scan(database, query, project, limit), limit), by="scan", note=note)


def _search_postgres(target: Path | str, query: Query, project: str | None, limit: int) -> Found:
    from reamon.store.search import postgres  # noqa: PLC0415 - of one kind of store

    with opened(target, writable=False) as database:
        if postgres.is_built(database):
            return Found(hits=_newest(list(postgres.look(database, query, project, limit)), limit), by="index")
        return Found(hits=_newest(scan(database, query, project, limit), limit), by="scan", note=_NOT_BUILT)


class _NoIndexError(Exception):
    """No index can be used here, and why."""


@contextmanager
def _indexable(path: Path) -> Iterator[SQLiteStore]:
    """The store, opened to bring its index up to date.

    Raises:
        _NoIndexError: That cannot be.
        StoreError: There is no store.
    """
    try:
        with opened(path, writable=True) as database:
            if not isinstance(database, SQLiteStore) or not fts.is_available(database.connection):
                raise _NoIndexError(_NO_MODULE)
            yield database
    except StoreError as error:
        cause = error.__cause__
        if isinstance(cause, PermissionError):
            raise _NoIndexError(_NOT_WRITABLE) from error
        if isinstance(cause, sqlite3.Error) and (reason := _IN_THE_WAY.get(_code(cause) or 0)):
            raise _NoIndexError(reason) from error
        raise


def _bring_up_to_date(database: SQLiteStore, progress: Progress | None) -> None:
    try:
        fts.bring_up_to_date(database, progress)
    except sqlite3.DatabaseError as error:
        if _code(error) not in _DAMAGED:
            raise
        _make_anew(database, progress)


def _make_anew(database: SQLiteStore, progress: Progress | None) -> None:
    """Make an index in the place of one that is damaged: it can only hold what the tables hold."""
    with database.transaction():
        fts.forget(database.connection)
    fts.bring_up_to_date(database, progress)


def _newest(hits: list[Hit], limit: int) -> tuple[Hit, ...]:
    once = {hit.span_id: hit for hit in hits}  # a root that is no workflow has rows in two tables
    return tuple(sorted(once.values(), key=lambda hit: (hit.time, hit.span_id), reverse=True)[:limit])


def _code(error: sqlite3.Error) -> int | None:
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF
