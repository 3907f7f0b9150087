"""Moments: when something happened, as integer nanoseconds, whoever says it."""

import time
from datetime import datetime

from reamon.tracing._switch import switch
from reamon.tracing._values import nanoseconds

Moment = datetime | int | float
"""When: an aware datetime, or since 1970 integer nanoseconds or seconds as a float."""


def moment_ns(moment: Moment | None = None) -> int:
    """A moment as nanoseconds since 1970; now, by the recorder's clock, where none is given.

    Raises:
        TypeError: It is no moment.
        ValueError: It lies outside of what can be recorded.

    Example:
        >>> moment_ns(1_700_000_000.5)
        1700000000500000000
    """
    if moment is not None:
        return nanoseconds(moment)
    recorder = switch.recorder
    return time.time_ns() if recorder is None else recorder.now() + recorder.clock.offset
