"""Exporters that fail, hang and wait on command."""

import threading
import time
from collections.abc import Callable, Sequence

from reamon.model import Span


class Sink:
    """Keeps what it gets; before that, does what it is told, and fails if that raises.

    Args:
        name: Its name, and so its destination.
        local: Whether the pipeline may deliver without writing ahead.
        before: Called with every batch before it is accepted.
    """

    def __init__(
        self, name: str = "sink", *, local: bool = True, before: Callable[[Sequence[Span]], object] | None = None
    ) -> None:
        self.name = name
        self.local = local
        self.before = before
        self.batches: list[list[Span]] = []
        self.calls = 0

    def export(self, batch: Sequence[Span]) -> None:
        """Accept `batch`."""
        self.calls += 1
        if self.before is not None:
            self.before(batch)
        self.batches.append(list(batch))

    @property
    def spans(self) -> list[Span]:
        """All that it has accepted."""
        return [span for batch in self.batches for span in batch]

    @property
    def names(self) -> list[str]:
        """The names of all that it has accepted."""
        return [span.name for span in self.spans]


class Gate:
    """Something to hang in until it is opened: `Sink(before=gate)`.

    Attributes:
        reached: Set when somebody hangs.
    """

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, *_: object) -> None:
        self.reached.set()
        self._open.wait(60)

    def open(self) -> None:
        """Let everybody through."""
        self._open.set()


class Failing:
    """Raises until it is mended: `Sink(before=failing)`."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error: BaseException | None = error or ConnectionError("the destination is down")

    def __call__(self, *_: object) -> None:
        if self.error is not None:
            raise self.error

    def mend(self) -> None:
        """Raise no more."""
        self.error = None


def wait_until(condition: Callable[[], object], timeout: float = 20.0) -> None:
    """Wait for another thread or process to bring something about.

    Raises:
        TimeoutError: It did not.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for has not come about")
        time.sleep(0.005)
