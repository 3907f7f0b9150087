"""Forks: what may not go on when one happens."""

import threading
import time


class Workplace:
    """What a thread does inside, a fork must not catch it at.

    Whoever wants the place empty closes the entrance first; with a plain lock, a busy thread would be inside again
    before anybody else has woken up.
    """

    def __init__(self) -> None:
        self._entrance = threading.Lock()
        self._inside = threading.Lock()

    def __enter__(self) -> None:
        with self._entrance:
            self._inside.acquire()

    def __exit__(self, *_: object) -> None:
        self._inside.release()

    def acquire(self, timeout: float) -> bool:
        """Wait until nobody is inside, and let nobody in. Returns whether it is so."""
        deadline = time.monotonic() + timeout
        if not self._entrance.acquire(timeout=timeout):
            return False
        if self._inside.acquire(timeout=max(deadline - time.monotonic(), 0.0)):
            return True
        self._entrance.release()
        return False

    def release(self) -> None:
        """Let the thread in again."""
        self._inside.release()
        self._entrance.release()
