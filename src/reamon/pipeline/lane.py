"""The lane: one exporter's private path. It has a thread and a spool of its own, and waits for nobody."""

import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from reamon.errors import Rejected, RetryAfter
from reamon.guard import describe, guard, log
from reamon.model import Span
from reamon.pipeline.retry import Backoff
from reamon.pipeline.spool import Batch, Spool
from reamon.pipeline.stats import LaneStats
from reamon.protocols import Exporter

if TYPE_CHECKING:
    import asyncio

_LOGGER: Final = "reamon.pipeline"
_STARTS_KEPT: Final = 10_000


class Lane:
    """Delivers what is in its spool, one batch after another, for as long as it takes.

    Args:
        exporter: Where to.
        spool: What waits.
        batch_size: Spans in one batch, at most.
        backoff: When to try again.
        context: The context of the lane's thread; spans of the exporter's own doings are suppressed in it.
    """

    def __init__(
        self,
        exporter: Exporter,
        spool: Spool,
        *,
        batch_size: int,
        backoff: Backoff,
        context: Callable[[], contextvars.Context] = contextvars.copy_context,
    ) -> None:
        self.name = exporter.name
        self.exporter = exporter
        self.spool = spool
        self._batch_size = batch_size
        self._backoff = backoff
        self._context = context
        self._begin()

    def _begin(self) -> None:
        self._starts: deque[Span] = deque(maxlen=_STARTS_KEPT)
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()
        self._changed = threading.Condition()
        self._runner: asyncio.Runner | None = None
        self._hurry = False
        self._flush_by: float | None = None
        self._stop_at: float | None = None
        self._retry_at = 0.0
        self._last_error: str | None = None
        self._busy_ns = 0
        self.exported = 0

    # -- called by the worker ----------------------------------------------------------------------------------------

    def put(self, spans: list[Span], weight: int) -> None:
        """Take finished spans in."""
        self.spool.put(spans, weight)
        self.nudge()

    def put_started(self, roots: list[Span]) -> None:
        """Take workflows in that have begun."""
        if hasattr(self.exporter, "started"):
            self._starts.extend(roots)
            self.nudge()

    def nudge(self) -> None:
        """Make sure that the thread runs and is awake."""
        if self._thread is None and self._stop_at is None:
            thread = threading.Thread(
                target=self._context().run, args=(self._run,), name=f"reamon-{self.name}", daemon=True
            )
            try:
                thread.start()
            except RuntimeError as error:  # the interpreter is going down: `stop` puts everything on disk
                self._last_error = describe(error)
                return
            self._thread = thread
        self._wake.set()

    # -- called by whoever flushes or shuts down ---------------------------------------------------------------------

    def want_flush(self, deadline: float) -> int:
        """Ask for all that was taken in before to be delivered; a lane that is waiting to retry tries at once.

        Returns:
            What `wait_flush` takes.
        """
        self._flush_by = deadline if hasattr(self.exporter, "flush") else None
        self._hurry = True
        self.nudge()
        return self.spool.accepted

    def wait_flush(self, wanted: int, deadline: float, *, durable: bool = False) -> bool:
        """Wait until that is delivered or given up, what waits on disk included.

        Args:
            wanted: What `want_flush` returned.
            deadline: By `time.monotonic()`.
            durable: On disk is enough, for a lane that is down.
        """
        with self._changed:
            while not self._is_delivered(wanted):
                if durable and self._backoff.failures and self.spool.move_to_disk():
                    return True
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None:
                    return durable and self.spool.move_to_disk()
                self._changed.wait(left)
        return True

    def want_stop(self, deadline: float) -> None:
        """Ask the thread to shut the exporter down and to end."""
        self._stop_at = deadline
        self._wake.set()

    def wait_stop(self, deadline: float) -> bool:
        """Wait for that; what is left goes to disk. Returns whether nothing is left in memory."""
        if self._thread is not None:
            self._thread.join(max(deadline - time.monotonic(), 0.0))
        return self.spool.move_to_disk()

    def stats(self) -> LaneStats:
        """How it is doing."""
        failures = self._backoff.failures
        state = "stopped" if self._stop_at is not None else "failing" if failures else "ok"
        per_span = self._busy_ns / 1000 / self.exported if self.exported else None
        return LaneStats(
            state=state,
            failures=failures,
            last_error=self._last_error if failures else None,
            microseconds_per_span=per_span,
        )

    def after_fork(self) -> None:
        """Begin anew in a child."""
        self.spool.after_fork()
        self._backoff.succeeded()
        self._begin()
        after_fork = getattr(self.exporter, "after_fork", None)
        if after_fork is not None:
            self._call(after_fork)

    # -- the thread --------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while self._stop_at is None:
            pause = self._pause()
            if pause is None or pause > 0:
                self._wake.wait(pause)
                self._wake.clear()
            else:
                self._attempt()
        self._shut_down(self._stop_at)

    def _pause(self) -> float | None:
        """Seconds until the next attempt; None if there is nothing to do."""
        spool = self.spool
        if not (spool.pending or spool.spooled or self._starts or self._flush_by):
            return None
        if self._hurry or not self._backoff.failures:
            return 0.0
        return self._retry_at - time.monotonic()

    def _attempt(self) -> None:
        """Deliver the starts that wait, and one batch."""
        self._hurry = False
        begun = time.thread_time_ns()
        batch: Batch | None = None
        try:
            self._deliver_starts()
            batch = self.spool.take(self._batch_size)
            if batch is not None:
                self._deliver(batch)
            elif self._flush_by is not None:
                self._flush_exporter(self._flush_by)
            self._succeeded()
        except BaseException as error:  # also a SystemExit of an exporter: the lane outlives it
            if batch is not None:
                self.spool.put_back(batch)
            self._failed(error)
        self._busy_ns += time.thread_time_ns() - begun
        with self._changed:
            self._changed.notify_all()

    def _deliver_starts(self) -> None:
        starts = list(self._starts)
        if starts:
            started: Any = self.exporter.started  # type: ignore[attr-defined]  # optional, and looked up in put_started
            self._finish(started(starts))
            for _ in starts:
                self._starts.popleft()

    def _deliver(self, batch: Batch) -> None:
        delivered = len(batch.spans)
        try:
            self._finish(self.exporter.export(batch.spans))
        except Rejected as refusal:
            ids = {span.span_id for span in batch.spans}
            refused = len(ids if refusal.span_ids is None else ids.intersection(refusal.span_ids))
            delivered -= refused
            self.spool.drop("rejected", refused)
            log(_LOGGER, logging.WARNING, "spans_rejected", lane=self.name, spans=refused, reason=refusal.reason)
        self.exported += delivered
        self.spool.settle(batch)

    def _flush_exporter(self, deadline: float) -> None:
        self._flush_by = None
        flush: Any = self.exporter.flush  # type: ignore[attr-defined]  # optional, and looked up in flush
        self._finish(flush(max(deadline - time.monotonic(), 0.0)))

    def _finish(self, result: None | Awaitable[None]) -> None:
        """See an exporter's call through; an `async` one runs on the lane's own event loop."""
        if not isawaitable(result):
            return
        if self._runner is None:
            import asyncio  # noqa: PLC0415 - not needed by those whose exporters are not async

            self._runner = asyncio.Runner()

        async def wait() -> None:
            await result

        self._runner.run(wait())

    def _succeeded(self) -> None:
        failures = self._backoff.failures
        if self._backoff.succeeded():
            log(_LOGGER, logging.INFO, "lane_recovered", lane=self.name, failures=failures)

    def _failed(self, error: BaseException) -> None:
        at_least = error.seconds if isinstance(error, RetryAfter) else 0.0
        self._last_error = describe(error)
        self._retry_at = time.monotonic() + self._backoff.failed(at_least)
        if self._backoff.failures == 1:
            log(_LOGGER, logging.WARNING, "lane_failing", lane=self.name, error=self._last_error, then="retried")

    def _shut_down(self, deadline: float) -> None:
        shutdown = getattr(self.exporter, "shutdown", None)
        if shutdown is not None:
            self._call(lambda: self._finish(shutdown(max(deadline - time.monotonic(), 0.0))))
        if self._runner is not None:
            self._runner.close()

    def _is_delivered(self, target: int) -> bool:
        spool = self.spool
        return spool.left_memory >= target and not (spool.spooled or self._starts or self._flush_by)

    def _call(self, method: Callable[[], Any]) -> None:
        """Call an optional method of the exporter; its failure is its own."""
        try:
            method()
        except Exception as error:
            guard.contain(f"exporter {self.name}", error)
