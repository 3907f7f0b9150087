"""The lane: one exporter's private path. It has a thread and a spool of its own, and waits for nobody."""

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reamon.errors import Rejected
from reamon.guard import guard, log
from reamon.late_imports import LateImport
from reamon.model import Span
from reamon.pipeline._forked import Workplace
from reamon.pipeline._signal import Signal
from reamon.pipeline.commits import Commits
from reamon.pipeline.delivery import Delivery
from reamon.pipeline.health import Health
from reamon.pipeline.spool import Spool
from reamon.pipeline.stats import LaneStats
from reamon.processes import abandon
from reamon.protocols import Exporter

if TYPE_CHECKING:
    import asyncio

_LOGGER: Final = "reamon.pipeline"
_importing: Final = LateImport()
_STARTS_KEPT: Final = 10_000
_AFTER_AN_ERROR: Final = 1.0  # seconds
_LAST_RESORT: Final = 0.1  # seconds for the disk when the time is up


class FlushRequest(msgspec.Struct, eq=False):
    """Somebody waits for what a lane had taken in at one moment.

    Attributes:
        deadline: Until when he waits, by `time.monotonic()`.
        spans: How many had been taken in.
        starts: How many starts of workflows had been.
        disk_mark: What was on disk when the last of the spans had left memory.
        done: Whether all that is delivered or given up.
    """

    deadline: float
    spans: int
    starts: int
    disk_mark: int | None = None
    done: bool = False


