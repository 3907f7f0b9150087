"""The index of SQLite: FTS5 tables that hold the words of payloads, and not the payloads once more.

They are derived data, made when somebody first searches and brought up to date before each search. Whoever records
neither pays for them nor depends on them: no statement of the writer's touches an FTS5 table, so a damaged one, or a
Python without FTS5, stops nobody. Beside each there is a plain table of the ids that are in it (`…_known`), which a
trigger keeps true when rows are deleted. So what is missing is found by counting: as many rows as there are more of
them than known ids are to be indexed, and they are looked for from the newest on, until they are found.

Only what has finished is indexed, since its text changes no more. Retention takes entries out before it deletes the
rows; whatever else deletes rows leaves words behind that match no row, so each hit is compared with its row.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Final

from reamon.store.administration import OpenStore, SQLiteStore
from reamon.store.search.corpora import CORPORA, Corpus
from reamon.store.search.hits import Hit
from reamon.store.search.query import Query

_LOOKED_AT: Final = 4_000
_FIRST_PORTION: Final = 250
_LARGEST_PORTION: Final = 4_000
_PAGES: Final = 16  # that one step of merging writes
_TARGET: Final = 0.05  # seconds for which one transaction may hold the write lock

UNFINISHED: Final = "status IN ('running', 'interrupted')"
"""The condition of workflows that may be replaced by their finish."""

Progress = Callable[[int], object]


def is_available(connection: sqlite3.Connection) -> bool:
    """Whether this Python's SQLite has FTS5."""
    return bool(connection.execute("SELECT 1 FROM pragma_module_list WHERE name = 'fts5'").fetchone())


def bring_up_to_date(database: SQLiteStore, progress: Progress | None = None) -> None:
    """Index what is not indexed yet, in short transactions; make the index where there is none.

    Args:
        database: Writable.
        progress: Told after each transaction how many rows it has indexed.

    Raises:
        sqlite3.Error: It cannot be written, or the index is damaged.
    """
    for corpus in CORPORA:
        if not exists(database, corpus.table):
            with database.transaction():
                _create(database, corpus)
        _Indexing(database, corpus, progress).run()


def forget(connection: sqlite3.Connection) -> None:
    """Drop the whole index; the next search makes it anew. Does nothing where there is none."""
    for corpus in CORPORA:
        index = _name(corpus)
        connection.execute(f"DROP TRIGGER IF EXISTS {index}_gone")
        connection.execute(f"DROP TABLE IF EXISTS {index}_known")
        try:
            connection.execute(f"DROP TABLE IF EXISTS {index}")
        except sqlite3.DatabaseError:
            _tear_out(connection, index)
        connection.execute(f"DROP VIEW IF EXISTS {index}_text")


def exists(database: OpenStore, table: str) -> bool:
    """Whether there is an index of this table."""
    query = "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ?"  # the last that is made
    return database.dialect == "sqlite" and bool(database.rows(query, f"search_{table}_gone"))


def take_out(database: SQLiteStore, table: str, ids: Sequence[int]) -> None:
    """Take the entries of rows out of the index, inside of the transaction that deletes or empties them.

    Raises:
        sqlite3.Error: The index is damaged.
    """
    corpus = next(corpus for corpus in CORPORA if corpus.table == table)
    index, columns, some = _name(corpus), ", ".join(corpus.columns), database.several(ids)
    known = f"{database.among('id')} AND id IN (SELECT id FROM {index}_known)"
    database.change(
        f"INSERT INTO {index} ({index}, rowid, {columns})"
        f" SELECT 'delete', id, {columns} FROM {index}_text WHERE {known} ORDER BY id",
        some,
    )
    database.change(f"DELETE FROM {index}_known WHERE {database.among('id')}", some)


def merge(database: SQLiteStore, table: str) -> Iterator[None]:
    """Write the index anew without what was taken out, a little with each step.

    Until then FTS5 only notes that an entry is gone.
    """
    index = f"search_{table}"
    pages = -_PAGES
    while True:
        before = database.connection.total_changes
        database.change(f"INSERT INTO {index} ({index}, rank) VALUES ('merge', {pages})")
        if database.connection.total_changes - before < 2:  # FTS5's way to say that there is nothing left to merge
            return
        pages = _PAGES
        yield


def is_ours(table: str | None) -> bool:
    """Whether a table of that name belongs to the index, and not to the schema that migrations know.

    Example:
        >>> is_ours("search_operations_docsize"), is_ours("operations")
        (True, False)
    """
    return table is not None and table.startswith(tuple(_name(corpus) for corpus in CORPORA))


def look(database: SQLiteStore, query: Query, project: str | None, limit: int) -> list[Hit]:
    """The newest rows that match, of each table.

    Raises:
        sqlite3.Error: There is no index, or it is damaged.
    """
    return [hit for corpus in CORPORA for hit in _look(database, corpus, query, project, limit)]


def plain(column: str) -> str:
    """The expression of a column's text without JSON's escapes, whose letters would join the words behind them."""
    expression = f"replace({column}, '\\\\', ' ')"
    for letter in "nrtbf":
        expression = f"replace({expression}, '\\{letter}', ' ')"
    return expression


