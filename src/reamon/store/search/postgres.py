"""The index of PostgreSQL: GIN over the words of payloads, of each partition, made on demand.

What is a word is decided by a function of ours, as for SQLite: runs of letters and digits, without case and accents.
So the text is made plain before PostgreSQL's own parser sees it, which would find hosts, e-mail addresses and signed
numbers. Only the first characters of each payload are indexed, since a vector has a limit and a row beyond it could
not be written; that is far more than a payload has unless `payload_limit` was raised.
"""

from collections.abc import Iterator
from typing import Final

from reamon.errors import StoreError
from reamon.store.administration import OpenStore
from reamon.store.postgres.administration import PostgresStore
from reamon.store.search.corpora import CORPORA, Corpus
from reamon.store.search.hits import Hit
from reamon.store.search.query import Query

_CHARACTERS: Final = 40_000  # of each column; six of them stay below the megabyte that a vector may have
_FUNCTION: Final = "search_words"
_ESCAPES: Final = r"\\\\|\\[nrtbf]"
_MARKS: Final = "[\u0300-\u036f]"
_BETWEEN: Final = "[\x01-/:-@\\[-`{-\x7f]+"


def is_built(database: OpenStore) -> bool:
    """Whether there is an index of every table, as a whole."""
    query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)"
    return all(database.rows(query, _name(corpus.table)) == [(True,)] for corpus in CORPORA)


def build(database: OpenStore) -> None:
    """Make the index, of one partition after the other, while others write.

    Raises:
        StoreError: The database is none that can have it.
    """
    if not isinstance(database, PostgresStore):
        raise StoreError(f"{database.where} is no PostgreSQL database")
    _make_function(database)
    for corpus in CORPORA:
        words = _words(corpus)
        partitions = _partitions(database, corpus.table)
        for partition in partitions or [corpus.table]:
            _build_one(database, partition, words)
        if partitions:
            whole = _name(corpus.table)
            database.change(f"CREATE INDEX IF NOT EXISTS {whole} ON ONLY {corpus.table} USING gin ({words})")
            for partition in partitions:
                _attach(database, whole, _name(partition))


def drop(database: OpenStore) -> None:
    """Drop the index."""
    for corpus in CORPORA:
        database.change(f"DROP INDEX IF EXISTS {_name(corpus.table)}")
        for partition in _partitions(database, corpus.table):
            database.change(f"DROP INDEX IF EXISTS {_name(partition)}")
    database.change(f"DROP FUNCTION IF EXISTS {_FUNCTION}(text)")


def look(database: OpenStore, query: Query, project: str | None, limit: int) -> Iterator[Hit]:
    """The newest rows that match, of each table."""
    of_project, parameters = ("", ()) if project is None else (" AND traces.project = ?", (project,))
    for corpus in CORPORA:
        rows = database.rows(
            f"SELECT {corpus.selected(database)} FROM {corpus.table} AS spans"
            f" LEFT JOIN workflow_traces AS traces ON traces.trace_id = spans.trace_id"
            f" WHERE {_words(corpus, 'spans.')} @@ to_tsquery('simple', ?){of_project} ORDER BY spans.id DESC LIMIT ?",
            query.as_tsquery(),
            *parameters,
            limit,
        )
        yield from (corpus.hit(database, query, row) for row in rows)


def _make_function(database: PostgresStore) -> None:
    plain = f"regexp_replace(text, '{_ESCAPES}', ' ', 'g')"
    bare = f"normalize(regexp_replace(normalize({plain}, NFD), '{_MARKS}', '', 'g'), NFC)"
    database.change(
        f"CREATE OR REPLACE FUNCTION {_FUNCTION}(text text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS"
        f" $$ SELECT to_tsvector('pg_catalog.simple', regexp_replace(lower({bare}), '{_BETWEEN}', ' ', 'g')) $$"
    )


def _words(corpus: Corpus, of: str = "") -> str:
    """The expression that is indexed, and that a query has to repeat."""
    texts = [f"coalesce(left(CAST({of}{column} AS text), {_CHARACTERS}), '')" for column in corpus.columns]
    together = " || ' ' || ".join(texts)
    return f"{_FUNCTION}({together})"


def _name(table: str) -> str:
    return f"search_{table}"


def _partitions(database: OpenStore, table: str) -> list[str]:
    query = (
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid"
        " WHERE inhparent = to_regclass(?) ORDER BY 1"
    )
    return [name for (name,) in database.rows(query, table)]


def _build_one(database: OpenStore, table: str, words: str) -> None:
    """An index that writers do not wait for. One that an interrupted attempt has left is of no use, and goes."""
    index = _name(table)
    if database.rows("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(?) AND NOT indisvalid", index):
        database.change(f"DROP INDEX {index}")
    database.change(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index} ON {table} USING gin ({words})")


def _attach(database: OpenStore, whole: str, part: str) -> None:
    attached = "SELECT 1 FROM pg_inherits WHERE inhrelid = to_regclass(?) AND inhparent = to_regclass(?)"
    if not database.rows(attached, part, whole):
        database.change(f"ALTER INDEX {whole} ATTACH PARTITION {part}")
