"""What is queued: the spans of those who put the items in, known by the items' identity for as long as they wait."""

import threading
from collections import deque
from typing import Any, Final
from weakref import WeakKeyDictionary

from reamon.guard import guarded
from reamon.integrations.services import queued
from reamon.tracing import ActiveSpan, NoopSpan

Current = ActiveSpan | NoopSpan | None


class Queued:
    """The items of one queue that wait, and what was current where each was put in.

    An item is kept beside its span, so that its identity is not given to another meanwhile; it is let go when it is
    taken out, or when the queue is empty. One object may wait several times.

    Attributes:
        is_putting: An item is being put in: what a queue does for that inside is not looked at again.
        is_getting: One is being taken out.
    """

    def __init__(self) -> None:
        self.is_putting = False
        self.is_getting = False
        self._waiting: dict[int, deque[tuple[Any, Current]]] = {}

    def __len__(self) -> int:
        return sum(len(entries) for entries in self._waiting.values())

    def put(self, item: Any, span: Current) -> None:
        """`item` was put in below `span`."""
        self._waiting.setdefault(id(item), deque()).append((item, span))
        queued(span, 1)

    def take(self, item: Any, *, is_stack: bool = False) -> Current:
        """`item` was taken out: the span that it was put in below.

        Args:
            item: The item.
            is_stack: Of an object that waits several times, the last one comes out first.
        """
        entries = self._waiting.get(id(item))
        if entries is None:
            return None  # it was put in before there was a hook, or while nothing was configured
        _, span = entries.pop() if is_stack else entries.popleft()
        if not entries:
            del self._waiting[id(item)]
        queued(span, -1)
        return span

    def clear(self) -> None:
        """Nothing waits any more: what was dropped on the way is forgotten."""
        self._waiting.clear()


_known: Final["WeakKeyDictionary[Any, Queued]"] = WeakKeyDictionary()


@guarded(default=None)
def queued_in(queue: Any) -> Queued:
    """What waits in `queue`, the same for all hooks of the queue and of its classes."""
    return _known.setdefault(queue, Queued()) if (queued := _known.get(queue)) is None else queued


@guarded(default=None)
def known_of(queue: Any) -> Queued | None:
    """What waits in `queue`; None if nothing ever did while something was recorded."""
    return _known.get(queue) if _known else None


class Closing(threading.local):
    """Whether this thread shuts a queue down: what that takes out is for nobody."""

    is_going_on = False
