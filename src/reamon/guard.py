"""The guard: our own errors end here, counted and logged once, and never reach the application.

"Your code is still running, with less telemetry" is the worst that may happen. In reamon's own tests the guard is
strict and lets errors through, so that none hides.
"""

import functools
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final, ParamSpec, TypeVar

from reamon.late_imports import LateImport

P = ParamSpec("P")
R = TypeVar("R")
D = TypeVar("D")

_LONGEST: Final = 4_096  # characters that an error may say
_importing: Final = LateImport()


class Guard:
    """Counts and logs internal errors; one per process (`reamon.guard.guard`).

    Attributes:
        strict: Raise internal errors instead of containing them; for tests.
    """

    def __init__(self) -> None:
        self.strict = False
        self._counts: Counter[str] = Counter()
        self._lock = threading.RLock()  # a signal handler of ours may come here in the middle of it

    @property
    def errors(self) -> int:
        """How many internal errors were contained in this process."""
        return self._counts.total()

    def contain(self, where: str, error: BaseException) -> None:
        """Count `error`, and log it if it is the first of its type at this place.

        Raises:
            BaseException: `error` itself, where the guard is strict.
        """
        if self.strict:
            raise error
        key = f"{where}: {type(error).__name__}"
        with self._lock:
            self._counts[key] += 1
            first = self._counts[key] == 1
        if first:
            log("reamon", logging.WARNING, "internal_error", where=where, error=describe(error), shown="once")

    def reset(self) -> None:
        """Forget the counts and make the lock anew (in a forked child, where another thread may have held it)."""
        self._lock = threading.RLock()
        self._counts = Counter()

    @contextmanager
    def relaxed(self) -> Iterator[None]:
        """Contain errors inside the block even where the guard is strict; for tests of the containing itself."""
        before, self.strict = self.strict, False
        try:
            yield
        finally:
            self.strict = before


guard: Final = Guard()


def guarded(default: D) -> Callable[[Callable[P, R]], Callable[P, R | D]]:
    """Make a function safe to call from the application: whatever goes wrong, it returns `default`.

    Wrong arguments count as something that goes wrong: they too are contained.

    Example:
        >>> @guarded(default=0)
        ... def half(number):
        ...     return number / 2
        >>> half(4)
        2.0
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R | D]:
        @functools.wraps(function)
        def contained(*args: P.args, **kwargs: P.kwargs) -> R | D:
            try:
                return function(*args, **kwargs)
            except Exception as error:
                guard.contain(function.__qualname__, error)
                return default

        return contained

    return decorate


def describe(error: BaseException) -> str:
    """`Type: message`, cut if it is long; even for an error whose `__str__` raises."""
    try:
        text = str(error)
        length = str.__len__(text)
        cut = f"… {length - _LONGEST} of {length} characters cut" if length > _LONGEST else ""
        return writable(f"{type(error).__name__}: {str.__getitem__(text, slice(_LONGEST))}{cut}")
    except Exception:
        return type(error).__name__


def writable(text: str) -> str:
    """`text` as disks and logs take it: half of a surrogate pair, which UTF-8 cannot say, is spelled out.

    Example:
        >>> writable("half of a pair: " + chr(0xD800)).endswith("ud800")
        True
    """
    return text.encode("utf-8", "backslashreplace").decode()


def log(name: str, level: int, event: str, **fields: Any) -> None:
    """Write one of our own log lines to the stdlib logger `name` ("reamon", "reamon.pipeline").

    structlog renders the line (event and key=value pairs); where it goes is the host's business, and structlog's global
    configuration stays the host's too. structlog is imported here, at the first line, because its import takes longer
    than ours. Never raises: a handler or a filter of the host's may, and neither the host's thread nor ours shall end
    of it.
    """
    with suppress(Exception):
        logger = logging.getLogger(name)
        if not logger.isEnabledFor(level):
            return
        with _importing:
            from structlog.processors import KeyValueRenderer  # noqa: PLC0415 - slow, and most processes log nothing

        render = KeyValueRenderer(key_order=["event"])
        logger.log(level, "%s", render(logger, "log", {"event": event, **fields}))
