"""The scan: a search without an index, which reads every row and finds the same."""

from itertools import islice
from typing import Final

from reamon.store.administration import OpenStore
from reamon.store.search.corpora import CORPORA, Corpus
from reamon.store.search.hits import Hit
from reamon.store.search.query import Query

_WINDOW: Final = 500


def scan(database: OpenStore, query: Query, project: str | None, limit: int) -> list[Hit]:
    """The newest rows that match, of each table."""
    return [hit for corpus in CORPORA for hit in _scan(database, corpus, query, project, limit)]


def _scan(database: OpenStore, corpus: Corpus, query: Query, project: str | None, limit: int) -> list[Hit]:
    of_project = "" if project is None else " AND traces.project = ?"
    statement = (
        f"SELECT spans.id, {corpus.selected(database)} FROM {corpus.table} AS spans"
        f" LEFT JOIN workflow_traces AS traces ON traces.trace_id = spans.trace_id"
        f" WHERE (spans.id, spans.{corpus.span_id}) < (?, ?){of_project}"
        f" ORDER BY spans.id DESC, spans.{corpus.span_id} DESC LIMIT {_WINDOW}"
    )
    parameters = [] if project is None else [project]
    hits: list[Hit] = []
    before: tuple[int, str] = ((1 << 63) - 1, "")
    while len(hits) < limit and (rows := database.rows(statement, *before, *parameters)):
        before = (rows[-1][0], rows[-1][4])
        found = corpus.hits(database, query, (tuple(row) for _, *row in rows))
        hits += islice(found, limit - len(hits))
    return hits
