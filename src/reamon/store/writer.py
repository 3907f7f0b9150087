"""The way in: a batch of spans in one SQLite transaction, with nothing but `sqlite3`.

What makes it fast: rows in the order in which they come, several in one statement (each statement gives up the
interpreter's lock once, and then works without it), integer keys that grow with time, as few indexes as the readers
need, and sums that are read once for all traces of a batch.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from reamon.errors import Rejected
from reamon.guard import describe
from reamon.model import Span, SpanKind
from reamon.model.ids import row_id
from reamon.store.inserts import Insert, KeyedInsert, Values
from reamon.store.mending import mended
from reamon.store.places import HELD_HERE, Places
from reamon.store.rows import (
    AGENT_COLUMNS,
    COST_COLUMNS,
    OPERATION_COLUMNS,
    PLAIN_COLUMNS,
    WORKFLOW_COLUMNS,
    agent_row,
    cost_rows,
    is_plain,
    operation_row,
    plain_operation_row,
    workflow_row,
)
from reamon.store.sums import Sums, read_sums

_AGENT: Final = SpanKind.AGENT  # looked up once: Python 3.11 finds a member of an enum by way of a descriptor
_WORKFLOW: Final = SpanKind.WORKFLOW

INTERRUPTED_REASON: Final = "its process died; when it ended is not known"

_UNFINISHED: Final = "status IN ('running', 'interrupted')"
_COSTS_KEPT: Final = "NOT workflow_traces.costs_pruned"  # what no details are left of cannot be added up again
_NOT_STORABLE: Final = (
    ValueError,
    TypeError,
    ArithmeticError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What a span raises whose content SQLite cannot hold; trouble with the file is another error."""

_operations = KeyedInsert("operations", OPERATION_COLUMNS, key="span_id")
_plain_operations = KeyedInsert("operations", PLAIN_COLUMNS, key="span_id")
_agents = KeyedInsert("agent_executions", AGENT_COLUMNS, key="span_id")
_starts = KeyedInsert("workflow_traces", WORKFLOW_COLUMNS, key="trace_id")
_finishes = KeyedInsert(
    "workflow_traces",
    WORKFLOW_COLUMNS,
    key="trace_id",
    replace=_UNFINISHED,
    instead={
        column: f"CASE WHEN {_COSTS_KEPT} THEN excluded.{column} ELSE workflow_traces.{column} END"
        for column in ("total_cost", "cost_status")
    },
)
_details = Insert("cost_details", COST_COLUMNS, "(span_id, cost_type, price_version, item)", replace="TRUE")

_UPDATE_AGENT: Final = f"UPDATE agent_executions SET cost = ? WHERE {HELD_HERE} AND span_id = ?"
_UPDATE_TRACE: Final = (
    f"UPDATE workflow_traces SET total_cost = ?, cost_status = ? WHERE {HELD_HERE} AND trace_id = ? AND {_COSTS_KEPT}"
)


