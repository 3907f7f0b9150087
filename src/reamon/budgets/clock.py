"""The clock of the budgets: it does not go back into a period that is over."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from reamon.guard import log

_DAY: Final = 86_400_000_000_000


class SteadyClock:
    """Wall time that stands still while the machine's clock is behind what it has said before.

    A clock that is set back over midnight would open yesterday's budget again. One that is set back by more than a day
    was wrong before, so it is believed, and a log line says so.

    Args:
        wall_ns: The machine's clock, in nanoseconds since 1970.

    Example:
        >>> times = iter([100, 40, 120])
        >>> clock = SteadyClock(lambda: next(times))
        >>> clock.now(), clock.now(), clock.now()
        (100, 100, 120)
    """

    def __init__(self, wall_ns: Callable[[], int] = time.time_ns) -> None:
        self._wall_ns = wall_ns
        self._latest = 0
        self._lock = threading.Lock()

    def now(self) -> int:
        """The time, in nanoseconds since 1970."""
        return self.moment(None)

    def moment(self, recorded: int | None) -> int:
        """A moment that was read from the machine's clock, as this clock tells it; None: now.

        What was recorded while the clock is behind is moved ahead by as much as the clock is behind.
        """
        with self._lock:
            raw = self._wall_ns()
            behind = self._latest - raw
            if not 0 < behind <= _DAY:
                self._latest = raw
        if behind > _DAY:  # said without the lock: a handler of the log may ask for a budget itself
            log("reamon.budgets", logging.WARNING, "clock_set_back", seconds=behind // 1_000_000_000)
        return (raw if recorded is None else recorded) + (behind if 0 < behind <= _DAY else 0)

    def after_fork(self) -> None:
        """The lock may have been held by a thread of the parent."""
        self._lock = threading.Lock()
