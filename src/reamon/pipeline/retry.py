"""Retry: when to try again."""

import random
from collections.abc import Callable


class Backoff:
    """Exponential backoff with full jitter and a low cap.

    The n-th failure in a row waits for a random time between nothing and `base * 2**n`, and never longer than `cap`:
    the jitter keeps many processes from returning at once, the cap bounds how late a recovery is noticed.

    Args:
        base: Seconds.
        cap: Seconds.
        uniform: Injected by tests.
    """

    def __init__(
        self, base: float = 0.1, cap: float = 10.0, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._base = base
        self.cap = cap
        self._uniform = uniform
        self.failures = 0

    def failed(self) -> float:
        """Count a failure. Returns the seconds to wait."""
        ceiling = min(self.cap, self._base * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return self._uniform(0.0, ceiling)

    def succeeded(self) -> None:
        """Count a success, which ends a series of failures."""
        self.failures = 0
