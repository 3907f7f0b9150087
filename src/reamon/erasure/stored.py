"""Stored: the rows of somebody in a store, in every table, and the bytes that they leave in a SQLite file."""

import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from reamon.erasure._scanning import has
from reamon.erasure.findings import Findings, PlaceReport, Wanted, patterns_of
from reamon.erasure.residue import RawPattern, beside, files_with
from reamon.model.ids import uuid7
from reamon.model.times import from_datetime
from reamon.store.administration import OpenStore, SQLiteStore, opened
from reamon.store.search import fts
from reamon.store.versions import VERSION_TABLE

_WINDOW: Final = 500
_PORTION: Final = 50  # traces in one transaction
_ATTEMPTS: Final = 20
_PAUSE: Final = 0.1  # seconds between two attempts to empty the log
_SPANS: Final[dict[str, tuple[str, ...]]] = {
    "operations": (
        "name", "provider", "model", "status_reason", "error_type", "error_message", "error_stack", "usage",
        "attributes", "events", "links", "extra", "input_data", "output_data",
    ),
    "agent_executions": (
        "agent_name", "agent_type", "agent_version", "next_agent", "status_reason", "error_type", "error_message",
        "error_stack", "decision", "usage", "attributes", "events", "links", "extra", "input_data", "output_data",
        "state_before", "state_after",
    ),
    "workflow_traces": (
        "call_id", "workflow_name", "workflow_version", "status_reason", "outcome", "error_type", "error_message",
        "error_stack", "tags", "metadata", "usage", "attributes", "events", "links", "extra", "input_data",
        "output_data",
    ),
}  # fmt: skip
_JSON: Final = {
    "usage", "attributes", "events", "links", "extra", "input_data", "output_data", "decision", "state_before",
    "state_after", "tags", "metadata",
}  # fmt: skip
_LOG_HELD: Final = "the log of {path} could not be emptied, since somebody is reading: erase once more later"
_LEFT: Final = "something is left in {path}, in the table {table}, which is none of reamon's: look there by hand"


