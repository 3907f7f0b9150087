"""The clock: wall time that never runs backwards."""

import time
from collections.abc import Callable

_DRIFT_NS = 1_000_000_000


class Clock:
    """Wall time as a monotonic clock plus an offset.

    A trace copies the offset when it opens and keeps it, so that its durations are differences of one monotonic clock
    whatever happens to the machine's time. The worker calls `reanchor` now and then for the traces to come.

    Args:
        monotonic_ns: Nanoseconds that only ever grow.
        wall_ns: Nanoseconds since 1970.
    """

    def __init__(
        self, monotonic_ns: Callable[[], int] = time.monotonic_ns, wall_ns: Callable[[], int] = time.time_ns
    ) -> None:
        self.monotonic_ns = monotonic_ns
        self.wall_ns = wall_ns
        self.offset = wall_ns() - monotonic_ns()

    def reanchor(self) -> bool:
        """Follow the wall clock if it has moved more than a second away from ours. Returns whether it had."""
        offset = self.wall_ns() - self.monotonic_ns()
        drifted = abs(offset - self.offset) > _DRIFT_NS
        if drifted:
            self.offset = offset
        return drifted
