"""The pipeline: queue, worker, stages and lanes, put together."""

import contextvars
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from reamon.guard import guard
from reamon.model import Span
from reamon.pipeline.breaker import Breaker
from reamon.pipeline.commits import Commits
from reamon.pipeline.health import Health
from reamon.pipeline.lane import Lane
from reamon.pipeline.outbox import Outbox
from reamon.pipeline.queue import SpanQueue
from reamon.pipeline.retry import Backoff
from reamon.pipeline.spool import Spool
from reamon.pipeline.stages import Stages
from reamon.pipeline.stats import Stats
from reamon.pipeline.worker import Worker
from reamon.protocols import Exporter

_FLUSH_SHARE = 0.8  # of a shutdown's time; the rest is for putting on disk what could not be delivered
_FORK_PATIENCE = 0.5  # seconds
_LONGEST = 1e8  # seconds: what the operating system waits for at most, rounded down


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much may wait where, and for how long.

    Attributes:
        max_queue: Spans that may wait for the worker.
        max_lane_bytes: Bytes that may wait in memory for one exporter.
        batch_size: Spans in one batch.
        flush_interval: Seconds until a finished span is committed.
        retry_base: Seconds, at most, before the first new attempt of an exporter that fails.
        retry_cap: Seconds between two attempts.
        breaker_failures: Failures in a row after which an exporter is left alone for a while.
        breaker_rest: Seconds of that while.
        breaker_successes: Batches that have to succeed before all is well again.
        claim_interval: Seconds between looks for what dead processes have left.
        durability_timeout: Seconds that a call waits until its span is on disk, at most; None if it does not wait.
    """

    max_queue: int = 100_000
    max_lane_bytes: int = 32 * 1024 * 1024
    batch_size: int = 2_000
    flush_interval: float = 0.2
    retry_base: float = 0.1
    retry_cap: float = 10.0
    breaker_failures: int = 5
    breaker_rest: float = 5.0
    breaker_successes: int = 1
    claim_interval: float = 10.0
    durability_timeout: float | None = None


class Pipeline:
    """Takes what tracing appends to `queue` to every exporter.

    Args:
        build: Makes the span of a queued item (see `Worker`).
        exporters: One lane is made for each.
        stages: Processors, collectors, sampler.
        outbox: The disk behind the lanes.
        limits: How much may wait where.
        is_finished: Whether a queued item is a finished span (see `Worker`).
        on_start: Called on the thread that records the first span, before ours are started.
        on_drain: Called before each drain of the queue.
        age_of: How many seconds ago a queued item was finished.
        context: Makes the contexts in which our threads run.
    """

    def __init__(
        self,
        build: Callable[[Any], Span | None],
        exporters: Sequence[Exporter],
        stages: Stages,
        outbox: Outbox,
        limits: Limits,
        *,
        is_finished: Callable[[Any], bool],
        on_start: Callable[[], object],
        on_drain: Callable[[], object],
        age_of: Callable[[Any], float],
        context: Callable[[], contextvars.Context] = contextvars.copy_context,
    ) -> None:
        self._outbox = outbox
        self._age_of = age_of
        commits = None if limits.durability_timeout is None else Commits(limits.durability_timeout)
        self._lanes = [_make_lane(exporter, outbox, limits, commits, context) for exporter in exporters]
        self._worker = Worker(
            build,
            stages,
            self._lanes,
            capacity=limits.max_queue,
            flush_interval=limits.flush_interval,
            is_finished=is_finished,
            on_start=on_start,
            on_drain=on_drain,
            commits=commits,
            context=context,
        )

    @property
    def queue(self) -> SpanQueue:
        """What tracing appends to."""
        return self._worker.queue

    def start(self) -> None:
        """Take over what dead processes left on disk, and begin to deliver. Until now, all waits in the queue."""
        for lane in self._lanes:
            if lane.spool.claim():
                lane.nudge()
        self._worker.open()

    def flush(self, timeout: float, *, durable: bool = False) -> bool:
        """Wait until all that finished before is acknowledged or given up by every exporter, or (`durable`) on disk."""
        deadline = time.monotonic() + min(timeout, _LONGEST)
        drained = self._worker.drain(deadline)
        requests = [(lane, lane.want_flush(deadline)) for lane in self._lanes]
        flushed = [lane.wait_flush(request, durable=durable) for lane, request in requests]
        return drained and all(flushed)

    def shutdown(self, timeout: float) -> bool:
        """Deliver, then stop; what cannot be delivered in time is put on disk. Returns whether nothing was lost."""
        timeout = min(timeout, _LONGEST)
        deadline = time.monotonic() + timeout
        self.flush(timeout * _FLUSH_SHARE, durable=True)
        self._worker.stop(deadline)
        for lane in self._lanes:
            lane.want_stop(deadline)
        for lane in self._lanes:  # now, since one that hangs is waited for until there is no time left
            lane.spool.move_to_disk(deadline - time.monotonic())
        safe = [lane.wait_stop(deadline) for lane in self._lanes]
        self._outbox.close()
        return all(safe) and not self._worker.waiting

    def bequeath(self, heir: "Pipeline") -> None:
        """Once shut down: what calls that were ending meanwhile still append here goes to `heir`."""
        self._worker.bequeath(heir.queue)

    def hold_still(self) -> Callable[[], None]:
        """Wait, for a moment at most, until none of our threads is inside of a library that a fork could catch there.

        SQLite has locks that are shared by all of a process: held by another thread at the moment of a fork, they would
        stay locked in the child for ever. Lanes of exporters that are not local are left alone, since they may hang.

        Returns:
            What lets our threads go on.
        """
        local = [lane.at_work for lane in self._lanes if _is_local(lane.exporter)]
        empty = [place for place in local if place.acquire(timeout=_FORK_PATIENCE)]
        has_outbox = self._outbox.at_work.acquire(timeout=_FORK_PATIENCE)

        def go_on() -> None:
            for place in empty:
                place.release()
            if has_outbox:
                self._outbox.at_work.release()

        return go_on

    def after_fork(self) -> None:
        """Begin anew in a forked child."""
        self._outbox.after_fork()
        for lane in self._lanes:
            lane.after_fork()
        self._worker.after_fork()

    def stats(self) -> Stats:
        """What became of every span."""
        worker = self._worker
        waiting = worker.waiting
        dropped: Counter[str] = Counter(worker.dropped)
        for lane in self._lanes:
            dropped.update(lane.spool.dropped)
        return Stats(
            recorded=worker.recorded,
            claimed={lane.name: lane.spool.claimed for lane in self._lanes},
            exported={lane.name: lane.exported for lane in self._lanes},
            pending={lane.name: lane.spool.pending + waiting for lane in self._lanes},
            spooled={lane.name: lane.spool.spooled for lane in self._lanes},
            dropped={reason: count for reason, count in sorted(dropped.items()) if count},
            internal_errors=guard.errors,
            microseconds_per_span=worker.microseconds_per_span,
            queue_age_seconds=self._queue_age(),
            lanes={lane.name: lane.stats() for lane in self._lanes},
        )

    def _queue_age(self) -> float:
        try:
            return self._age_of(self.queue[0])
        except IndexError:
            return 0.0


def destination_of(exporter: Exporter) -> str:
    """Who an exporter sends to: its name, unless it says more."""
    return getattr(exporter, "destination", exporter.name)


def _is_local(exporter: Exporter) -> bool:
    return getattr(exporter, "local", False)


def _make_lane(
    exporter: Exporter,
    outbox: Outbox,
    limits: Limits,
    commits: Commits | None,
    context: Callable[[], contextvars.Context],
) -> Lane:
    batch_size = min(limits.batch_size, getattr(exporter, "batch_size", limits.batch_size))
    return Lane(
        exporter,
        Spool(
            exporter.name,
            destination_of(exporter),
            outbox,
            limits.max_lane_bytes,
            write_ahead=not _is_local(exporter),
            batch_size=batch_size,
        ),
        Health(
            exporter.name,
            Backoff(limits.retry_base, limits.retry_cap),
            Breaker(limits.breaker_failures, limits.breaker_rest, limits.breaker_successes),
        ),
        batch_size=batch_size,
        claim_interval=limits.claim_interval,
        commits=commits,
        context=context,
    )
