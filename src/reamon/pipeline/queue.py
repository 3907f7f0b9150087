"""The queue between the application's threads and the worker."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from reamon.pipeline.commits import Commit, Commits

_ASLEEP = 1
_PAUSE = 0.0001


class SpanQueue(deque[Any]):
    """A deque that knows when the worker should look at it.

    Appending is all that the application's threads do. `wake_at` is how many items make them call `wake()`: one while
    the worker sleeps, a batch while it gathers, half the capacity while it works.

    Beyond half the capacity the application records faster than the worker can follow, and does not let it: each span
    then waits for a tenth of a millisecond, in which the worker gets the interpreter. At the capacity the newest span
    is dropped, and counted in `dropped`: the worker is stuck, and the application's memory comes first.

    Args:
        capacity: Spans that may wait.
        on_wake: Told when `wake_at` is reached; may be called by any thread, and must be quick.
        is_finished: Whether an item is a finished span; of those alone the losses are counted.
    """

    def __init__(self, capacity: int, on_wake: Callable[[], None], is_finished: Callable[[Any], bool]) -> None:
        super().__init__()
        self.capacity = capacity
        self._crowd = capacity // 2
        self.wake_at = _ASLEEP
        self._on_wake = on_wake
        self._is_finished = is_finished
        self._dropping = threading.RLock()
        self._heir: SpanQueue | None = None
        self.dropped = 0

    @property
    def finished(self) -> int:
        """How many finished spans wait."""
        return sum(map(self._is_finished, list(self)))

    def wake(self) -> Commit | None:
        """Called by whoever sees that `wake_at` items wait. Returns what he has to wait for, if anything."""
        waiting = len(self)
        if waiting > self.capacity:
            self._drop_newest()
        elif waiting > self._crowd:
            time.sleep(_PAUSE)
        else:
            self.wake_at = self._crowd + 1
        if self._heir is not None:  # looked at last: the line above undoes what `bequeath` has set
            return self._pass_on(self._heir)
        self._on_wake()
        return None

    def bequeath(self, heir: "SpanQueue") -> None:
        """Pass on what waits, and what comes yet; no worker takes from here any more.

        A call that was ending when another configuration came has looked at this queue before, and appends to it after.
        """
        self._heir = heir
        self._pass_on(heir)

    def _pass_on(self, heir: "SpanQueue") -> Commit | None:
        self.wake_at = 0  # from here on each span comes by `wake`
        with suppress(IndexError):  # it is empty
            while True:
                heir.append(self.popleft())
        return heir.wake() if len(heir) >= heir.wake_at else None

    def sleep(self) -> bool:
        """Ask to be woken by the next span. Returns whether one has come already."""
        self.wake_at = _ASLEEP
        return len(self) > 0

    def gather(self, batch: int) -> None:
        """Ask to be woken when `batch` spans wait."""
        self.wake_at = min(batch, self._crowd + 1)

    def reset(self) -> None:
        """Forget everything, in a forked child."""
        self.clear()
        self.dropped = 0
        self._dropping = threading.RLock()  # the parent's may be held by a thread that the child does not have
        self.wake_at = _ASLEEP

    def _drop_newest(self) -> None:
        with self._dropping:
            if len(self) > self.capacity:  # not so if the worker, or another thread, was here meanwhile
                self.dropped += self._is_finished(self.pop())


class DurableQueue(SpanQueue):
    """A queue in which each span wakes the worker, and whoever brings it waits until it is on disk.

    Args:
        capacity: As above.
        on_wake: As above.
        is_finished: As above.
        commits: Who waits for what.
    """

    def __init__(
        self, capacity: int, on_wake: Callable[[], None], is_finished: Callable[[Any], bool], commits: Commits
    ) -> None:
        self._commits = commits
        super().__init__(capacity, on_wake, is_finished)

    @property
    def wake_at(self) -> int:
        """Always: even an empty queue, since the worker may have taken the span already."""
        return 0

    @wake_at.setter
    def wake_at(self, items: int) -> None:
        """Not heard."""

    def wake(self) -> Commit | None:
        """Wake the worker, and wait with the others."""
        self._on_wake()  # the first span starts the worker
        commit = self._commits.join()
        return super().wake() or commit
