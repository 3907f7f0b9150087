"""A signal from one thread to another that may be given at any moment."""

from queue import Empty, SimpleQueue


class Signal:
    """Wakes a thread that waits, like `threading.Event`, and is taken back by the wait that heard it.

    `threading.Event` holds a lock in `set()`: a SIGTERM in that moment, whose handler flushes and so gives the signal
    again, would wait for itself for ever. `SimpleQueue` is made to be entered again.
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: SimpleQueue[None] = SimpleQueue()

    def give(self) -> None:
        """Wake the one who waits, or who will."""
        if self._calls.empty():
            self._calls.put(None)

    def wait(self, timeout: float | None = None) -> None:
        """Sleep until the signal is given, at most `timeout` seconds."""
        try:
            self._calls.get(timeout=timeout)
        except Empty:
            return

    def clear(self) -> None:
        """Take back a signal that nobody has waited for."""
        if not self._calls.empty():
            self.wait(0.0)
