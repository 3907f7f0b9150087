"""Whether the ledger can be reached: asked again only after a rest, so that nobody waits for it at every call."""

import threading
import time
from collections.abc import Callable
from typing import Final

_SHORTEST: Final = 0.5
_LONGEST: Final = 5.0  # seconds


class Reach:
    """Remembers that the ledger did not answer.

    Args:
        on_change: Told when it goes away (with what it said) and when it is back (with None).
        monotonic: A clock in seconds.
    """

    def __init__(
        self, on_change: Callable[[Exception | None], object], monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._on_change = on_change
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._until: float | None = None
        self._rest = _SHORTEST
        self.error: Exception | None = None

    @property
    def is_down(self) -> bool:
        """Whether it did not answer when it was asked last."""
        return self._until is not None

    @property
    def may_ask(self) -> bool:
        """Whether it is worth to ask now."""
        until = self._until
        return until is None or self._monotonic() >= until

    def failed(self, error: Exception) -> None:
        """It did not answer."""
        with self._lock:
            is_new = self._until is None
            self._rest = _SHORTEST if is_new else min(self._rest * 2, _LONGEST)
            self._until = self._monotonic() + self._rest
            self.error = error
        if is_new:
            self._on_change(error)

    def answered(self) -> None:
        """It did."""
        if self._until is None:
            return
        with self._lock:
            was_down, self._until, self.error = self._until is not None, None, None
        if was_down:
            self._on_change(None)

    def after_fork(self) -> None:
        """The lock may have been held by a thread of the parent."""
        self._lock = threading.Lock()
