"""Retry: when to try again."""

import random
from collections.abc import Callable


class Backoff:
    """Exponential backoff with jitter and a low cap.

    The n-th failure in a row waits for a random time between half and all of `base * 2**n`, and never longer than
    `cap`: the jitter keeps many processes from returning at once, the cap bounds how late a recovery is noticed.

    Args:
        base: Seconds.
        cap: Seconds.
        uniform: Injected by tests.
    """

    def __init__(
        self, base: float = 0.1, cap: float = 10.0, uniform: Callable[[float, float], float] = random.uniform
    ) -> None:
        self._base = base
        self._cap = cap
        self._uniform = uniform
        self.failures = 0

    def failed(self, at_least: float = 0.0) -> float:
        """Count a failure. Returns the seconds to wait, never less than what the destination asked for."""
        ceiling = min(self._cap, self._base * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return max(at_least, self._uniform(ceiling / 2, ceiling))

    def succeeded(self) -> bool:
        """Count a success. Returns whether it ended a series of failures."""
        recovered = self.failures > 0
        self.failures = 0
        return recovered
