"""Time and chance under a test's control."""

import itertools
from collections.abc import Callable
from typing import Final

from reamon.model.times import NANOS_PER_SECOND
from reamon.tracing.clock import Clock

START_NS: Final = 1_767_225_600 * NANOS_PER_SECOND
"""2026-01-01T00:00:00Z: where fake clocks, and the spans that `make_span` makes, begin."""

_SINCE_BOOT_NS: Final = NANOS_PER_SECOND
"""What a fake clock's monotonic time begins with: never 0, which as the end of a span says that it still runs."""


class FakeClock(Clock):
    """A clock that moves when it is told to.

    Args:
        start_ns: The wall time at which it begins, in nanoseconds since 1970; default 2026-01-01T00:00:00Z.
        tick_ns: What it moves by itself at each reading, in nanoseconds, so that no two moments are equal.

    Example:
        >>> clock = FakeClock()
        >>> before = clock.monotonic_ns()
        >>> clock.advance(1.5)
        >>> clock.monotonic_ns() - before
        1500000000
    """

    def __init__(self, start_ns: int = START_NS, *, tick_ns: int = 0) -> None:
        self._start_ns = start_ns
        self._tick_ns = tick_ns
        self._elapsed_ns = 0
        super().__init__(monotonic_ns=self._read, wall_ns=self._wall)

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative.
        """
        if seconds < 0:
            raise ValueError(f"advance({seconds!r}): time does not run backwards; set_wall moves the wall clock alone")
        self._elapsed_ns += round(seconds * NANOS_PER_SECOND)

    def set_wall(self, wall_ns: int) -> None:
        """Set the machine's wall clock, as an administrator would; monotonic time goes on as before."""
        self._start_ns = wall_ns - self._elapsed_ns

    def _read(self) -> int:
        now = self._elapsed_ns
        self._elapsed_ns += self._tick_ns
        return _SINCE_BOOT_NS + now

    def _wall(self) -> int:
        return self._start_ns + self._elapsed_ns


def fake_ids(first: int = 1) -> Callable[[], int]:
    """A stand-in for the random part of ids: counts up from `first`, so that the same test makes the same ids.

    Example:
        >>> random_62 = fake_ids()
        >>> random_62(), random_62()
        (1, 2)
    """
    return itertools.count(first).__next__
