"""The spool: what waits for one exporter, in memory and on disk."""

import logging
import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import msgspec

from reamon.guard import describe, log
from reamon.model import Span
from reamon.pipeline.delivery import DeadLetter
from reamon.pipeline.outbox import Outbox

_LOGGER: Final = "reamon.pipeline"
_DISK_REST: Final = 1.0  # seconds for which a disk that has refused is not asked again
_DISK_PATIENCE: Final = 1.0  # seconds
_UNREADABLE: Final = "this version of reamon cannot read it; one that can may replay it"


class Batch(msgspec.Struct, eq=False):
    """Spans on their way to an exporter.

    Attributes:
        spans: Oldest first.
        weight: Bytes they take, roughly: in memory, or on disk if they come from there.
        stored: Its ids in the outbox, if it is there.
    """

    spans: list[Span]
    weight: int = 0
    stored: tuple[int, ...] = ()


class Spool:
    """Batches for one destination, and the count of what became of each span.

    With `write_ahead` everything goes to the outbox before it is delivered. Otherwise only what does not fit in memory
    does: beyond `max_bytes` the oldest, though never what the exporter is about to take. Where the disk refuses, memory
    has to do, and what does not fit in it is dropped, counted as "memory_full". Each kind of trouble is logged once,
    until it is over. Methods may be called by any thread.

    Args:
        lane: The lane's name, for the log.
        destination: Whose batches of the outbox are ours.
        outbox: The disk.
        max_bytes: What may wait in memory.
        write_ahead: Whether the disk comes first.
        batch_size: Spans in one batch on disk, at most: what is sent at once is then removed at once.
    """

    def __init__(
        self,
        lane: str,
        destination: str,
        outbox: Outbox,
        max_bytes: int,
        *,
        write_ahead: bool,
        batch_size: int = 2_000,
    ) -> None:
        self._lane = lane
        self._destination = destination
        self._outbox = outbox
        self._max_bytes = max_bytes
        self._write_ahead = write_ahead
        self._batch_size = batch_size
        outbox.serve(destination)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._waiting: deque[Batch] = deque()
        self._in_flight: Batch | None = None
        self._bytes = 0
        self._disk_turn = False
        self._disk_rests_until = 0.0
        self._complaints: set[str] = set()
        self.accepted = 0
        self.left_memory = 0
        self.claimed = 0
        self.spooled = 0
        self.dropped: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """How many spans are in memory, and nowhere else."""
        return self.accepted - self.left_memory

    @property
    def is_refused(self) -> bool:
        """Whether the disk has refused what was last written to it."""
        return "outbox_unwritable" in self._complaints

    def put(self, spans: list[Span], weight: int) -> None:
        """Add spans, and move to disk what has to go there."""
        with self._lock:
            batch = Batch(spans, weight)
            self.accepted += len(spans)
            self._bytes += weight
            if self._write_ahead and self._store(batch):
                return
            self._waiting.append(batch)
            while self._bytes > self._max_bytes and len(self._waiting) > (self._in_flight is None):
                oldest = self._waiting.popleft()
                if not self._store(oldest):
                    self._give_up(oldest)

    def take(self, size: int) -> Batch | None:
        """The next batch to deliver, up to `size` spans if they come in small pieces.

        Memory and disk take turns, so that neither a backlog nor what comes in keeps the other waiting. The batch
        counts as waiting until it is given to `settle` or `put_back`.

        Raises:
            sqlite3.Error: All that waits is on disk, and cannot be read.
            OSError: The same.
        """
        with self._lock:
            self._disk_turn = not self._disk_turn
            if not self._waiting or (self.spooled and self._disk_turn):
                self._in_flight = self._from_disk(size)
            if self._in_flight is None and self._waiting:
                self._in_flight = self._from_memory(size)
            return self._in_flight

    def settle(self, batch: Batch, rest: Sequence[Span] = (), dead: Sequence[DeadLetter] = ()) -> int:
        """Forget what of a batch was acknowledged or is refused for good, and keep the rest in its place.

        Args:
            batch: What `take` returned.
            rest: Those of its spans that have to be tried again.
            dead: Those that are refused for good: kept on disk where possible, and counted.

        Returns:
            How many spans were acknowledged: none if the batch was left to the next process meanwhile, fewer than all
            if some of them had to make room on disk and were counted as dropped.

        Raises:
            sqlite3.Error: The outbox cannot forget it, so it has to be delivered again.
        """
        with self._lock:
            if batch is not self._in_flight:
                return 0
            expected = len(batch.spans) - len(rest)
            settle = self._settle_on_disk if batch.stored else self._settle_in_memory
            settled = settle(batch, rest, dead)
            self._in_flight = None
            acknowledged = min(settled, expected)
            for letter in dead:
                count = min(len(letter.spans), acknowledged)
                acknowledged -= count
                self._count_dead(letter, count)
            return acknowledged

    def put_back(self, batch: Batch) -> None:
        """Keep a batch in its place, unless it was settled."""
        with self._lock:
            if batch is self._in_flight:
                self._in_flight = None
                if not batch.stored:
                    self._waiting.appendleft(batch)

    def report(self, state: str, error: str | None, fix: str | None) -> None:
        """Leave a note on disk of how the lane is doing."""
        with self._complaining("outbox_unwritable"):
            self._outbox.report(self._destination, self._lane, state, error, fix)

    def claim(self) -> int:
        """Take over what was left on disk for us, by dead processes or by this one. Returns how much waits there."""
        with self._lock, self._complaining("outbox_unreadable"):
            self._outbox.claim(self._destination)
            found = self._outbox.waiting(self._destination)
            self.claimed += max(found - self.spooled, 0)
            self.spooled = max(found, self.spooled)
        return self.spooled

    def move_to_disk(self, timeout: float = _DISK_PATIENCE) -> bool:
        """Put all that is in memory on disk, what is on its way included.

        Args:
            timeout: Seconds to wait for others who write, at most: a disk may hang.

        Returns:
            Whether nothing is left in memory.
        """
        if not self._lock.acquire(timeout=max(timeout, 0.0)):
            return False
        try:
            self._disk_rests_until = 0.0
            if self._in_flight is not None and not self._in_flight.stored and not self._store(self._in_flight):
                return False
            while self._waiting:
                if not self._store(self._waiting[0]):
                    return False
                self._waiting.popleft()
            return True
        finally:
            self._lock.release()

    def leave(self) -> None:
        """Be done: what is still on its way has been kept, and what its exporter says of it comes too late."""
        self._in_flight = None

    def disk_mark(self) -> int:
        """What `is_past` takes: where the spans end that are on disk now."""
        return self._outbox.newest(self._destination) if self.spooled else 0

    def is_past(self, mark: int) -> bool:
        """Whether all that was on disk at `disk_mark` has been settled."""
        return not self.spooled or not self._outbox.has_until(self._destination, mark)

    def after_fork(self) -> None:
        """Begin anew in a child: all this is the parent's to deliver."""
        self._begin()

    def _settle_on_disk(self, batch: Batch, rest: Sequence[Span], dead: Sequence[DeadLetter]) -> int:
        settled = self._outbox.settle(self._destination, batch.stored, rest, dead)
        self.spooled -= settled
        lost = settled - (len(batch.spans) - len(rest))
        if lost > 0:  # the rest should have stayed, but had to make room
            self.dropped["outbox_full"] += lost
        return settled

    def _settle_in_memory(self, batch: Batch, rest: Sequence[Span], dead: Sequence[DeadLetter]) -> int:
        if dead:
            with self._complaining("outbox_unwritable"):
                self._outbox.bury(self._destination, dead)
        left = Batch(list(rest), batch.weight * len(rest) // len(batch.spans))
        settled = Batch(batch.spans[len(rest) :], batch.weight - left.weight)
        self._release(settled)
        if rest:
            self._waiting.appendleft(left)
        return len(settled.spans)

    def _count_dead(self, letter: DeadLetter, count: int) -> None:
        """Count, and log the first, the tenth, the hundredth: a backlog may be refused span by span."""
        kind, before = letter.counted_as, self.dropped[letter.counted_as]
        total = self.dropped[kind] = before + count
        if not before or len(str(before)) < len(str(total)):
            log(_LOGGER, logging.WARNING, "dead_letter", lane=self._lane, kind=kind, reason=letter.reason, total=total)

    def _from_memory(self, size: int) -> Batch:
        first = self._waiting.popleft()
        batch = Batch(list(first.spans), first.weight)
        while self._waiting and len(batch.spans) + len(self._waiting[0].spans) <= size:
            following = self._waiting.popleft()
            batch.spans += following.spans
            batch.weight += following.weight
        return batch

    def _from_disk(self, size: int) -> Batch | None:
        while self.spooled:
            stored = self._outbox.oldest(self._destination, size)
            if stored is None:
                self._count_pushed_out()
            elif not stored.spans:
                unreadable = self._outbox.set_aside(stored.ids, "unreadable", _UNREADABLE)
                self.spooled -= unreadable
                self.dropped["unreadable"] += unreadable
                self._complain("outbox_batch_unreadable", spans=unreadable)
            else:
                return Batch(stored.spans, stored.bytes, stored.ids)
        return None

    def _store(self, batch: Batch) -> bool:
        """Put a batch on disk. Returns whether it is there."""
        if time.monotonic() < self._disk_rests_until:
            return False
        stored: tuple[int, ...] = ()
        spans, size = batch.spans, self._batch_size
        with self._complaining("outbox_unwritable"):
            pieces = [spans[begin : begin + size] for begin in range(0, len(spans), size)]
            stored, made_room = self._outbox.write(self._destination, pieces)
            self.spooled += len(batch.spans)
            if made_room:
                self._count_pushed_out()
            else:
                self._complaints.discard("outbox_full")
        if not stored:
            self._disk_rests_until = time.monotonic() + _DISK_REST
            return False
        self._complaints.discard("memory_full")
        batch.stored = stored
        self._release(batch)
        return True

    def _release(self, batch: Batch) -> None:
        self._bytes -= batch.weight
        self.left_memory += len(batch.spans)

    def _give_up(self, batch: Batch) -> None:
        self._release(batch)
        self.dropped["memory_full"] += len(batch.spans)
        self._complain("memory_full", then="the oldest spans are dropped")

    def _count_pushed_out(self) -> None:
        """Count what had to make room on disk, for us or for another."""
        left = self._outbox.waiting(self._destination)
        if left < self.spooled:
            self.dropped["outbox_full"] += self.spooled - left
            self.spooled = left
            self._complain("outbox_full", then="the oldest spans are dropped")

    @contextmanager
    def _complaining(self, event: str) -> Iterator[None]:
        """Log what goes wrong with the disk inside."""
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            self._complain(event, error=describe(error))
        else:
            self._complaints.discard(event)

    def _complain(self, event: str, **fields: object) -> None:
        if event not in self._complaints:
            self._complaints.add(event)
            log(_LOGGER, logging.WARNING, event, lane=self._lane, **fields)
