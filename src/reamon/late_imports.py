"""Late imports: what takes long to import is imported when it is needed, and no fork may catch a thread at it.

A child inherits the lock of a module that is being imported, but not the thread that would release it. Whoever needs
that module in the child would wait for ever: a lane at its first log line, or the main thread at its exit.
"""

import os
import threading
from typing import Final

_PATIENCE: Final = 10.0  # seconds; an import that takes longer hangs, and the application's fork shall not


class LateImport:
    """Held while something is imported late; a fork waits until nobody holds it, for some seconds at most.

    Each use has one of its own, so that nobody waits for the imports of others.

    Example:
        >>> importing = LateImport()
        >>> with importing:
        ...     import json
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._forking = threading.local()
        os.register_at_fork(before=self._hold, after_in_parent=self._let_go, after_in_child=self._begin_anew)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def _hold(self) -> None:
        self._forking.holds = self._lock.acquire(timeout=_PATIENCE)

    def _let_go(self) -> None:
        if self._forking.holds:
            self._lock.release()

    def _begin_anew(self) -> None:
        if self._forking.holds:
            self._lock.release()
        else:  # it is held by a thread that the child does not have
            self._lock = threading.RLock()
