"""Health: how a lane's destination is doing, and so when the lane may try it again."""

import logging
import time
from typing import Final

from reamon.errors import Paused, Rejected, RetryAfter
from reamon.guard import describe, log, writable
from reamon.pipeline.breaker import Breaker, BreakerState
from reamon.pipeline.retry import Backoff

_LOGGER: Final = "reamon.pipeline"
_LONGEST_PAUSE: Final = 10.0  # seconds; somebody may have repaired it meanwhile


class Health:
    """Counts what becomes of a lane's attempts, and logs the beginning and the end of trouble, once each.

    Args:
        lane: The lane's name, for the log.
        backoff: How long to wait between attempts.
        breaker: When not to try for a while.

    Attributes:
        error: What went wrong at the last attempt; None if nothing did.
        fix: What somebody has to change before the destination takes anything again.
    """

    def __init__(self, lane: str, backoff: Backoff, breaker: Breaker) -> None:
        self._lane = lane
        self._backoff = backoff
        self._breaker = breaker
        self._begin()

    def _begin(self) -> None:
        self._backoff.succeeded()
        self._breaker.reset()
        self._told: set[str] = set()
        self._retry_at = 0.0
        self._down_since: float | None = None
        self.error: str | None = None
        self.fix: str | None = None

    @property
    def state(self) -> str:
        """One of "ok", "failing", "open" (the breaker is), "half_open" and "paused"."""
        if self.fix is not None:
            return "paused"
        if self._breaker.state is not BreakerState.CLOSED:
            return self._breaker.state.value
        return "failing" if self._backoff.failures else "ok"

    @property
    def failures(self) -> int:
        """How many attempts in a row have failed."""
        return self._backoff.failures

    @property
    def down_seconds(self) -> float | None:
        """For how long nothing has been accepted; None while all is well."""
        return None if self._down_since is None else time.monotonic() - self._down_since

    def seconds_left(self) -> float:
        """How long to wait before the next attempt."""
        if not self._backoff.failures:
            return 0.0
        now = time.monotonic()
        return max(self._retry_at - now, self._breaker.seconds_left(now), 0.0)

    def begin(self) -> None:
        """An attempt is made."""
        self._breaker.try_now()

    def succeeded(self) -> None:
        """The attempt succeeded."""
        failures, seconds = self._backoff.failures, self.down_seconds
        self._breaker.succeeded()
        self._backoff.succeeded()
        self.error = self.fix = None
        if failures and self._breaker.state is BreakerState.CLOSED:
            self._down_since = None
            self._told.clear()
            log(_LOGGER, logging.INFO, "lane_recovered", lane=self._lane, failures=failures, down_seconds=seconds)

    def failed(self, error: BaseException, waiting: int) -> None:
        """The attempt failed.

        Args:
            error: What was raised.
            waiting: How many spans wait, for the log.
        """
        now = time.monotonic()
        wait = self._backoff.failed()
        if isinstance(error, RetryAfter):
            wait = max(wait, error.seconds)
        elif isinstance(error, Paused):
            wait = min(self._backoff.cap, _LONGEST_PAUSE)
        elif not isinstance(error, Rejected):  # the others are answers, so somebody is there
            self._breaker.failed(now)
        self._retry_at = now + wait
        if self._down_since is None:
            self._down_since = now
        self.error = writable(error.reason) if isinstance(error, Paused) else describe(error)
        self.fix = writable(error.fix) if isinstance(error, Paused) else None
        self._tell(error, waiting)

    def after_fork(self) -> None:
        """Begin anew in a child."""
        self._begin()

    def _tell(self, error: BaseException, waiting: int) -> None:
        event = "lane_paused" if isinstance(error, Paused) else "lane_failing"
        if event in self._told:
            return
        self._told.add(event)
        then = {"then": "retried, and nothing is lost"} if self.fix is None else {"fix": self.fix}
        log(_LOGGER, logging.WARNING, event, lane=self._lane, error=self.error, waiting=waiting, **then)
