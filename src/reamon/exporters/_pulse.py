"""A pulse: something that is done again and again by a thread of its own, for as long as the process lives."""

import contextvars
import threading
from collections.abc import Callable

from reamon.guard import guard
from reamon.tracing import suppress


class Pulse:
    """Calls `beat` every `interval` seconds. Nothing is recorded of what it does.

    Args:
        name: The name of the thread.
        beat: What is done. What it raises is contained, and it is called again.
        interval: Seconds between two calls.
    """

    def __init__(self, name: str, beat: Callable[[], object], interval: float) -> None:
        self._name = name
        self._beat = beat
        self._interval = interval
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it has begun and was not ended."""
        return self._thread is not None

    def start(self) -> None:
        """Begin, unless it has begun. An interpreter that is going down begins nothing."""
        with self._lock:
            if self._thread is not None:
                return
            self._stopped = threading.Event()
            run = contextvars.Context().run
            thread = threading.Thread(target=run, args=(self._run, self._stopped), name=self._name, daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return
            self._thread = thread

    def stop(self) -> None:
        """End. A call that is going on is not waited for; one that has to wait sees afterwards whether it `goes_on`."""
        with self._lock:
            self._stopped.set()
            self._thread = None

    def after_fork(self) -> None:
        """In a child, where the thread is not: begin anew at the next `start`."""
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = None

    def _run(self, stopped: threading.Event) -> None:
        with suppress():
            while not stopped.wait(self._interval):
                try:
                    self._beat()
                except Exception as error:
                    guard.contain(self._name, error)
