"""Waiting: the outbox, with what is not delivered yet and what was refused for good."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from reamon.erasure.findings import Findings, PlaceReport, Wanted, patterns_of, texts_of
from reamon.erasure.residue import beside, files_with
from reamon.errors import StoreError
from reamon.model import Span
from reamon.pipeline._backlog_file import explained, give_back, has_table, reading, writing
from reamon.pipeline._encoding import decode_spans, encode_spans
from reamon.processes import ProcessDirectory

_TABLES: Final = ("batches", "letters")
_LOG_HELD: Final = "the log of {path} could not be emptied, since somebody is reading: erase once more later"
_LEFT: Final = "something was put into {path} meanwhile: erase once more"
_DAMAGED: Final = "{path} is an outbox that was damaged and put aside, and has something: mend it, or delete it"
_UNREADABLE: Final = "{count} {table} were written by another version of reamon, which has to look through them"
_ALIVE: Final = (
    "process {owner} is delivering and may have spans in memory, which cannot be reached from here: "
    "look at the destination, or stop it and erase once more"
)


class OutboxPlace:
    """The outbox of an application.

    Args:
        path: Its file.
        project: Only spans of this project; None: all.
    """

    def __init__(self, path: Path, project: str | None) -> None:
        self.path = path.absolute()
        self._project = project
        self._processes = ProcessDirectory(self.path.with_name(f"{self.path.name}-processes"))

    def find(self, subject: Wanted, findings: Findings) -> None:
        """Look through every batch and every dead letter."""
        for table in _TABLES:
            for _, spans in self._bodies(table):
                for span in spans:
                    if self._is_visible(span) and self._is_of(span, subject, findings):
                        findings.add(span.trace_id, span.call_id)

    def erase(self, subject: Wanted, findings: Findings, *, dry_run: bool) -> PlaceReport:
        """Write each batch anew without the spans, or delete it where none is left."""
        removed: dict[str, int] = {}
        remaining: list[str] = []
        if self.path.is_file():
            for table in _TABLES:
                unreadable = self._erase_from(table, subject, findings, removed, dry_run=dry_run)
                if unreadable:
                    remaining.append(_UNREADABLE.format(count=unreadable, table=table))
            remaining += [_ALIVE.format(owner=owner) for owner in self._living()]
            if not dry_run:
                self._clean(subject, findings, remaining)
        damaged = [file for file in self.path.parent.glob(f"{self.path.name}.damaged-*") if file.is_file()]
        remaining += [_DAMAGED.format(path=file) for file in files_with(patterns_of(subject, findings), damaged)]
        return PlaceReport(kind="outbox", where=str(self.path), removed=removed, remaining=tuple(remaining))

    def destinations(self) -> Iterable[str]:
        """Whoever batches and dead letters are for."""
        query = "SELECT destination FROM {}"
        found: set[str] = set()
        for table in _TABLES:
            found.update(row[0] for row in self._rows(table, query.format(table)))
        return sorted(found)

    def _is_visible(self, span: Span) -> bool:
        return self._project in {None, span.project}

    def _is_of(self, span: Span, subject: Wanted, findings: Findings) -> bool:
        return (
            findings.cover(span)
            or subject.covers(span.trace_id, span.call_id)
            or subject.is_mentioned_in(texts_of(span))
        )

    def _bodies(self, table: str) -> Iterator[tuple[int, list[Span]]]:
        """The items of a table with their spans, one in memory at a time."""
        for (item,) in self._rows(table, f"SELECT id FROM {table} ORDER BY id"):
            for (body,) in self._rows(table, f"SELECT body FROM {table} WHERE id = ?", item):
                yield item, decode_spans(body)

    def _rows(self, table: str, query: str, *parameters: object) -> list[Any]:
        if not self.path.is_file():
            return []
        return reading(
            self.path,
            lambda file: file.execute(query, parameters).fetchall() if has_table(file, table) else [],
        )

    def _erase_from(
        self, table: str, subject: Wanted, findings: Findings, removed: dict[str, int], *, dry_run: bool
    ) -> int:
        """Erase from one table. Returns how many items cannot be read."""
        unreadable = 0
        for item, spans in self._bodies(table):
            unreadable += not spans
            going = len(spans) - len(self._kept(spans, subject, findings))
            if going and not dry_run:
                going = self._take(table, item, subject, findings)
            if going:
                removed[table] = removed.get(table, 0) + going
        return unreadable

    def _kept(self, spans: list[Span], subject: Wanted, findings: Findings) -> list[Span]:
        return [span for span in spans if not (self._is_visible(span) and self._is_of(span, subject, findings))]

    def _take(self, table: str, item: int, subject: Wanted, findings: Findings) -> int:
        """Write an item anew as it is now: another erasure may have done so since it was read."""
        with explained(self.path), closing(writing(self.path)) as file, file:
            file.execute("PRAGMA secure_delete = ON")
            file.execute("BEGIN IMMEDIATE")
            for (body,) in file.execute(f"SELECT body FROM {table} WHERE id = ?", (item,)).fetchall():
                spans = decode_spans(body)
                kept = self._kept(spans, subject, findings)
                if len(kept) < len(spans):
                    _replace(file, table, item, kept)
                return len(spans) - len(kept)
        return 0

    def _clean(self, subject: Wanted, findings: Findings, remaining: list[str]) -> None:
        """Leave nothing in pages that are free, or in the log."""
        patterns = patterns_of(subject, findings)
        with explained(self.path), closing(writing(self.path)) as file:
            file.execute("PRAGMA secure_delete = ON")
            give_back(file)
            is_empty = _empty_log(file)
            if files_with(patterns, beside(self.path)):
                file.execute("VACUUM")
                is_empty = _empty_log(file)
        if not is_empty and files_with(patterns, beside(self.path)):
            remaining.append(_LOG_HELD.format(path=self.path))
        left: dict[str, int] = {}  # by what the spans say: bytes that look like it may be somebody else's
        for table in _TABLES:
            self._erase_from(table, subject, findings, left, dry_run=True)
        if left:
            remaining.append(_LEFT.format(path=self.path))

    def _living(self) -> list[str]:
        owners = [str(owner) for (owner,) in self._rows("batches", "SELECT DISTINCT owner FROM batches")]
        return [owner for owner in owners if self._is_alive(owner)]

    def _is_alive(self, owner: str) -> bool:
        try:
            return self._processes.is_alive(owner)
        except (PermissionError, StoreError):
            return True


def _replace(file: sqlite3.Connection, table: str, item: int, kept: list[Span]) -> None:
    if not kept:
        file.execute(f"DELETE FROM {table} WHERE id = ?", (item,))
        return
    body, _ = encode_spans(kept)
    update = f"UPDATE {table} SET spans = ?, bytes = ?, body = ? WHERE id = ?"
    file.execute(update, (len(kept), len(body), body, item))


def _empty_log(file: sqlite3.Connection) -> bool:
    ((is_busy, *_),) = file.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return not is_busy