class Lane:
    """Delivers what is in its spool, one batch after another, for as long as it takes.

    Args:
        exporter: Where to.
        spool: What waits.
        health: When to try again.
        batch_size: Spans in one batch, at most; an exporter may want fewer.
        claim_interval: Seconds between looks for what dead processes have left for it.
        commits: Who waits until his span is on disk, where anybody does.
        context: The context of the lane's thread; spans of the exporter's own doings are suppressed in it.

    Attributes:
        at_work: Where the thread is while it calls the exporter.
        exported: Spans that were acknowledged.
    """

    def __init__(
        self,
        exporter: Exporter,
        spool: Spool,
        health: Health,
        *,
        batch_size: int,
        claim_interval: float = 10.0,
        commits: Commits | None = None,
        context: Callable[[], contextvars.Context] = contextvars.copy_context,
    ) -> None:
        self.name = exporter.name
        self.exporter = exporter
        self.spool = spool
        self.health = health
        self._batch_size = batch_size
        self._gathers_for: float = getattr(exporter, "flush_interval", 0.0)
        self._claim_interval = claim_interval
        self._delivery = Delivery(self._export, batch_size, getattr(exporter, "batch_bytes", None))
        self._commits = commits
        self._context = context
        self._begin()

    def _begin(self) -> None:
        self._starts: deque[Span] = deque(maxlen=_STARTS_KEPT)
        self._starts_accepted = 0
        self._flushes: list[FlushRequest] = []
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._wake = Signal()
        self._changed = threading.Condition()
        self._runner: asyncio.Runner | None = None
        self._hurry = False
        self._stop_at: float | None = None
        self._gather_until: float | None = None
        self._claim_at = 0.0
        self._reported = "ok"
        self._busy_ns = 0
        self.exported = 0
        self.at_work = Workplace()

    # -- called by the worker ----------------------------------------------------------------------------------------

    def put(self, spans: list[Span], weight: int) -> None:
        """Take finished spans in."""
        self.spool.put(spans, weight)
        self._gather()
        self.nudge()

    def put_started(self, roots: list[Span]) -> None:
        """Take workflows in that have begun."""
        if hasattr(self.exporter, "started"):
            self._starts_accepted += len(roots)
            self._starts.extend(roots)
            self._gather()
            self.nudge()

    def nudge(self) -> None:
        """Make sure that the thread runs and is awake."""
        if self._thread is None and self._stop_at is None:
            self.start()
        self._wake.give()

    def start(self) -> bool:
        """Make sure that the thread runs. Returns whether it does: an interpreter that is going down starts none."""
        with self._starting:
            if self._thread is None:
                run = self._context().run
                thread = threading.Thread(target=run, args=(self._run,), name=f"reamon-{self.name}", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        return True

    def has_kept(self, mark: int) -> bool:
        """Whether the first `mark` spans that were put are delivered or on disk, or the disk refuses them."""
        return self.spool.left_memory >= mark or self.spool.is_refused

    # -- called by whoever flushes or shuts down ---------------------------------------------------------------------

    def want_flush(self, deadline: float) -> FlushRequest:
        """Ask for all that was taken in before to be delivered; a lane that is waiting to retry tries at once."""
        request = FlushRequest(deadline, self.spool.accepted, self._starts_accepted)
        with self._changed:
            self._flushes.append(request)
        self._hurry = True
        self.nudge()
        return request

    def wait_flush(self, request: FlushRequest, *, durable: bool = False) -> bool:
        """Wait until that is delivered or given up, what waits on disk included.

        Args:
            request: What `want_flush` returned.
            durable: On disk is enough, for a lane that is down.
        """
        try:
            with self._changed:
                while not request.done:
                    if durable and self.health.failures and self.spool.move_to_disk():
                        return True
                    left = request.deadline - time.monotonic()
                    if left <= 0 or self._thread is None:
                        return durable and self.spool.move_to_disk()
                    self._changed.wait(left)
            return True
        finally:
            with self._changed:
                self._flushes.remove(request)

    def want_stop(self, deadline: float) -> None:
        """Ask the thread to shut the exporter down and to end."""
        self._stop_at = deadline
        if self.start():
            self._wake.give()
        else:
            self._shut_down(deadline)

    def wait_stop(self, deadline: float) -> bool:
        """Wait for that; what is left goes to disk. Returns whether nothing is left in memory."""
        if self._thread is not None:
            self._thread.join(max(deadline - time.monotonic(), 0.0))
        is_safe = self.spool.move_to_disk(max(deadline - time.monotonic(), _LAST_RESORT))
        self.spool.leave()
        return is_safe

    def stats(self) -> LaneStats:
        """How it is doing."""
        health = self.health
        return LaneStats(
            state="stopped" if self._stop_at is not None else health.state,
            failures=health.failures,
            last_error=health.error,
            fix=health.fix,
            down_seconds=health.down_seconds,
            microseconds_per_span=self._busy_ns / 1000 / self.exported if self.exported else None,
        )

    def after_fork(self) -> None:
        """Begin anew in a child."""
        if self._runner is not None:
            abandon(self._runner)
        self.spool.after_fork()
        self.health.after_fork()
        self._begin()
        after_fork = getattr(self.exporter, "after_fork", None)
        if after_fork is not None:
            self._call(after_fork)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._stop_at is None:
            try:
                self._take_turn()
            except BaseException as error:  # ours, and the lane outlives it
                guard.contain(f"lane {self.name}", error)
                self._wake.wait(_AFTER_AN_ERROR)
        with self.at_work:
            self._shut_down(self._stop_at)

    def _take_turn(self) -> None:
        """Wait until there may be something to do, or do it."""
        self._claim()
        pause = self._pause()
        if pause > 0:
            self._wake.wait(pause)
        else:
            with self.at_work:
                self._attempt()

    def _claim(self) -> None:
        """Look now and then for what dead processes have left: some die long after we have started."""
        if time.monotonic() >= self._claim_at:
            self.spool.claim()
            self._claim_at = time.monotonic() + self._claim_interval

    def _pause(self) -> float:
        """Seconds until there may be something to do."""
        until_claim = max(self._claim_at - time.monotonic(), 0.0)
        if not (self._waits or self._unanswered()):
            return until_claim
        if self._hurry:
            return 0.0
        return min(max(self.health.seconds_left(), self._gathering()), until_claim or 1.0)

    @property
    def _waits(self) -> int:
        """How much waits to be delivered."""
        return self.spool.pending + self.spool.spooled + len(self._starts)

    def _gather(self) -> None:
        """Let what comes now wait for company, if the exporter wants that."""
        if self._gathers_for and self._gather_until is None:
            self._gather_until = time.monotonic() + self._gathers_for

    def _gathering(self) -> float:
        """For how long a batch that is not full waits for more."""
        if self._gather_until is None or self._waits >= self._batch_size or self._unanswered():
            return 0.0
        return self._gather_until - time.monotonic()

    def _attempt(self) -> None:
        """Deliver the starts that wait, and one batch."""
        self._hurry = False
        self.health.begin()
        begun = time.thread_time_ns()
        try:
            try:
                self._deliver_starts()
            finally:  # what has ended does not wait for what has begun
                self._deliver_batch()
            self._answer_flushes()
            self.health.succeeded()
        except BaseException as error:  # also a SystemExit of an exporter: the lane outlives it
            self.health.failed(error, self._waits)
        self._gather_until = None
        if self._waits:
            self._gather()
        self._busy_ns += time.thread_time_ns() - begun
        self._report()
        with self._changed:
            self._changed.notify_all()
        if self._commits is not None:
            if self.health.failures:
                self.spool.move_to_disk()
            self._commits.check()

    def _report(self) -> None:
        """Leave word for `reamon doctor` when the state has changed."""
        state = self.health.state
        if state != self._reported:
            self._reported = state
            self.spool.report(state, self.health.error, self.health.fix)

    def _deliver_starts(self) -> None:
        starts = [self._starts.popleft() for _ in range(len(self._starts))]
        if starts:
            started: Any = self.exporter.started  # type: ignore[attr-defined]  # optional, and looked up in put_started
            try:
                self._finish(started(starts))
            except Rejected as refusal:
                log(_LOGGER, logging.WARNING, "starts_rejected", lane=self.name, reason=refusal.reason)
            except BaseException:
                self._starts.extendleft(reversed(starts))
                raise

    def _deliver_batch(self) -> None:
        batch = self.spool.take(self._batch_size)
        if batch is None:
            return
        outcome = self._delivery.send(
            batch.spans, batch.weight, is_all=self.spool.pending + self.spool.spooled <= len(batch.spans)
        )
        try:
            if len(outcome.rest) < len(batch.spans):
                self.exported += self.spool.settle(batch, outcome.rest, outcome.dead)
        finally:
            self.spool.put_back(batch)
        if outcome.error is not None:
            raise outcome.error

    def _export(self, spans: list[Span]) -> None:
        self._finish(self.exporter.export(spans))

    def _answer_flushes(self) -> None:
        """Tell those who wait for what is delivered now, once the exporter has made it visible."""
        answered = [request for request in self._unanswered() if self._is_delivered(request)]
        if answered:
            flush = getattr(self.exporter, "flush", None)
            if flush is not None:
                deadline = max(request.deadline for request in answered)
                self._finish(flush(max(deadline - time.monotonic(), 0.0)))
            for request in answered:
                request.done = True

    def _unanswered(self) -> list[FlushRequest]:
        return [request for request in list(self._flushes) if not request.done]

    def _is_delivered(self, request: FlushRequest) -> bool:
        spool = self.spool
        if spool.left_memory < request.spans or self._starts_accepted - len(self._starts) < request.starts:
            return False
        if request.disk_mark is None:
            request.disk_mark = spool.disk_mark()
        return spool.is_past(request.disk_mark)

    def _finish(self, result: None | Awaitable[None]) -> None:
        """See an exporter's call through; an `async` one runs on the lane's own event loop."""
        if not isawaitable(result):
            return
        if self._runner is None:
            with _importing:  # late, since it is not needed by those whose exporters are not async
                from reamon.pipeline._daemon_threads import make_runner  # noqa: PLC0415

            self._runner = make_runner()

        async def wait() -> None:
            await result

        self._runner.run(wait())

    def _shut_down(self, deadline: float) -> None:
        shutdown = getattr(self.exporter, "shutdown", None)
        if shutdown is not None:
            self._call(lambda: self._finish(shutdown(max(deadline - time.monotonic(), 0.0))))
        if self._runner is not None:
            self._call(self._runner.close)

    def _call(self, method: Callable[[], Any]) -> None:
        """Call an optional method of the exporter; its failure is its own."""
        try:
            method()
        except Exception as error:
            guard.contain(f"exporter {self.name}", error)
