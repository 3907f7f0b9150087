"""The circuit breaker: a destination that is down is left alone for a while."""

from enum import StrEnum


class BreakerState(StrEnum):
    """Whether attempts are made."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after several failures in a row; then nothing is tried until it has rested.

    After the rest it is half open: attempts are made, one failure opens it again, and enough successes in a row close
    it. Times are those of `time.monotonic()`, given by the caller.

    Args:
        failures: In a row, to open it.
        rest: Seconds for which it stays open.
        successes: In a row, to close it.
    """

    def __init__(self, failures: int = 5, rest: float = 5.0, successes: int = 1) -> None:
        self._failures = failures
        self._rest = rest
        self._successes = successes
        self.reset()

    def reset(self) -> None:
        """Close it, and forget what was counted."""
        self.state = BreakerState.CLOSED
        self._count = 0
        self._opened = 0.0

    def failed(self, now: float) -> None:
        """Count a failure."""
        self._count = self._count + 1 if self.state is BreakerState.CLOSED else self._failures
        if self._count >= self._failures:
            self.state, self._opened = BreakerState.OPEN, now

    def succeeded(self) -> None:
        """Count a success."""
        if self.state is BreakerState.CLOSED:
            self._count = 0
            return
        if self.state is BreakerState.OPEN:  # somebody could not wait, and was right
            self.try_now()
        self._count += 1
        if self._count >= self._successes:
            self.reset()

    def try_now(self) -> None:
        """Begin an attempt: an open breaker becomes half open."""
        if self.state is BreakerState.OPEN:
            self.state, self._count = BreakerState.HALF_OPEN, 0

    def seconds_left(self, now: float) -> float:
        """How long it wants to be left alone from `now` on."""
        return max(self._opened + self._rest - now, 0.0) if self.state is BreakerState.OPEN else 0.0
