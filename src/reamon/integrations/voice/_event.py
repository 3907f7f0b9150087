"""The event: how a method of a turn becomes safe to call from anywhere."""

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

from reamon.guard import guarded

Event = TypeVar("Event", bound=Callable[..., None])


class Reported(Protocol):
    """Whatever events are reported to."""

    lock: threading.RLock

    @property
    def is_recorded(self) -> bool:
        """Whether there is anything to report to."""


def event(method: Event) -> Event:
    """An event: reported from any thread, never raises, nothing where nothing is recorded."""

    @wraps(method)
    def report(turn: Reported, *args: Any, **kwargs: Any) -> None:
        if turn.is_recorded:
            with turn.lock:
                method(turn, *args, **kwargs)

    return cast(Event, guarded(default=None)(report))
