"""Corpora: which columns of which tables are searched, and what people call them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from reamon.store.administration import OpenStore
from reamon.store.search.hits import Hit, excerpt, readable
from reamon.store.search.query import Query

_FIXED: Final = 7  # columns before the texts


class Corpus(msgspec.Struct, frozen=True, kw_only=True):
    """A table of spans.

    Attributes:
        table: Its name.
        columns: The columns that are searched, and what people call them.
        span_id: The column of the span's id.
        kind: The expression of its kind.
        name: The column of its name.
    """

    table: str
    columns: Mapping[str, str]
    span_id: str = "span_id"
    kind: str = "spans.kind"
    name: str = "name"

    def selected(self, database: OpenStore) -> str:
        """The columns that `hit` takes."""
        texts = ", ".join(database.text(f"spans.{column}") for column in self.columns)
        return (
            f"spans.trace_id, traces.call_id, traces.project, spans.{self.span_id}, {self.kind}, spans.{self.name},"
            f" spans.start_time, {texts}"
        )

    def hits(self, database: OpenStore, query: Query, rows: Iterable[tuple[Any, ...]]) -> Iterator[Hit]:
        """The hits among rows that were `selected`."""
        for row in rows:
            if query.matches([readable(text) for text in row[_FIXED:] if text]):
                yield self.hit(database, query, row)

    def hit(self, database: OpenStore, query: Query, row: tuple[Any, ...]) -> Hit:
        """What a row says that was `selected`."""
        trace_id, call_id, project, span_id, kind, name, start, *values = row
        texts = {column: text for column, text in zip(self.columns, values, strict=True) if text}
        part = excerpt(query, texts, self.columns)
        time = database.time(start)
        assert time is not None  # noqa: S101 - no span is without a start
        return Hit(
            trace_id=trace_id,
            call_id=call_id,
            project=project,
            span_id=span_id,
            kind=kind,
            name=name,
            where=part.where,
            snippet=part.snippet,
            marks=part.marks,
            time=time,
        )


CORPORA: Final = (
    Corpus(
        table="operations",
        columns={"input_data": "input", "output_data": "output", "extra": "state", "error_message": "error"},
    ),
    Corpus(
        table="agent_executions",
        columns={
            "input_data": "input",
            "output_data": "output",
            "state_before": "state",
            "state_after": "state",
            "decision": "decision",
            "error_message": "error",
        },
        kind="'agent'",
        name="agent_name",
    ),
    Corpus(
        table="workflow_traces",
        columns={"input_data": "input", "output_data": "output", "metadata": "metadata", "error_message": "error"},
        span_id="trace_id",
        name="workflow_name",
    ),
)