def _tear_out(connection: sqlite3.Connection, index: str) -> None:
    """Drop an index that is so damaged that FTS5 cannot even open it to drop it."""
    connection.execute("PRAGMA writable_schema = ON")
    try:
        connection.execute("DELETE FROM sqlite_master WHERE type = 'table' AND name = ?", (index,))
    finally:
        connection.execute("PRAGMA writable_schema = RESET")
    for part in ("data", "idx", "config", "docsize", "content"):
        connection.execute(f"DROP TABLE IF EXISTS {index}_{part}")


def _look(database: SQLiteStore, corpus: Corpus, query: Query, project: str | None, limit: int) -> Iterator[Hit]:
    index = _name(corpus)
    of_project, parameters = ("", ()) if project is None else (" AND traces.project = ?", (project,))
    found = database.connection.execute(
        f"SELECT {corpus.selected(database)} FROM {index}"
        f" CROSS JOIN {corpus.table} AS spans ON spans.id = {index}.rowid"
        f" LEFT JOIN workflow_traces AS traces ON traces.trace_id = spans.trace_id"
        f" WHERE {index} MATCH ?{of_project} ORDER BY {index}.rowid DESC",
        (query.as_fts5(), *parameters),
    )
    with closing(found):
        yield from islice(corpus.hits(database, query, found), limit)
    if corpus.table == "workflow_traces":
        unfinished = database.connection.execute(
            f"SELECT {corpus.selected(database)} FROM {corpus.table} AS spans"
            " JOIN workflow_traces AS traces ON traces.id = spans.id"
            f" WHERE spans.status <> 'completed' AND spans.{UNFINISHED}{of_project} ORDER BY spans.id DESC",
            parameters,
        )
        with closing(unfinished):
            yield from islice(corpus.hits(database, query, unfinished), limit)


def _name(corpus: Corpus) -> str:
    return f"search_{corpus.table}"


def _create(database: SQLiteStore, corpus: Corpus) -> None:
    index, columns = _name(corpus), ", ".join(corpus.columns)
    text = ", ".join(f"{plain(column)} AS {column}" for column in corpus.columns)
    for statement in (
        f"CREATE VIEW IF NOT EXISTS {index}_text AS SELECT id, {text} FROM {corpus.table}",
        f"CREATE TABLE IF NOT EXISTS {index}_known (id INTEGER PRIMARY KEY)",
        f"CREATE VIRTUAL TABLE IF NOT EXISTS {index} USING fts5({columns}, content='{index}_text', content_rowid='id',"
        " columnsize=0, tokenize='unicode61 remove_diacritics 2')",
        f"CREATE TRIGGER IF NOT EXISTS {index}_gone AFTER DELETE ON {corpus.table}"
        f" BEGIN DELETE FROM {index}_known WHERE id = old.id; END",
    ):
        database.change(statement)


class _Indexing:
    """One table being brought up to date."""

    def __init__(self, database: SQLiteStore, corpus: Corpus, progress: Progress | None) -> None:
        self._database = database
        self._table = corpus.table
        self._index = _name(corpus)
        self._columns = ", ".join(corpus.columns)
        self._finished = f" AND NOT ({UNFINISHED})" if corpus.table == "workflow_traces" else ""
        self._progress = progress
        self._portion = _FIRST_PORTION

    def run(self) -> None:
        """From the newest rows on, until as many were indexed as were missing."""
        missing = self._missing()
        before: int | None = None
        while missing > 0:
            condition = "" if before is None else f" WHERE id < {before}"
            window = f"SELECT id FROM {self._table}{condition} ORDER BY id DESC LIMIT {_LOOKED_AT}"
            found = self._database.rows(f"SELECT min(id), max(id) FROM ({window})")
            low, high = found[0]
            if low is None:
                return
            missing -= self._index_between(low, high)
            before = low

    def _missing(self) -> int:
        unfinished = ""
        if self._finished:
            unfinished = f" - (SELECT count(*) FROM {self._table} WHERE status <> 'completed' AND {UNFINISHED})"
        query = f"SELECT (SELECT count(*) FROM {self._table}){unfinished} - (SELECT count(*) FROM {self._index}_known)"
        return int(self._database.rows(query)[0][0])

    def _index_between(self, low: int, high: int) -> int:
        find = (
            f"SELECT id FROM {self._table} WHERE id BETWEEN ? AND ?{self._finished}"
            f" AND id NOT IN (SELECT id FROM {self._index}_known WHERE id BETWEEN ? AND ?) ORDER BY id LIMIT ?"
        )
        among = self._database.among("id")
        enter = (
            f"INSERT INTO {self._index} (rowid, {self._columns})"
            f" SELECT id, {self._columns} FROM {self._index}_text WHERE {among} ORDER BY id"
        )
        indexed = 0
        while True:
            portion = self._portion
            with self._database.transaction():
                begun = time.perf_counter()
                found = self._database.rows(find, low, high, low, high, portion)
                count = len(found)
                if found:
                    ids = self._database.several([row_id for (row_id,) in found])
                    self._database.change(enter, ids)
                    self._database.change(f"INSERT INTO {self._index}_known SELECT value FROM json_each(?)", ids)
            self._adapt(time.perf_counter() - begun)
            indexed += count
            if self._progress is not None:
                self._progress(count)
            if count < portion:
                return indexed

    def _adapt(self, held: float) -> None:
        """Make the next portion larger or smaller, and let writers have their turn."""
        if held > _TARGET:
            self._portion = max(self._portion // 2, 10)
        elif held < _TARGET / 2:
            self._portion = min(self._portion * 2, _LARGEST_PORTION)
        time.sleep(min(held / 10, _TARGET))
