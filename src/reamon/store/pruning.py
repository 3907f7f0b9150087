"""Pruning: one run of retention over a store."""

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from reamon.model.ids import row_id_at, uuid7
from reamon.model.times import from_datetime
from reamon.store.administration import OpenStore, SQLiteStore
from reamon.store.limits import Limits
from reamon.store.search import fts

PAYLOADS: Final = (
    "metadata", "usage", "attributes", "events", "links", "extra", "error_stack", "input_data", "output_data",
)  # fmt: skip
"""The columns of `workflow_traces` that are detail; the others are the summary."""

DETAILS: Final = ("operations", "agent_executions")
"""The tables that hold nothing but detail."""

_LOOKED_AT: Final = 2_000  # rows that one look for old traces reads
_FIRST_PORTION: Final = 64  # rows changed in the first transaction; the next ones are as large as they are quick
_LARGEST_PORTION: Final = 4_096
_TARGET: Final = 0.02  # seconds for which one transaction may hold the write lock
_FIRST_MOMENT: Final = datetime(2020, 1, 1, tzinfo=UTC)  # before it there are no row ids


class Pruned(msgspec.Struct, frozen=True, kw_only=True):
    """What went, or would go.

    Attributes:
        rows: How many rows of each table; of `workflow_traces` those whose payloads went.
        summaries: How many workflows went altogether.
        partitions: The partitions that were dropped whole; their rows are in `rows` as far as they were counted.
        transactions: How many transactions it took.
        longest: The longest of them in seconds: so long a writer had to wait, at most.
    """

    rows: dict[str, int]
    summaries: int = 0
    partitions: tuple[str, ...] = ()
    transactions: int = 0
    longest: float = 0.0

    @property
    def total(self) -> int:
        """How many rows that are together."""
        return sum(self.rows.values()) + self.summaries


Progress = Callable[[Pruned], object]