class SpanWriter:
    """Writes spans to a store: in any order, children before their roots, and as often as they come.

    A root has a row in `workflow_traces`, an agent one in `agent_executions`, and everything else, roots that are
    neither workflow nor agent included, one in `operations`.

    Money: `total_cost` is the sum of the trace's known cost details, and `cost_status` says what that is worth:
    "complete" where every detail has an amount, "partial" where some have, "unknown", with no total, where none has or
    nothing was recorded. An agent's `cost` is that of the operations it is the nearest agent of, and its own.

    Args:
        connection: From `reamon.store.sqlite.connect`; used by one thread at a time.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def write(self, batch: Sequence[Span]) -> None:
        """Store finished spans, all in one transaction.

        Raises:
            Rejected: Some can never be stored; the others are.
            sqlite3.Error: Nothing was stored: the file is locked, the disk is full, ...
        """
        self._store(batch, self._write)

    def write_started(self, batch: Sequence[Span]) -> None:
        """Store workflows that have begun; what is there already, finished or not, stays.

        Raises:
            Rejected: Some can never be stored; the others are.
            sqlite3.Error: Nothing was stored.
        """
        self._store(batch, self._write_started)

    def running_processes(self) -> list[str]:
        """The processes that have workflows running here, as far as the store knows."""
        found = self._connection.execute(
            "SELECT DISTINCT process_id FROM workflow_traces WHERE status = 'running' AND process_id IS NOT NULL"
        )
        return [process_id for (process_id,) in found]

    def interrupt(self, process_ids: Collection[str]) -> int:
        """Mark what these dead processes had running as interrupted. Returns how many workflows that were."""
        with self._transaction():
            return sum(
                self._connection.execute(
                    "UPDATE workflow_traces SET status = 'interrupted', status_reason = ?"
                    " WHERE status = 'running' AND process_id = ?",
                    (INTERRUPTED_REASON, process_id),
                ).rowcount
                for process_id in process_ids
            )

    def _store(self, batch: Sequence[Span], write: Callable[[Sequence[Span]], None]) -> None:
        try:
            write(batch)
        except _NOT_STORABLE:
            self._connection.execute("SELECT 1")  # raises where the connection is to blame, and no span
            self._store_singly(batch, write)

    def _store_singly(self, batch: Sequence[Span], write: Callable[[Sequence[Span]], None]) -> None:
        """One transaction for each span, so that one that cannot be stored takes no other with it."""
        refused: dict[str, Exception] = {}
        for span in batch:
            try:
                write((span,))
            except _NOT_STORABLE:
                try:
                    write((mended(span),))
                except _NOT_STORABLE as error:
                    refused[span.span_id] = error
        if refused:
            why = describe(next(iter(refused.values())))
            raise Rejected(f"SQLite cannot hold what they contain ({why})", list(refused))

    def _write_started(self, batch: Sequence[Span]) -> None:
        starts: Values = []
        for span in batch:
            starts += workflow_row(span)
        with self._transaction():
            _starts.run(self._connection, starts)

    def _write(self, batch: Sequence[Span]) -> None:
        operations: Values = []
        plain_operations: Values = []
        details: Values = []
        agents: list[Span] = []
        roots: list[Span] = []
        billed: list[Span] = []
        for span in batch:
            if span.parent_id is None:
                roots.append(span)
            if span.kind is _AGENT:
                agents.append(span)
            elif span.kind is not _WORKFLOW or span.parent_id is not None:
                if is_plain(span):
                    plain_operations += plain_operation_row(span)
                else:
                    operations += operation_row(span)
            if span.costs:
                billed.append(span)
                for row in cost_rows(span):
                    details += row
        connection = self._connection
        with self._transaction():
            _operations.run(connection, operations)
            _plain_operations.run(connection, plain_operations)
            _details.run(connection, details)
            sums = read_sums(connection, {span.trace_id for kind in (roots, agents, billed) for span in kind})
            new_agents = _agents.run(connection, _agent_values(agents, sums))
            new_roots = _finishes.run(connection, _root_values(roots, sums))
            self._update_agents(billed, agents if new_agents else (), sums)
            self._update_traces(billed, roots if new_roots else (), sums)

    def _update_agents(self, billed: Sequence[Span], written: Sequence[Span], sums: Sums) -> None:
        """Bring the cost of agents that were stored before up to date."""
        stale = {span.agent_id for span in billed if span.agent_id} - {span.span_id for span in written}
        self._connection.executemany(
            _UPDATE_AGENT,
            [(sums.of_agent(agent), *_places(agent), agent) for agent in stale],
        )

    def _update_traces(self, billed: Sequence[Span], written: Sequence[Span], sums: Sums) -> None:
        """Bring the total of traces that were stored before, or still run, up to date."""
        stale = {span.trace_id for span in billed} - {span.trace_id for span in written}
        self._connection.executemany(
            _UPDATE_TRACE,
            [(*sums.of_trace(trace), *_places(trace), trace) for trace in stale],
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                connection.execute("ROLLBACK")
            raise


def _agent_values(agents: Sequence[Span], sums: Sums) -> Values:
    values: Values = []
    for span in agents:
        values += agent_row(span, sums.of_agent(span.span_id))
    return values


def _root_values(roots: Sequence[Span], sums: Sums) -> Values:
    values: Values = []
    for span in roots:
        values += workflow_row(span, sums.of_trace(span.trace_id))
    return values


def _places(span_id: str) -> Places:
    return Places.of(row_id(span_id), span_id)
