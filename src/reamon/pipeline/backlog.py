"""The backlog: an outbox as people see it. What waits, what was refused for good, and what they decide about it."""

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from reamon.errors import StoreError
from reamon.model import Span
from reamon.pipeline._backlog_file import explained, give_back, has_table, reading, writing
from reamon.pipeline._encoding import decode_spans
from reamon.pipeline.backlog_entries import DeadLetters, Item, LaneNote, Waiting, Wanted, number_of
from reamon.processes import ProcessDirectory

REPLAYED: Final = "replay"
"""The owner of what waits again: no process, so whoever sends to its destination may claim it."""

_PORTION: Final = 1_000_000  # bytes at once: applications wait half a second for the file, not more
_LETTERS: Final = "SELECT id, destination, died, spans, bytes, counted_as, reason, NULL FROM letters"
_BATCHES: Final = "SELECT id, destination, written, spans, bytes, NULL, NULL, owner FROM batches"


class Backlog:
    """What is in the outbox at `path`, read without changing it, until somebody decides about it.

    All of it is safe while applications use the file: reading takes no lock that a writer would wait for, and each
    change is a short transaction. Without the file there is nothing, and nothing is made.

    Args:
        path: The outbox's file.

    Example:
        >>> Backlog(Path("nowhere.sqlite")).waiting()
        []
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self._processes = ProcessDirectory(self.path.with_name(f"{path.name}-processes"))

    def waiting(self) -> list[Waiting]:
        """What waits to be sent, by destination and owner.

        Raises:
            StoreError: The file cannot be read; the message says why. So do all other methods.
        """
        query = (
            "SELECT destination, owner, min(id), max(id), count(*), sum(spans), sum(bytes), min(written) FROM batches"
            " GROUP BY destination, owner ORDER BY destination, min(id)"
        )
        return [
            Waiting(
                destination=destination,
                owner=owner,
                is_owned=self._is_alive(owner),
                first=f"B{first}",
                last=f"B{last}",
                batches=batches,
                spans=spans,
                bytes=size,
                oldest=_moment(oldest),
            )
            for destination, owner, first, last, batches, spans, size, oldest in self._rows("batches", query)
        ]

    def dead_letters(self) -> list[DeadLetters]:
        """What was refused for good, by destination, kind and reason; the oldest first."""
        groups: dict[tuple[str, str, str], list[Item]] = {}
        for item in self.items(Wanted()):
            groups.setdefault((item.destination, item.kind or "", item.reason or ""), []).append(item)
        return [
            DeadLetters(
                destination=destination,
                kind=kind,
                reason=reason,
                ids=tuple(item.id for item in items),
                spans=sum(item.spans for item in items),
                bytes=sum(item.bytes for item in items),
                oldest=items[0].since,
            )
            for (destination, kind, reason), items in groups.items()
        ]

    def lanes(self) -> list[LaneNote]:
        """The lanes that are not well, of processes that live."""
        query = "SELECT owner, destination, lane, state, since, error, fix FROM lanes ORDER BY destination, since"
        return [
            LaneNote(destination=destination, lane=lane, state=state, since=_moment(since), error=error, fix=fix)
            for owner, destination, lane, state, since, error, fix in self._rows("lanes", query)
            if self._is_alive(owner)
        ]

    def items(self, wanted: Wanted) -> list[Item]:
        """The dead letters and batches that somebody means, oldest first, without their spans.

        Raises:
            StoreError: As above, or an id is of none.
        """
        if wanted.ids:
            return [self._item(item_id) for item_id in dict.fromkeys(wanted.ids)]
        found = self._items("letters", _LETTERS, wanted.conditions("died", "counted_as"))
        if wanted.waiting and wanted.kind is None:
            found += self._items("batches", _BATCHES, wanted.conditions("written"))
        return found

    def contents(self, items: Iterable[Item]) -> Iterator[tuple[Item, list[Span]]]:
        """Items with their spans: none where another version of reamon wrote them. What has gone meanwhile is skipped.

        A portion is in memory at a time, and the file is free in between.
        """
        for portion in _portions(items):
            bodies = reading(self.path, partial(_bodies, portion))
            for item, body in zip(portion, bodies, strict=True):
                if body is not None:
                    yield item, decode_spans(body)

    def replay(self, letters: Sequence[Item], destination: str | None = None) -> int:
        """Let dead letters wait again, for whoever sends to their destination; none is ever in both places.

        Args:
            letters: Which.
            destination: Another destination that they are to go to instead.

        Returns:
            How many spans wait again.
        """

        def replay(connection: sqlite3.Connection, item: Item) -> bool:
            _, row_id = number_of(item.id)
            moved = connection.execute(
                "INSERT INTO batches (destination, owner, spans, bytes, written, body)"
                " SELECT coalesce(?, destination), ?, spans, bytes, ?, body FROM letters WHERE id = ?",
                (destination, REPLAYED, time.time(), row_id),  # written now, lest it counts as abandoned at once
            )
            connection.execute("DELETE FROM letters WHERE id = ?", (row_id,))
            return bool(moved.rowcount)

        return self._change(letters, replay)

    def drop(self, items: Sequence[Item]) -> int:
        """Delete items. What a process has taken over since they were looked up stays.

        Returns:
            How many spans went.
        """

        def drop(connection: sqlite3.Connection, item: Item) -> bool:
            table, row_id = number_of(item.id)
            if item.owner is None:
                gone = connection.execute(f"DELETE FROM {table} WHERE id = ?", (row_id,))
            else:
                gone = connection.execute(f"DELETE FROM {table} WHERE id = ? AND owner = ?", (row_id, item.owner))
            return bool(gone.rowcount)

        dropped = self._change(items, drop)
        for owner in {item.owner for item in items if item.owner}:
            self._forget_process(owner)
        return dropped

    def _item(self, item_id: str) -> Item:
        table, row_id = number_of(item_id)
        found = self._items(table, _LETTERS if table == "letters" else _BATCHES, (" WHERE id = ?", [row_id]))
        if not found:
            raise StoreError(f"there is no {item_id.upper()} in {self.path}: `reamon outbox list` shows what there is")
        return found[0]

    def _items(self, table: str, query: str, conditions: tuple[str, Sequence[str | float]]) -> list[Item]:
        where, parameters = conditions
        letter = "L" if table == "letters" else "B"
        rows = self._rows(table, f"{query}{where} ORDER BY id", *parameters)
        owned = {owner: self._is_alive(owner) for owner in {row[7] for row in rows} if owner is not None}
        return [
            Item(
                id=f"{letter}{row_id}",
                destination=destination,
                since=_moment(since),
                spans=spans,
                bytes=size,
                kind=kind,
                reason=reason,
                owner=owner,
                is_owned=owned.get(owner, False),
            )
            for row_id, destination, since, spans, size, kind, reason, owner in rows
        ]

    def _is_alive(self, owner: str) -> bool:
        try:
            return self._processes.is_alive(owner)
        except PermissionError:
            return True  # somebody else's process, so nobody here can tell: hands off

    def _rows(self, table: str, query: str, *parameters: str | float) -> list[Any]:
        if not self.path.is_file():
            return []
        return reading(
            self.path,
            lambda connection: connection.execute(query, parameters).fetchall() if has_table(connection, table) else [],
        )

    def _change(self, items: Sequence[Item], change: Callable[[sqlite3.Connection, Item], bool]) -> int:
        """Change items, in short transactions. Returns how many spans were still there to be changed."""
        if not items:
            return 0
        changed = 0
        with explained(self.path), closing(writing(self.path)) as connection:
            for portion in _portions(items):
                with connection:
                    connection.execute("BEGIN IMMEDIATE")
                    changed += sum(item.spans for item in portion if change(connection, item))
            give_back(connection)
        return changed

    def _forget_process(self, owner: str) -> None:
        """Remove what a dead process left of itself, once none of its batches is left."""
        with explained(self.path), closing(writing(self.path)) as connection, connection:
            if not connection.execute("SELECT 1 FROM batches WHERE owner = ? LIMIT 1", (owner,)).fetchone():
                connection.execute("DELETE FROM lanes WHERE owner = ?", (owner,))
                self._processes.remove(owner)


def _bodies(items: Sequence[Item], connection: sqlite3.Connection) -> list[bytes | None]:
    bodies = []
    for item in items:
        table, row_id = number_of(item.id)
        row = connection.execute(f"SELECT body FROM {table} WHERE id = ?", (row_id,)).fetchone()
        bodies.append(row[0] if row else None)
    return bodies


def _portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    portion: list[Item] = []
    size = 0
    for item in items:
        if portion and size + item.bytes > _PORTION:
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += item.bytes
    if portion:
        yield portion


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
