"""The spool: what waits for one exporter, in memory first and on disk beyond."""

import logging
import sqlite3
import threading
from collections import Counter, deque
from typing import Final

import msgspec

from reamon.guard import describe, log
from reamon.model import Span
from reamon.pipeline.outbox import Outbox

_LOGGER: Final = "reamon.pipeline"


class Batch(msgspec.Struct, frozen=True, eq=False):
    """Spans on their way to an exporter.

    Attributes:
        spans: Oldest first.
        weight: Bytes they take in memory, roughly; 0 for a batch from disk, which is on disk still.
        stored: Its id in the outbox, if it comes from there.
    """

    spans: list[Span]
    weight: int = 0
    stored: int | None = None


class Spool:
    """Batches for one destination, and the count of what became of each span.

    Memory is bounded: beyond `max_bytes` the oldest go to the outbox. Where the disk refuses, they are dropped, counted
    as "memory_full" and logged once for each outage. Methods may be called by any thread.

    Args:
        lane: The lane's name, for the log.
        destination: Whose batches of the outbox are ours.
        outbox: The disk; None where there is none.
        max_bytes: What may wait in memory.
    """

    def __init__(self, lane: str, destination: str, outbox: Outbox | None, max_bytes: int) -> None:
        self._lane = lane
        self._destination = destination
        self._outbox = outbox
        self._max_bytes = max_bytes
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._waiting: deque[Batch] = deque()
        self._in_flight: Batch | None = None
        self._bytes = 0
        self._disk_complained = False
        self.accepted = 0
        self.left_memory = 0
        self.spooled = 0
        self.dropped: Counter[str] = Counter()

    @property
    def pending(self) -> int:
        """How many spans are in memory."""
        return self.accepted - self.left_memory

    def put(self, spans: list[Span], weight: int) -> None:
        """Add spans, and move the oldest to disk where memory is full."""
        with self._lock:
            self._waiting.append(Batch(spans, weight))
            self.accepted += len(spans)
            self._bytes += weight
            while self._bytes > self._max_bytes and len(self._waiting) > 1:
                self._to_disk(self._waiting.popleft())

    def take(self, size: int) -> Batch | None:
        """The next batch to deliver: what is in memory, up to `size` spans if it comes in small pieces, then the disk.

        It counts as waiting until it is given to `settle` or `put_back`.
        """
        with self._lock:
            if self._waiting:
                batch = self._waiting.popleft()
                spans, weight = list(batch.spans), batch.weight
                while self._waiting and len(spans) + len(self._waiting[0].spans) <= size:
                    batch = self._waiting.popleft()
                    spans += batch.spans
                    weight += batch.weight
                self._in_flight = Batch(spans, weight)
            else:
                self._in_flight = self._from_disk() if self.spooled else None
            return self._in_flight

    def settle(self, batch: Batch) -> None:
        """Forget a batch that was acknowledged or given up."""
        with self._lock:
            if batch is not self._in_flight:
                return  # a shutdown has moved it to disk meanwhile
            self._in_flight = None
            if batch.stored is None:
                self._release(batch)
                return
            self.spooled -= len(batch.spans)
            if self._outbox is not None:
                self._outbox.remove(batch.stored)

    def put_back(self, batch: Batch) -> None:
        """Keep a batch that was not delivered, in its place."""
        with self._lock:
            if batch is self._in_flight:
                self._in_flight = None
                if batch.stored is None:
                    self._waiting.appendleft(batch)

    def drop(self, reason: str, spans: int) -> None:
        """Count spans that were given up."""
        with self._lock:
            self.dropped[reason] += spans

    def claim(self) -> int:
        """Take over what dead processes left on disk for us. Returns how many spans wait there now."""
        if self._outbox is None:
            return 0
        with self._lock:
            try:
                self.spooled = self._outbox.claim(self._destination)
            except (sqlite3.Error, OSError) as error:
                self._complain("outbox_unreadable", error)
            return self.spooled

    def move_to_disk(self) -> bool:
        """Put all that is in memory on disk, what is on its way included. Returns whether nothing is left in memory."""
        with self._lock:
            if self._in_flight is not None and self._in_flight.stored is None:
                self._waiting.appendleft(self._in_flight)
            self._in_flight = None
            while self._waiting:
                batch = self._waiting.popleft()
                if not self._store(batch):
                    self._waiting.appendleft(batch)
                    return False
                self._release(batch)
            return True

    def after_fork(self) -> None:
        """Begin anew in a child: all this is the parent's to deliver."""
        self._begin()

    def _release(self, batch: Batch) -> None:
        self._bytes -= batch.weight
        self.left_memory += len(batch.spans)

    def _to_disk(self, batch: Batch) -> None:
        if not self._store(batch):
            self.dropped["memory_full"] += len(batch.spans)
        self._release(batch)

    def _store(self, batch: Batch) -> bool:
        if self._outbox is None:
            return False
        try:
            pushed_out = self._outbox.write(self._destination, batch.spans)
        except (sqlite3.Error, OSError) as error:
            self._complain("outbox_unwritable", error)
            return False
        self._disk_complained = False
        self.spooled += len(batch.spans)
        if pushed_out:
            self.dropped["outbox_full"] += pushed_out
            self.spooled = self._outbox.waiting(self._destination)
            log(_LOGGER, logging.WARNING, "outbox_full", lane=self._lane, dropped=pushed_out)
        return True

    def _from_disk(self) -> Batch | None:
        if self._outbox is None:
            return None
        stored = self._outbox.oldest(self._destination)
        if stored is None:
            self.spooled = 0
            return None
        return Batch(stored.spans, 0, stored.id)

    def _complain(self, event: str, error: Exception) -> None:
        if not self._disk_complained:
            self._disk_complained = True
            log(_LOGGER, logging.WARNING, event, lane=self._lane, error=describe(error))
