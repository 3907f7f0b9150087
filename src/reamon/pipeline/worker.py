"""The worker: one thread that turns what was recorded into spans, edits them, and hands them to every lane."""

import contextvars
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

from reamon.guard import guard, log
from reamon.model import Span
from reamon.pipeline._signal import Signal
from reamon.pipeline.commits import Commits
from reamon.pipeline.lane import Lane
from reamon.pipeline.queue import DurableQueue, SpanQueue
from reamon.pipeline.stages import Stages
from reamon.pipeline.weight import weight_of

_CHUNK: Final = 64
_HAND_OVER: Final = 1_024
_BACKLOG: Final = 8_192
_GATHER: Final = 1_024


class Worker:
    """Drains the queue every half flush interval, or sooner if a batch is waiting. It sleeps while nothing happens.

    Args:
        build: Makes the span of a queued item, finished or begun; None where there is nothing to tell any more.
        stages: Processors, collectors and sampler.
        lanes: Where the spans go.
        capacity: Spans that may wait for the worker.
        flush_interval: Seconds until a finished span is committed: half is the worker's, half the lanes'.
        is_finished: Whether a queued item is a finished span, and no notice of one that has begun.
        on_start: Called on the thread that records the first span, before ours are started.
        on_drain: Called before each drain.
        commits: Who waits until his span is on disk, where anybody does.
        context: The context of the thread.
    """

    def __init__(
        self,
        build: Callable[[Any], Span | None],
        stages: Stages,
        lanes: list[Lane],
        *,
        capacity: int,
        flush_interval: float,
        is_finished: Callable[[Any], bool],
        on_start: Callable[[], object],
        on_drain: Callable[[], object],
        commits: Commits | None = None,
        context: Callable[[], contextvars.Context] = contextvars.copy_context,
    ) -> None:
        self._commits = commits
        if commits is None:
            self.queue = SpanQueue(capacity, self.nudge, is_finished)
        else:
            self.queue = DurableQueue(capacity, self.nudge, is_finished, commits)
        self._build = build
        self._is_finished = is_finished
        self._stages = stages
        self._lanes = lanes
        self._interval = flush_interval / 2
        self._on_start = on_start
        self._on_drain = on_drain
        self._context = context
        self._is_open = False
        self._begin()

    def _begin(self) -> None:
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._wake = Signal()
        self._drained = threading.Condition()
        self._wanted = 0
        self._done = 0
        self._stopping = False
        self._has_told_of_drops = False
        self._taken = 0
        self._in_hand = 0
        self._busy_ns = 0
        if self._commits is not None:
            self._commits.stop()

    @property
    def recorded(self) -> int:
        """Finished spans of this process."""
        return self._taken + self.waiting + self.queue.dropped

    @property
    def waiting(self) -> int:
        """Finished spans that no lane has seen yet."""
        return self.queue.finished

    @property
    def dropped(self) -> Counter[str]:
        """Spans that no lane will see, by reason."""
        return self._stages.dropped + Counter(queue_full=self.queue.dropped)

    @property
    def microseconds_per_span(self) -> float | None:
        """CPU time of the thread for each span."""
        return self._busy_ns / 1000 / self._taken if self._taken else None

    def open(self) -> None:
        """Begin to work; spans may wait already."""
        self._is_open = True
        if self.queue or self._wanted:
            self.nudge()

    def nudge(self) -> None:
        """Make sure that the thread runs and is awake."""
        if self._thread is None and self._is_open and not self._stopping:
            self._start()
        self._wake.give()

    def drain(self, deadline: float) -> bool:
        """Wait until all that is in the queue now has been handed to the lanes. Returns whether it has."""
        with self._drained:
            self._wanted += 1
            wanted = self._wanted
        self.nudge()
        if self._thread is None and self._is_open:  # the interpreter is going down, and starts no thread any more
            self._drain()
            return True
        with self._drained:
            return self._drained.wait_for(lambda: self._done >= wanted, max(deadline - time.monotonic(), 0.0))

    def stop(self, deadline: float) -> None:
        """End the thread."""
        self._stopping = True
        self._wake.give()
        if self._thread is not None:
            self._thread.join(max(deadline - time.monotonic(), 0.0))

    def bequeath(self, heir: SpanQueue) -> None:
        """Once stopped, let `heir` have what the queue still gets; not so where the thread hangs, and may yet go on."""
        if self._thread is None or not self._thread.is_alive():
            self.queue.bequeath(heir)

    def after_fork(self) -> None:
        """Begin anew in a child: what waits is the parent's to deliver. The next span starts the thread."""
        self.queue.reset()
        self._stages.after_fork()
        self._begin()

    def _start(self) -> None:
        """Start the thread and those of the lanes: by the time that they have spans, the interpreter may be ending."""
        with self._starting:
            if self._thread is not None:
                return
            self._on_start()
            for lane in self._lanes:
                lane.start()
            thread = threading.Thread(target=self._context().run, args=(self._run,), name="reamon-worker", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                guard.contain("worker start", error)
                return
            self._thread = thread
            if self._commits is not None:
                self._commits.is_served = True

    def _run(self) -> None:
        while not self._stopping:
            if not self.queue.sleep() and not self._is_awaited:
                self._wake.wait()
            self._wake.clear()
            self.queue.gather(_GATHER)
            if not self._is_awaited and len(self.queue) < _GATHER and not self._stopping:
                self._wake.wait(self._interval)
            wanted = self._wanted
            try:
                self._drain_and_commit()
            except BaseException as error:
                guard.contain("worker", error)
            self._tell_of_drops()
            with self._drained:
                self._done = wanted
                self._drained.notify_all()
        if self.queue:  # calls that ended during the last drain
            self._drain()
        if self._commits is not None:
            self._commits.stop()

    @property
    def _is_awaited(self) -> bool:
        """Whether somebody waits for the queue to be drained."""
        return self._done < self._wanted or (self._commits is not None and self._commits.is_wanted)

    def _drain_and_commit(self) -> None:
        group = None if self._commits is None else self._commits.close_group()
        self._drain()
        if self._commits is not None and group is not None:
            self._commits.hand_over(group, [(lane, lane.spool.accepted) for lane in self._lanes])

    def _tell_of_drops(self) -> None:
        if self.queue.dropped and not self._has_told_of_drops:
            self._has_told_of_drops = True
            then = "the newest spans are dropped"
            log("reamon.pipeline", logging.WARNING, "queue_full", capacity=self.queue.capacity, then=then)

    def _drain(self) -> None:
        """Hand all that waits to the lanes, and begun workflows before finished spans.

        Spans are made in small pieces, between which other threads get the interpreter, unless many wait; the lanes get
        them in large ones, since what a transaction costs does not depend much on how many spans it holds.
        """
        self._on_drain()
        queue = self.queue
        left = min(len(queue), queue.capacity)  # what is beyond may be dropped meanwhile
        while left > 0:
            begun: list[Span] = []
            finished: list[Span] = []
            for _ in range(0, min(left, _HAND_OVER), _CHUNK):
                since = time.thread_time_ns()
                self._take([queue.popleft() for _ in range(min(left, _CHUNK))], begun, finished)
                self._in_hand = len(finished)
                self._busy_ns += time.thread_time_ns() - since
                left = max(left - _CHUNK, 0)
                if left < _BACKLOG:
                    time.sleep(0)
            self._hand_over(begun, finished)
            self._in_hand = 0

    def _take(self, items: list[Any], begun: list[Span], finished: list[Span]) -> None:
        for item in items:
            span = None
            try:
                span = self._build(item)
                if span is None:
                    continue
                if span.end_ns is None:
                    edited, taken = self._stages.begin(span), begun
                else:
                    self._taken += 1
                    edited, taken = self._stages.finish(span), finished
                if edited is not None:
                    taken.append(edited)
            except BaseException as error:  # of one span, and never the others' loss
                if self._is_finished(item):
                    self._taken += span is None
                    self._stages.dropped["internal_error"] += 1
                guard.contain("worker", error)

    def _hand_over(self, begun: list[Span], finished: list[Span]) -> None:
        weight = sum(map(weight_of, finished))
        for lane in self._lanes:
            if begun:
                lane.put_started(begun)
            if finished:
                lane.put(finished, weight)