class StorePlace:
    """A store.

    Args:
        target: A SQLite file, or the URL of a database.
        project: Only what belongs to this project; None: everything.
        keep_costs: Whether cost details stay, without anything that leads to the call.
    """

    def __init__(self, target: Path | str, project: str | None, *, keep_costs: bool = True) -> None:
        self.target = target
        self._project = project
        self._keep_costs = keep_costs

    def find(self, subject: Wanted, findings: Findings) -> None:
        """Look through every row, unless the subject is known by what the rows of traces say."""
        with opened(self.target, writable=False) as database:
            found = set(self._covered(database, subject))
            if not subject.reads_texts:  # then ids are all that there is, and they are nobody else's
                findings.traces.update(found)
            for table in _SPANS:
                found.update(self._mentioning(database, table, subject))
            for trace_id, call_id in self._known(database, sorted(found | findings.traces), sorted(findings.calls)):
                findings.add(trace_id, call_id)
            if self._project is None:  # what has no root belongs to no project
                findings.traces |= found

    def erase(self, subject: Wanted, findings: Findings, *, dry_run: bool) -> PlaceReport:
        """Delete whole traces, some in each transaction, and see that no byte is left of them."""
        traces = sorted(findings.traces)
        with opened(self.target, writable=not dry_run) as database:
            removed: dict[str, int] = {}
            kept: dict[str, int] = {}
            if isinstance(database, SQLiteStore) and not dry_run:
                database.change("PRAGMA secure_delete = ON")
                with database.transaction():
                    fts.forget(database.connection)  # its words go with it; the next search makes it anew
            self._erase_around(database, subject, findings, removed, dry_run=dry_run)
            for start in range(0, len(traces), _PORTION):
                some = database.several(traces[start : start + _PORTION])
                for table in _SPANS:
                    _add(removed, table, self._take(database, table, database.among("trace_id"), some, dry_run=dry_run))
                self._settle_costs(database, some, removed, kept, dry_run=dry_run)
            remaining: tuple[str, ...] = ()
            if isinstance(database, SQLiteStore) and not dry_run:
                remaining = _clean(database, subject, findings)
            where = database.where
        return PlaceReport(kind="store", where=where, removed=removed, kept=kept, remaining=remaining)

    def destinations(self) -> Iterable[str]:
        """None: a store sends nothing."""
        return ()

    def keep_receipt(self, values: Sequence[Any], time: datetime) -> None:
        """Put a receipt into `erasures`, in the place of that of the same id.

        Args:
            values: Its id, the kind and the digest of the subject, who asked for it, and its JSON.
            time: When it was.
        """
        with opened(self.target, writable=True) as database, database.transaction():
            if isinstance(database, SQLiteStore):
                database.change("PRAGMA secure_delete = ON")
            json = "?" if database.dialect == "sqlite" else "CAST(? AS JSON)"
            database.change(
                "INSERT INTO erasures (erasure_id, subject_kind, subject_digest, requested_by, receipt, timestamp)"
                f" VALUES (?, ?, ?, ?, {json}, ?) ON CONFLICT (erasure_id) DO UPDATE SET"
                " requested_by = excluded.requested_by, receipt = excluded.receipt, timestamp = excluded.timestamp",
                *values,
                database.moment(time),
            )

    def receipts(self) -> list[str]:
        """The JSON of all receipts that this store keeps, oldest first."""
        with opened(self.target, writable=False) as database:
            query = f"SELECT {database.text('receipt')} FROM erasures WHERE receipt IS NOT NULL ORDER BY timestamp"
            return [text for (text,) in database.rows(query)]

    # -- finding -----------------------------------------------------------------------------------------------------

    def _covered(self, database: OpenStore, subject: Wanted) -> Iterator[str]:
        for table in ("workflow_traces", "cost_details"):
            for trace_id, call_id in database.rows(f"SELECT DISTINCT trace_id, call_id FROM {table}"):
                if subject.covers(trace_id, call_id):
                    yield trace_id
        for table in () if subject.reads_texts else ("operations", "agent_executions"):  # their roots may never come
            for (trace_id,) in database.rows(f"SELECT DISTINCT trace_id FROM {table}"):
                if subject.covers(trace_id, None):
                    yield trace_id

    def _mentioning(self, database: OpenStore, table: str, subject: Wanted) -> Iterator[str]:
        if not subject.reads_texts:
            return
        columns = [database.text(column) if column in _JSON else column for column in _SPANS[table]]
        key = "trace_id" if table == "workflow_traces" else "span_id"
        condition, needles = self._prefilter(database, columns, subject.needle)
        query = (
            f"SELECT id, {key}, trace_id, {', '.join(columns)} FROM {table} WHERE (id, {key}) > (?, ?){condition}"
            f" ORDER BY id, {key} LIMIT {_WINDOW}"
        )
        last: tuple[int, str] = (-1, "")
        while rows := database.rows(query, *last, *needles):
            last = rows[-1][:2]
            for _, _, trace_id, *texts in rows:
                if subject.is_mentioned_in([text for text in texts if text]):
                    yield trace_id

    def _prefilter(self, database: OpenStore, columns: Sequence[str], needle: str | None) -> tuple[str, list[str]]:
        """The condition that a row has the needle somewhere: the database is quicker at that than we are."""
        if needle is None:
            return "", []
        position = "instr({}, ?)" if database.dialect == "sqlite" else "strpos({}, ?)"
        terms = [f"coalesce({position.format(column)}, 0) > 0" for column in columns]
        return f" AND ({' OR '.join(terms)})", [needle] * len(columns)

    def _known(self, database: OpenStore, traces: list[str], calls: list[str]) -> list[tuple[str, str | None]]:
        """The traces of these ids and calls, of the project, with the calls that they belong to."""
        found: list[tuple[str, str | None]] = []
        of_project, parameters = ("", ()) if self._project is None else (" AND project = ?", (self._project,))
        for table in ("workflow_traces", "cost_details"):
            for column, values in (("trace_id", traces), ("call_id", calls)):
                for start in range(0, len(values), _WINDOW):
                    some = database.several(values[start : start + _WINDOW])
                    query = f"SELECT DISTINCT trace_id, call_id FROM {table} WHERE {database.among(column)}{of_project}"
                    found += database.rows(query, some, *parameters)
        return found

    # -- erasing -----------------------------------------------------------------------------------------------------

    def _take(self, database: OpenStore, table: str, condition: str, *parameters: Any, dry_run: bool) -> int:
        if dry_run:
            return int(database.rows(f"SELECT count(*) FROM {table} WHERE {condition}", *parameters)[0][0])
        with database.transaction():
            return database.change(f"DELETE FROM {table} WHERE {condition}", *parameters)

    def _settle_costs(
        self, database: OpenStore, traces: Any, removed: dict[str, int], kept: dict[str, int], *, dry_run: bool
    ) -> None:
        """Take cost details, or what leads from them to the call: ids, and the time to the quarter of an hour.

        Where a day begins by local time, it is a quarter of an hour in UTC, so that no cost comes into another day.
        """
        among = database.among("trace_id")
        if not self._keep_costs or dry_run:
            count = self._take(database, "cost_details", among, traces, dry_run=dry_run)
            _add(kept if self._keep_costs else removed, "cost_details", count)
            return
        with database.transaction():
            rows = database.rows(
                f"SELECT span_id, cost_type, price_version, item, trace_id, agent_id, timestamp FROM cost_details"
                f" WHERE {among}",
                traces,
            )
            new = _NewIds()
            for span_id, cost_type, version, item, trace_id, agent_id, moment in rows:
                read = database.time(moment)
                assert read is not None  # noqa: S101 - the column is NOT NULL
                quarter = read.replace(minute=read.minute // 15 * 15, second=0, microsecond=0)
                database.change(
                    "UPDATE cost_details SET span_id = ?, trace_id = ?, agent_id = ?, call_id = NULL, timestamp = ?"
                    " WHERE span_id = ? AND cost_type = ? AND price_version = ? AND item = ?",
                    new.of(span_id, quarter),
                    new.of(trace_id, quarter),
                    None if agent_id is None else new.of(agent_id, quarter),
                    database.moment(quarter),
                    span_id,
                    cost_type,
                    version,
                    item,
                )
            _add(kept, "cost_details", len(rows))

    def _erase_around(
        self, database: OpenStore, subject: Wanted, findings: Findings, removed: dict[str, int], *, dry_run: bool
    ) -> None:
        """Alerts, metrics and budgets that name a call, a trace or the subject."""
        for table, key, columns in (
            ("alert_history", ("alert_id",), ("labels", "message", "metadata")),
            ("performance_metrics", ("metric_type", "labels", "window", "timestamp", "project"), ("labels",)),
        ):
            texts = ", ".join(database.text(column) if column == "metadata" else column for column in columns)
            quoted = ", ".join(f'"{name}"' for name in key)
            of_project, parameters = ("", ()) if self._project is None else (" WHERE project = ?", (self._project,))
            rows = database.rows(f"SELECT {quoted}, {texts} FROM {table}{of_project}", *parameters)
            condition = " AND ".join(f'"{name}" = ?' for name in key)
            for row in rows:
                if _names([text for text in row[len(key) :] if text], subject, findings):
                    gone = self._take(database, table, condition, *row[: len(key)], dry_run=dry_run)
                    _add(removed, table, gone)
        scopes = {scope for (scope,) in database.rows("SELECT DISTINCT scope FROM budget_periods WHERE scope <> ''")}
        theirs = [scope for scope in scopes if scope in findings.calls or self._is_of(scope, subject)]
        some = database.several(sorted(theirs))
        for table in ("budget_reservations", "budget_periods"):  # in this order: one refers to the other
            _add(removed, table, self._take(database, table, database.among("scope"), some, dry_run=dry_run))

    def _is_of(self, scope: str, subject: Wanted) -> bool:
        """Whether a budget is that of a call of theirs, though no span tells of that call any more."""
        return self._project is None and subject.covers(scope, scope)


class _NewIds:
    """For each id one that leads nowhere, the same for the same one."""

    def __init__(self) -> None:
        self._new: dict[str, str] = {}

    def of(self, old: str, moment: datetime) -> str:
        """The new id, of that time."""
        if old not in self._new:
            self._new[old] = uuid7(from_datetime(moment), secrets.randbits(62))
        return self._new[old]


def _names(texts: list[str], subject: Wanted, findings: Findings) -> bool:
    if subject.is_mentioned_in(texts):
        return True
    words = {word for text in texts for word in _words(text)}
    if words & (findings.calls | findings.traces):
        return True
    return not subject.reads_texts and any(subject.covers(word, None) for word in words)


def _words(text: str) -> Iterator[str]:
    """The strings in a JSON text, and the words of another."""
    try:
        value = msgspec.json.decode(text)
    except ValueError:
        value = text
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack += [*item.keys(), *item.values()]
        elif isinstance(item, list):
            stack += item
        elif isinstance(item, str):
            yield item
            yield from (word.strip("\"'.,:;()[]") for word in item.split())


def _clean(database: SQLiteStore, subject: Wanted, findings: Findings) -> tuple[str, ...]:
    """Leave nothing in free pages, nor in the log. Returns what could not be done."""
    patterns = patterns_of(subject, findings)
    if not _empty_log(database):
        return (_LOG_HELD.format(path=database.path),)
    if files_with(patterns, beside(database.path)):
        database.change("VACUUM")  # what was deleted without care, by whatever wrote here before
        if not _empty_log(database):
            return (_LOG_HELD.format(path=database.path),)
        # Now there is nothing in the file but rows. Ours were looked through: what is in them is somebody else's.
        return tuple(_LEFT.format(path=database.path, table=table) for table in _foreign(database, patterns))
    return ()


def _foreign(database: SQLiteStore, patterns: list[RawPattern]) -> Iterator[str]:
    """The tables of others in which one of the patterns is."""
    from reamon.store.tables import metadata  # noqa: PLC0415 - slow, and seldom needed

    compiled = [(re.compile(core), re.compile(rf"(?<![\w-])(?:{full})(?![\w-])")) for core, full in patterns]
    for (table,) in database.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE V%'"):
        if table in metadata.tables or table == VERSION_TABLE or fts.is_ours(table):
            continue
        quoted = table.replace('"', '""')
        for row in database.connection.execute(f'SELECT * FROM "{quoted}"'):
            texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in row]
            if any(has(core, pattern, text) for core, pattern in compiled for text in texts):
                yield table
                break


def _empty_log(database: SQLiteStore) -> bool:
    for attempt in range(_ATTEMPTS):
        ((is_busy, *_),) = database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        if not is_busy:
            return True
        time.sleep(_PAUSE * (attempt > 0))
    return False


def _add(counts: dict[str, int], table: str, rows: int) -> None:
    if rows:
        counts[table] = counts.get(table, 0) + rows
