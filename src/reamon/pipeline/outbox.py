"""The outbox: what is not acknowledged yet, on disk, in batches, each for one destination."""

import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from reamon.model import Span
from reamon.pipeline._at_hand import AtHand
from reamon.pipeline._encoding import decode_spans, encode_spans
from reamon.pipeline._outbox_file import OutboxFile
from reamon.pipeline.delivery import DeadLetter
from reamon.processes import ProcessDirectory, current_id

DEFAULT_ABANDON_AFTER: Final = 7 * 24 * 3600.0
_ABANDONED: Final = "nobody has been configured to send there for {days:.0f} days"
_LOOK_FOR_ABANDONED: Final = 3600.0  # seconds between two looks
_CLOSE_PATIENCE: Final = 0.5  # seconds
_AT_HAND_BYTES: Final = 16 << 20  # of bodies; their spans take about as much in memory


class StoredBatch(msgspec.Struct, frozen=True):
    """Spans from disk.

    Attributes:
        ids: What `settle` takes.
        spans: Oldest first.
        bytes: What they take on disk.
    """

    ids: tuple[int, ...]
    spans: list[Span]
    bytes: int = 0


class Outbox:
    """Batches on disk, in one SQLite file that the processes of a machine share.

    A batch belongs to a destination, and only a lane with an equal one gets it. It is owned by the process that wrote
    it; when that process is dead, whoever serves the destination claims it. What a destination refuses for good becomes
    a dead letter: kept, with the reason, until somebody decides about it or the room is needed. The file is made when
    it is first needed, and one that is damaged is put aside. What was just written is kept at hand, within bounds, so
    that nobody has to read it back. Methods may be called by any thread.

    Args:
        path: The file; the life signs of its processes lie beside it.
        max_bytes: What it may take on disk; beyond, the oldest are dropped, dead letters first, whoever owns them.
        abandon_after: Seconds after which batches that nobody claims become dead letters; None for never.

    Attributes:
        at_work: Held by whoever uses the file.
    """

    def __init__(self, path: Path, max_bytes: int, abandon_after: float | None = DEFAULT_ABANDON_AFTER) -> None:
        self.path = path.absolute()
        self._abandon_after = abandon_after
        self._file = OutboxFile(self.path, max_bytes)
        self._processes = ProcessDirectory(self.path.with_name(path.name + "-processes"))
        self._at_hand = AtHand(_AT_HAND_BYTES)
        self._served: set[str] = set()
        self._looked_for_abandoned: float | None = None
        self.at_work = threading.RLock()

    def serve(self, destination: str) -> None:
        """This process sends to `destination`, so nothing that waits for it is abandoned."""
        self._served.add(destination)

    def write(self, destination: str, batches: Iterable[Sequence[Span]]) -> tuple[tuple[int, ...], bool]:
        """Put batches on disk, all of them or none.

        Returns:
            Their ids, and whether older batches had to go to make room.

        Raises:
            sqlite3.Error: The file cannot be written.
            OSError: Its directory cannot be made.
        """
        encoded = [(batch, *encode_spans(batch)) for batch in batches]
        ids: list[int] = []
        with self.at_work:
            if not self.path.exists():  # deleted, perhaps, and our life sign with it
                self._processes.leave(current_id())
                self._at_hand.clear()
            self._processes.enter(current_id())
            with self._file.open() as connection:
                made_room = self._file.make_room(connection, sum(len(body) for _, body, _ in encoded))
                for spans, body, _ in encoded:
                    row = connection.execute(
                        "INSERT INTO batches (destination, owner, spans, bytes, written, body)"
                        " VALUES (?, ?, ?, ?, ?, ?)",
                        (destination, current_id(), len(spans), len(body), time.time(), body),
                    )
                    ids.append(row.lastrowid or 0)
            for batch_id, (spans, body, is_exact) in zip(ids, encoded, strict=True):
                if is_exact:
                    self._at_hand.keep(destination, batch_id, spans, len(body))
        return tuple(ids), made_room

    def claim(self, destination: str) -> int:
        """Take over what dead processes left for `destination`. Returns how many spans that are.

        Raises:
            sqlite3.Error: The file cannot be read.
            OSError: Its directory cannot be written.
        """
        with self.at_work:
            if not self.path.exists():
                return 0
            claimed = self._claim(destination)
            self._bury_abandoned()
            return claimed

    def waiting(self, destination: str) -> int:
        """How many spans this process owns for `destination`."""
        return self._number("SELECT sum(spans) FROM batches WHERE destination = ? AND owner = ?", destination)

    def newest(self, destination: str) -> int:
        """The highest id of a batch that this process owns for `destination`; 0 if there is none."""
        return self._number("SELECT max(id) FROM batches WHERE destination = ? AND owner = ?", destination)

    def has_until(self, destination: str, batch_id: int) -> bool:
        """Whether this process owns a batch for `destination` that is as old as `batch_id`, or older."""
        return bool(
            self._number(
                "SELECT EXISTS (SELECT 1 FROM batches WHERE destination = ? AND owner = ? AND id <= ?)",
                destination,
                batch_id,
            )
        )

    def oldest(self, destination: str, size: int) -> StoredBatch | None:
        """The oldest batches that this process owns for `destination`, up to `size` spans, together; at least one.

        They stay until `settle`. A batch that cannot be read (a newer reamon wrote it) comes alone: its id, no spans.
        """
        with self.at_work:
            if not self._file.exists:
                return None
            rows = self._file.open().execute(
                "SELECT id, spans, bytes FROM batches WHERE destination = ? AND owner = ? ORDER BY id",
                (destination, current_id()),
            )
            batch = StoredBatch((), [])
            for batch_id, count, octets in rows:
                if batch.ids and len(batch.spans) + count > size:
                    break
                spans = self._at_hand.take(destination, batch_id) or self._read(batch_id)
                if batch.ids and not spans:
                    break
                batch = StoredBatch((*batch.ids, batch_id), batch.spans + spans, batch.bytes + octets)
                if not spans:
                    break
            rows.close()
        return batch if batch.ids else None

    def settle(
        self, destination: str, ids: Sequence[int], rest: Sequence[Span] = (), dead: Sequence[DeadLetter] = ()
    ) -> int:
        """Forget batches, but for what of them has to be tried again or is refused for good.

        Args:
            destination: Whose they are.
            ids: Of the batches.
            rest: Spans of theirs that still wait; they keep their place.
            dead: Spans of theirs that become dead letters.

        Returns:
            How many spans wait no longer; fewer than expected if some had to make room meanwhile.
        """
        marks = ", ".join("?" * len(ids))
        with self.at_work:
            with self._file.open() as connection:
                connection.execute("BEGIN IMMEDIATE")
                found = connection.execute(f"SELECT coalesce(sum(spans), 0) FROM batches WHERE id IN ({marks})", ids)
                (before,) = found.fetchone()
                kept = self._keep(connection, ids[0], rest) if rest else 0
                leaving = ids[1:] if rest else ids
                connection.executemany("DELETE FROM batches WHERE id = ?", [(batch_id,) for batch_id in leaving])
                self._insert_letters(connection, destination, dead)
            self._file.shrink()
        return int(before) - kept

    def set_aside(self, ids: Sequence[int], counted_as: str, reason: str) -> int:
        """Make dead letters of whole batches, as they are. Returns how many spans that were."""
        marks = ", ".join("?" * len(ids))
        with self.at_work, self._file.open() as connection:
            return _move_to_letters(connection, f"id IN ({marks})", ids, counted_as, reason)

    def bury(self, destination: str, dead: Sequence[DeadLetter]) -> None:
        """Keep dead letters of spans that were not on disk.

        Raises:
            sqlite3.Error: The file cannot be written.
            OSError: Its directory cannot be made.
        """
        with self.at_work, self._file.open() as connection:
            self._file.make_room(connection, 0)
            self._insert_letters(connection, destination, dead)

    def report(self, destination: str, lane: str, state: str, error: str | None, fix: str | None) -> None:
        """Note how a lane of this process is doing, for `reamon doctor` to read; "ok" needs no note.

        Raises:
            sqlite3.Error: The file cannot be written.
            OSError: Its directory cannot be made.
        """
        with self.at_work:
            mine = current_id()
            if state != "ok":
                self._processes.enter(mine)
            with self._file.open() as connection:
                connection.execute("DELETE FROM lanes WHERE destination = ? AND owner = ?", (destination, mine))
                if state != "ok":
                    row = (destination, mine, lane, state, time.time(), error, fix)
                    connection.execute("INSERT INTO lanes VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def close(self) -> None:
        """Close the file. What this process still owns is free for the next one."""
        if not self.at_work.acquire(timeout=_CLOSE_PATIENCE):
            return  # the disk hangs; the operating system closes the file in the end
        try:
            self._file.close()
            self._at_hand.clear()  # another file may be there when it is opened again
            self._processes.leave(current_id())
        finally:
            self.at_work.release()

    def after_fork(self) -> None:
        """Let go of the parent's connection and its life sign."""
        self.at_work = threading.RLock()
        self._file.after_fork()
        self._at_hand.clear()
        self._processes.after_fork()

    def _read(self, batch_id: int) -> list[Span]:
        ((body,),) = self._file.query("SELECT body FROM batches WHERE id = ?", batch_id)
        return decode_spans(body)

    def _claim(self, destination: str) -> int:
        rows = self._file.query("SELECT DISTINCT owner FROM batches WHERE destination = ?", destination)
        mine = current_id()
        dead = [owner for (owner,) in rows if owner != mine and not self._processes.is_alive(owner)]
        if not dead:
            return 0
        self._processes.enter(mine)
        before = self.waiting(destination)
        with self._file.open() as connection:
            connection.executemany(
                "UPDATE batches SET owner = ? WHERE destination = ? AND owner = ?",
                [(mine, destination, owner) for owner in dead],
            )
        for owner in dead:
            self._forget_process(owner)
        return self.waiting(destination) - before

    def _forget_process(self, owner: str) -> None:
        """Remove the life sign of a dead process, once nothing is left of it."""
        if not self._file.query("SELECT 1 FROM batches WHERE owner = ? LIMIT 1", owner):
            with self._file.open() as connection:
                connection.execute("DELETE FROM lanes WHERE owner = ?", (owner,))
            self._processes.remove(owner)

    def _bury_abandoned(self) -> None:
        """Make dead letters of what nobody has sent for long, now and then."""
        now = time.monotonic()
        looked = self._looked_for_abandoned
        if self._abandon_after is None or (looked is not None and now - looked < _LOOK_FOR_ABANDONED):
            return
        self._looked_for_abandoned = now
        written_before = time.time() - self._abandon_after
        rows = self._file.query("SELECT DISTINCT owner, destination FROM batches WHERE written < ?", written_before)
        for owner, destination in rows:
            if destination not in self._served and not self._processes.is_alive(owner):
                self._bury_batches(owner, destination, written_before)
                self._forget_process(owner)

    def _bury_batches(self, owner: str, destination: str, written_before: float) -> None:
        reason = _ABANDONED.format(days=(self._abandon_after or 0) / 86_400)
        which = "owner = ? AND destination = ? AND written < ?"
        with self._file.open() as connection:
            _move_to_letters(connection, which, (owner, destination, written_before), "abandoned", reason)

    def _keep(self, connection: sqlite3.Connection, batch_id: int, rest: Sequence[Span]) -> int:
        self._at_hand.forget(batch_id)
        body, _ = encode_spans(rest)
        changed = connection.execute(
            "UPDATE batches SET spans = ?, bytes = ?, body = ? WHERE id = ?", (len(rest), len(body), body, batch_id)
        )
        return len(rest) if changed.rowcount else 0

    def _insert_letters(self, connection: sqlite3.Connection, destination: str, dead: Sequence[DeadLetter]) -> None:
        for letter in dead:
            body, _ = encode_spans(letter.spans)
            connection.execute(
                "INSERT INTO letters (destination, spans, bytes, died, counted_as, reason, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (destination, len(letter.spans), len(body), time.time(), letter.counted_as, letter.reason, body),
            )

    def _number(self, query: str, destination: str, *more: Any) -> int:
        with self.at_work:
            if not self._file.exists:
                return 0
            return int(self._file.query(query, destination, current_id(), *more)[0][0] or 0)


def _move_to_letters(
    connection: sqlite3.Connection, which: str, parameters: Sequence[Any], counted_as: str, reason: str
) -> int:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        "INSERT INTO letters (destination, spans, bytes, died, counted_as, reason, body)"
        f" SELECT destination, spans, bytes, ?, ?, ?, body FROM batches WHERE {which}",
        (time.time(), counted_as, reason, *parameters),
    )
    found = connection.execute(f"SELECT coalesce(sum(spans), 0) FROM batches WHERE {which}", parameters).fetchone()
    connection.execute(f"DELETE FROM batches WHERE {which}", parameters)
    return int(found[0])
