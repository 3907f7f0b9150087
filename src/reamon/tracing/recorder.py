"""The recorder: what the hot path needs at hand while recording is on."""

import itertools
import os
from collections.abc import Callable, Generator, Iterator
from typing import Any, Final, Protocol

from reamon.model.ids import RANDOM_BITS
from reamon.processes import current_id
from reamon.tracing._state import making
from reamon.tracing._switch import switch
from reamon.tracing.capture import DEFAULT_LIMIT
from reamon.tracing.clock import Clock


class Pending(Protocol):
    """A span on its way to disk, where the application wants to wait for that."""

    def wait(self) -> None:
        """Wait, on the calling thread."""

    def __await__(self) -> Generator[Any, None, None]:
        """Wait, in a coroutine."""


class Queue(Protocol):
    """Where finished spans go: a deque that knows when somebody should look at it."""

    wake_at: int

    def append(self, item: object, /) -> None:
        """Add one item at the end."""

    def __len__(self) -> int:
        """How many items wait."""

    def wake(self) -> Pending | None:
        """Called once `wake_at` items or more wait. Returns what the caller has to wait for, if anything."""


class Recorder:
    """Clock, ids, limits and the queue of one configured process.

    Args:
        queue: Takes the finished spans.
        clock: Injected by tests.
        random_62: Gives the 62 bits that make an id unique; injected by tests.
        payload_limit: Bytes that one payload may take.
        project: The project of traces that name none.
    """

    __slots__ = (
        "clock",
        "generation",
        "now",
        "payload_limit",
        "process_id",
        "project",
        "queue",
        "unique_62",
    )

    def __init__(
        self,
        queue: Queue,
        *,
        clock: Clock | None = None,
        random_62: Callable[[], int] | None = None,
        payload_limit: int = DEFAULT_LIMIT,
        project: str | None = None,
    ) -> None:
        self.queue = queue
        self.clock = clock or Clock()
        self.now = self.clock.monotonic_ns
        self.unique_62 = unique_bits() if random_62 is None else iter(random_62, None)
        self.payload_limit = payload_limit
        self.project = project
        self.process_id = current_id()
        self.generation = generation()

    def after_fork(self) -> None:
        """Become the recorder of a forked child: spans that the parent started are the parent's to finish."""
        making.renew()
        self.unique_62 = unique_bits()
        self.process_id = current_id()
        self.generation = next_generation()


def unique_bits() -> Iterator[int]:
    """A source of 62 bits for ids: a count from a random start.

    Two processes would have to start within each other's count, and in the same quarter of a microsecond, to make the
    same id twice; a count takes a third of the time of random bits. The start comes from the operating system, so that
    `random.seed(7)` in the application repeats nothing.
    """
    return itertools.count(int.from_bytes(os.urandom(8)) >> 65 - RANDOM_BITS)


RECORDED: Final = -2
"""The generation of a span whose record has been made: no other one is."""

_generation = 0


def generation() -> int:
    """How often this process has been forked off since `import reamon`."""
    return _generation


def next_generation() -> int:
    """Count a fork, in the child."""
    global _generation  # noqa: PLW0603 - one process, one count
    _generation += 1
    return _generation


def attach(recorder: Recorder) -> None:
    """Start recording with `recorder`, in place of the one before."""
    switch.recorder = recorder


def active_recorder() -> Recorder | None:
    """The recorder of this process; None where nothing is recorded."""
    return switch.recorder


def detach() -> None:
    """Stop recording: decorated code passes through."""
    switch.recorder = None