class Pruning:
    """One run, and how far it is.

    Args:
        database: Where.
        limits: How long each kind of data is kept.
        project: Only what belongs to this project; None: everything.
        now: The time.
        dry_run: Only count.
        progress: Told after each transaction.
        is_wanted: Asked between transactions whether to go on.
    """

    def __init__(
        self,
        database: OpenStore,
        limits: Limits,
        project: str | None,
        now: datetime,
        *,
        dry_run: bool,
        progress: Progress | None,
        is_wanted: Callable[[], bool],
    ) -> None:
        self._database = database
        self._limits = limits
        self._project = project
        self._now = now
        self._dry_run = dry_run
        self._progress = progress
        self._is_wanted = is_wanted
        self._rows: dict[str, int] = {}
        self._summaries = 0
        self._partitions: list[str] = []
        self._transactions = 0
        self._longest = 0.0
        self._held = 0.0
        self._portion = _FIRST_PORTION
        self._seen: set[str] = set()
        searched = (*DETAILS, "workflow_traces")
        self._indexed = set() if dry_run else {table for table in searched if fts.exists(database, table)}

    def run(self) -> None:
        """Everything, by kind."""
        if isinstance(self._database, SQLiteStore) and not self._dry_run:
            self._database.change("PRAGMA secure_delete = ON")  # what has to go shall not stay in free pages
        if before := self._before(self._limits.detail):
            self._prune_detail(before)
        if before := self._before(self._limits.costs):
            self._prune_costs(before)
        if before := self._before(self._limits.metrics):
            self._prune_by_time("performance_metrics", "timestamp", before)
        if before := self._before(self._limits.alerts):
            self._prune_by_time("alert_history", "triggered_at", before, "resolved_at IS NOT NULL")
        if before := self._before(self._limits.summaries):
            self._prune_summaries(before)
        self._merge_index()

    def result(self) -> Pruned:
        """What has gone so far."""
        return Pruned(
            rows=dict(self._rows),
            summaries=self._summaries,
            partitions=tuple(self._partitions),
            transactions=self._transactions,
            longest=self._longest,
        )

    # -- by kind -----------------------------------------------------------------------------------------------------

    def _prune_detail(self, before: datetime) -> None:
        if self._database.dialect == "postgresql" and self._project is None and not self._dry_run:
            self._drop_partitions(before)
        for table in DETAILS:
            for traces in self._traces_of_old_rows(table, before):
                self._prune_traces(traces)
        for traces in self._traces_with_payloads(before):
            self._prune_traces(traces)

    def _prune_traces(self, traces: list[str]) -> None:
        """Take the detail of whole traces."""
        for table in DETAILS:
            self._delete(table, self._key("span_id"), self._database.among("trace_id"), self._database.several(traces))
        self._empty(traces)

    def _prune_costs(self, before: datetime) -> None:
        """Cost details, of whole traces; their totals are marked as what can no longer be added up."""
        last, end = "", uuid7(from_datetime(before), 0)  # the ids of traces grow with time, too
        query = (
            f"SELECT DISTINCT trace_id FROM cost_details WHERE trace_id > ? AND trace_id < ?"
            f"{self._of_project('cost_details')} ORDER BY trace_id LIMIT {_LOOKED_AT}"
        )
        while self._is_wanted() and (rows := self._database.rows(query, last, end, *self._project_parameters())):
            last = rows[-1][0]
            self._prune_costs_of(self._without_running([trace_id for (trace_id,) in rows]))

    def _prune_costs_of(self, traces: list[str]) -> None:
        database = self._database
        of_these = database.among("trace_id")
        while traces:
            some = database.several(traces[: self._portion])
            traces = traces[self._portion :]
            if self._dry_run:
                query = f"SELECT count(*) FROM cost_details WHERE {of_these}"
                self._count("cost_details", database.rows(query, some)[0][0])
                continue
            with self._short_transaction():
                database.change(f"UPDATE workflow_traces SET costs_pruned = TRUE WHERE {of_these}", some)
                gone = database.change(f"DELETE FROM cost_details WHERE {of_these}", some)
            self._adapt(gone)
            self._count("cost_details", gone)

    def _prune_by_time(self, table: str, column: str, before: datetime, also: str = "TRUE") -> None:
        condition = f"{column} < ? AND {also}{self._of_project(table)}"
        key = "rowid" if self._database.dialect == "sqlite" else "ctid"
        self._delete(table, key, condition, self._database.moment(before), *self._project_parameters())

    def _prune_summaries(self, before: datetime) -> None:
        condition = f"id < ? AND start_time < ? AND status <> 'running'{self._of_project('workflow_traces')}"
        parameters = (row_bound(before), self._database.moment(before), *self._project_parameters())
        if self._dry_run:
            query = f"SELECT count(*) FROM workflow_traces WHERE {condition}"
            self._summaries += self._database.rows(query, *parameters)[0][0]
            return
        for gone in self._deletions("workflow_traces", self._key("trace_id"), condition, *parameters):
            self._summaries += gone

    def _drop_partitions(self, before: datetime) -> None:
        """Drop what lies whole before `before`, or before the first workflow that still runs."""
        from reamon.store.postgres.administration import drop_old_partitions  # noqa: PLC0415 - brings psycopg

        for name, table, rows in drop_old_partitions(self._database, before):
            self._partitions.append(name)
            self._count(table, rows)

    # -- which -------------------------------------------------------------------------------------------------------

    def _traces_of_old_rows(self, table: str, before: datetime) -> Iterator[list[str]]:
        """The old traces that have rows in `table`, some at a time.

        Whatever belongs to a row that old belongs to a trace that is older; ids grow with time, and what was pruned
        before is gone, so this reads little else than what has to go.
        """
        last, end = -1, row_bound(before)
        query = f"SELECT id, trace_id FROM {table} WHERE id > ? AND id < ? ORDER BY id LIMIT {_LOOKED_AT}"
        while self._is_wanted() and (rows := self._database.rows(query, last, end)):
            last = rows[-1][0]
            yield from self._new(self._old([trace_id for _, trace_id in rows], before, orphans=True))

    def _traces_with_payloads(self, before: datetime) -> Iterator[list[str]]:
        """The old traces whose roots have payloads, some at a time."""
        last, end = -1, row_bound(before)
        query = (
            f"SELECT id, trace_id, {_has_payloads()} FROM workflow_traces"
            f" WHERE id > ? AND id < ? ORDER BY id LIMIT {_LOOKED_AT}"
        )
        while self._is_wanted() and (rows := self._database.rows(query, last, end)):
            last = rows[-1][0]
            yield from self._new(self._old([trace_id for _, trace_id, has in rows if has], before, orphans=False))

    def _old(self, traces: list[str], before: datetime, *, orphans: bool) -> list[str]:
        """Those that began before `before`, are of the project and run no more; with or without those of no root."""
        wanted = list(dict.fromkeys(traces))
        database = self._database
        query = f"SELECT trace_id, start_time, status, project FROM workflow_traces WHERE {database.among('trace_id')}"
        rows = database.rows(query, database.several(wanted))
        known = {trace_id: (start, status, project) for trace_id, start, status, project in rows}
        limit = database.moment(before)
        chosen = []
        for trace_id in wanted:
            if trace_id not in known:
                if orphans and self._project is None:
                    chosen.append(trace_id)
                continue
            start, status, project = known[trace_id]
            if start < limit and status != "running" and self._project in {None, project}:
                chosen.append(trace_id)
        return chosen

    def _without_running(self, traces: list[str]) -> list[str]:
        running = self._database.rows(
            f"SELECT trace_id FROM workflow_traces WHERE status = 'running' AND {self._database.among('trace_id')}",
            self._database.several(traces),
        )
        return [trace_id for trace_id in traces if (trace_id,) not in running]

    def _new(self, traces: list[str]) -> Iterator[list[str]]:
        """Those that this run has not met yet, if there are any."""
        new = [trace_id for trace_id in traces if trace_id not in self._seen]
        if self._dry_run:  # else what was met is gone; what came since then is met again
            self._seen.update(new)
        if new:
            yield new

    def _before(self, limit: timedelta | None) -> datetime | None:
        return None if limit is None else oldest_kept(self._now, limit)

    def _key(self, name: str) -> str:
        """What tells rows apart: on PostgreSQL, several spans may share an `id`."""
        return "id" if self._database.dialect == "sqlite" else f"(id, {name})"

    def _of_project(self, table: str) -> str:
        return "" if self._project is None else f" AND {table}.project = ?"

    def _project_parameters(self) -> tuple[str, ...]:
        return () if self._project is None else (self._project,)

    # -- changes -----------------------------------------------------------------------------------------------------

    def _delete(self, table: str, key: str, condition: str, *parameters: object) -> None:
        if self._dry_run:
            self._count(
                table, self._database.rows(f"SELECT count(*) FROM {table} WHERE {condition}", *parameters)[0][0]
            )
            return
        for gone in self._deletions(table, key, condition, *parameters):
            self._count(table, gone)

    def _deletions(self, table: str, key: str, condition: str, *parameters: object) -> Iterator[int]:
        """Delete rows, a portion in each transaction, until none is left."""
        while self._is_wanted():
            portion = self._portion
            some = f"SELECT {key.strip('()')} FROM {table} WHERE {condition} LIMIT {portion}"
            statement = f"DELETE FROM {table} WHERE {key} IN ({some})"
            with self._short_transaction():
                self._unindex(table, some, parameters)
                gone = self._database.change(statement, *parameters)
            self._adapt(gone)
            yield gone
            if gone < portion:
                return

    def _empty(self, traces: list[str]) -> None:
        """Take the payloads of these traces' roots."""
        database = self._database
        condition = f"{database.among('trace_id')} AND status <> 'running' AND {_has_payloads()}"
        if self._dry_run:
            query = f"SELECT count(*) FROM workflow_traces WHERE {condition}"
            self._count("workflow_traces", database.rows(query, database.several(traces))[0][0])
            return
        nothing = ", ".join(f"{column} = NULL" for column in PAYLOADS)
        for start in range(0, len(traces), _FIRST_PORTION):
            some = database.several(traces[start : start + _FIRST_PORTION])
            with self._short_transaction():
                self._unindex("workflow_traces", f"SELECT id FROM workflow_traces WHERE {condition}", (some,))
                changed = database.change(f"UPDATE workflow_traces SET {nothing} WHERE {condition}", some)
            self._count("workflow_traces", changed)

    def _adapt(self, rows: int) -> None:
        """Make the next portion larger or smaller, by how long so many rows have taken."""
        if self._held > _TARGET:
            self._portion = max(self._portion // 2, 1)
        elif self._held < _TARGET / 2 and rows >= self._portion:
            self._portion = min(self._portion * 2, _LARGEST_PORTION)

    def _unindex(self, table: str, query: str, parameters: Sequence[object]) -> None:
        """Take the rows that a query finds out of the index of payload search, where there is one."""
        database = self._database
        if not isinstance(database, SQLiteStore) or table not in self._indexed:
            return
        ids = [row_id for (row_id,) in database.rows(query, *parameters)]
        try:
            fts.take_out(database, table, ids)
        except sqlite3.DatabaseError:  # it is damaged, and made anew from what is left
            self._indexed.clear()
            fts.forget(database.connection)

    def _merge_index(self) -> None:
        """Let go of the words of what was taken out."""
        for table in self._indexed:
            if isinstance(self._database, SQLiteStore) and self._rows.get(table):
                steps = fts.merge(self._database, table)
                done = False
                while not done and self._is_wanted():
                    with self._short_transaction():
                        done = next(steps, self) is self

    def _count(self, table: str, rows: int) -> None:
        if rows:
            self._rows[table] = self._rows.get(table, 0) + rows
        if self._progress is not None:
            self._progress(self.result())

    @contextmanager
    def _short_transaction(self) -> Iterator[None]:
        """A transaction, after which writers get their turn."""
        with self._database.transaction():
            begun = time.perf_counter()
            yield
        held = time.perf_counter() - begun
        self._transactions += 1
        self._longest = max(self._longest, held)
        self._held = held
        if self._database.dialect == "sqlite":
            # SQLite has no queue: who waits for the lock looks for it now and then, so it has to be free for a while.
            time.sleep(min(held, _TARGET))


def oldest_kept(now: datetime, limit: timedelta) -> datetime | None:
    """What is older than this has to go; None where nothing can be so old."""
    return None if now - _FIRST_MOMENT <= limit else now - limit


def row_bound(before: datetime) -> int:
    """The lowest row id that a span may have that started at `before`."""
    return row_id_at(from_datetime(before), "000")


def _has_payloads() -> str:
    return f"({' OR '.join(f'{column} IS NOT NULL' for column in PAYLOADS)})"
