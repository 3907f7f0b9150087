"""The way in: a batch of spans in one PostgreSQL transaction, by COPY."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import psycopg
from psycopg import errors

from reamon.errors import Rejected
from reamon.guard import describe
from reamon.model import Span, SpanKind
from reamon.model.ids import row_id
from reamon.store.mending import mended
from reamon.store.postgres import statements
from reamon.store.postgres.locks import totals_numbers
from reamon.store.postgres.mending import Values, mend_row
from reamon.store.postgres.partitions import PartitionMaker
from reamon.store.postgres.staging import Staging
from reamon.store.postgres.statements import AGENTS, COSTS, OPERATIONS, STAGINGS, WORKFLOWS
from reamon.store.rows import Row, agent_row, cost_rows, operation_row, workflow_row

_AGENT: Final = SpanKind.AGENT
_WORKFLOW: Final = SpanKind.WORKFLOW

_NOT_STORABLE: Final = (
    ValueError,
    TypeError,
    ArithmeticError,
    psycopg.DataError,
    psycopg.IntegrityError,
    errors.CardinalityViolation,  # two cost types that are one once they are mended
    errors.ProgramLimitExceeded,
    errors.StatementTooComplex,
)
"""What a span raises whose content PostgreSQL cannot hold; trouble with the server is another error."""


class PostgresWriter:
    """Writes spans to a store in PostgreSQL: in any order, children before their roots, and as often as they come.

    What it writes is what `reamon.store.SpanWriter` writes to SQLite. Any number of processes may write at once, the
    spans of one trace included: totals are added up under a lock that they share.

    Args:
        connection: From `reamon.store.postgres.connection.connect`; used by one thread at a time.
        schema: The schema of the store.
    """

    def __init__(self, connection: psycopg.Connection[Any], schema: str) -> None:
        self._connection = connection
        self._schema = schema
        self._partitions = PartitionMaker(connection, schema)
        connection.execute("; ".join(staging.create for staging in STAGINGS))
        self._partitions.make_ahead()

    def write(self, batch: Sequence[Span]) -> None:
        """Store finished spans, all in one transaction.

        Raises:
            Rejected: Some can never be stored; the others are.
            psycopg.Error: Nothing was stored: the server is down, the disk is full, ...
        """
        self._store(batch, self._write)

    def write_started(self, batch: Sequence[Span]) -> None:
        """Store workflows that have begun; what is there already, finished or not, stays.

        Raises:
            Rejected: Some can never be stored; the others are.
            psycopg.Error: Nothing was stored.
        """
        self._store(batch, self._write_started)

    def _store(self, batch: Sequence[Span], write: Callable[["_Batch"], None]) -> None:
        if _refusal(write, _Batch(batch)) is None:
            return
        refused: dict[str, Exception] = {}
        self._store_mended(batch, write, refused)
        if refused:
            why = describe(next(iter(refused.values())))
            raise Rejected(f"PostgreSQL cannot hold what they contain ({why})", list(refused))

    def _store_mended(
        self, batch: Sequence[Span], write: Callable[["_Batch"], None], refused: dict[str, Exception]
    ) -> None:
        """Store what can be mended; what cannot is found by halving, so that it takes no other span with it."""
        error = _refusal(write, _MendedBatch(batch))
        if error is None:
            return
        if len(batch) == 1:
            refused[batch[0].span_id] = error
            return
        middle = len(batch) // 2
        self._store_mended(batch[:middle], write, refused)
        self._store_mended(batch[middle:], write, refused)

    def _write_started(self, batch: "_Batch") -> None:
        starts = batch.rows(WORKFLOWS, (workflow_row(span) for span in batch.spans))
        with self._connection.transaction():
            WORKFLOWS.fill(self._connection, starts)
            self._connection.execute(statements.INSERT_STARTS, prepare=True)

    def _write(self, batch: "_Batch") -> None:
        agents: list[Span] = []
        operations: list[Span] = []
        roots: dict[str, Span] = {}
        billed: list[Span] = []
        for span in batch.spans:
            if span.parent_id is None:
                roots.setdefault(span.trace_id, span)
            if span.kind is _AGENT:
                agents.append(span)
            elif span.kind is not _WORKFLOW or span.parent_id is not None:
                operations.append(span)
            if span.costs:
                billed.append(span)
        staged = [
            (OPERATIONS, statements.INSERT_OPERATIONS, batch.rows(OPERATIONS, map(operation_row, operations))),
            (COSTS, statements.UPSERT_COSTS, batch.rows(COSTS, _details(billed))),
            (AGENTS, statements.INSERT_AGENTS, batch.rows(AGENTS, map(agent_row, agents))),
            (WORKFLOWS, statements.UPSERT_FINISHES, batch.rows(WORKFLOWS, map(workflow_row, roots.values()))),
        ]
        self._partitions.make_for(int(row[0] or 0) for _, _, rows in (staged[0], staged[2]) for row in rows)
        summed = {span.trace_id for spans in (agents, billed, roots.values()) for span in spans}
        self._run(staged, summed, billed)

    def _run(self, staged: "list[tuple[Staging, str, list[Values]]]", summed: set[str], billed: list[Span]) -> None:
        connection = self._connection
        with connection.transaction():
            for staging, _, rows in staged:
                if rows:
                    staging.fill(connection, rows)
            with connection.pipeline():
                self._insert(staged[:2])
                if summed:
                    numbers = totals_numbers(self._schema, summed)
                    connection.execute(statements.LOCK_TOTALS, (numbers,), prepare=True)
                self._insert(staged[2:])
                if billed:
                    self._update_totals(billed)

    def _insert(self, staged: "list[tuple[Staging, str, list[Values]]]") -> None:
        for _, insert, rows in staged:
            if rows:
                self._connection.execute(insert, prepare=True)

    def _update_totals(self, billed: list[Span]) -> None:
        """Bring the costs of agents and the totals of traces up to date that were stored before."""
        agents = sorted({(row_id(span.agent_id), span.agent_id, span.trace_id) for span in billed if span.agent_id})
        traces = sorted({(row_id(span.trace_id), span.trace_id) for span in billed})
        if agents:
            self._connection.execute(statements.UPDATE_AGENTS, _columns(agents), prepare=True)
        self._connection.execute(statements.UPDATE_TRACES, _columns(traces), prepare=True)


class _Batch:
    """Spans, and how rows are made of them."""

    def __init__(self, given: Sequence[Span]) -> None:
        self.given = given

    @property
    def spans(self) -> Sequence[Span]:
        """The spans that are stored."""
        return self.given

    def rows(self, staging: Staging, rows: Iterable[Row]) -> list[Values]:
        """The rows as PostgreSQL takes them."""
        return [staging.row(row) for row in rows]


class _MendedBatch(_Batch):
    """Spans of which one at least cannot be stored as it is."""

    @property
    def spans(self) -> Sequence[Span]:
        """The spans, with text and numbers that can be written."""
        return [mended(span) for span in self.given]

    def rows(self, staging: Staging, rows: Iterable[Row]) -> list[Values]:
        """The rows as PostgreSQL takes them whatever they contain."""
        return [mend_row(row, staging.columns, staging.types) for row in super().rows(staging, rows)]


def _refusal(write: Callable[[_Batch], None], batch: _Batch) -> Exception | None:
    """Write a batch. Returns why it cannot be stored, if something in it is to blame."""
    try:
        write(batch)
    except _NOT_STORABLE as error:
        return error
    return None


def _details(billed: Sequence[Span]) -> list[Row]:
    """The cost details of these spans; of one that comes twice, the last."""
    return list({row[:4]: row for span in billed for row in cost_rows(span)}.values())


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
