"""What was just written to the outbox, kept in memory: reading it back would cost more than writing it did."""

from collections import deque
from collections.abc import Sequence

from reamon.model import Span


class AtHand:
    """Batches by destination and id, within a bound; the oldest, since they are wanted first.

    The disk is what counts: a batch that is gone there is never asked for here. The caller serialises its use.

    Args:
        max_bytes: What may be kept, by the length on disk.
    """

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self._batches: dict[str, deque[tuple[int, Sequence[Span], int]]] = {}

    def keep(self, destination: str, batch_id: int, spans: Sequence[Span], size: int) -> None:
        """Keep a batch if there is room. Ids grow."""
        if size <= self._left:
            self._left -= size
            self._batches.setdefault(destination, deque()).append((batch_id, spans, size))

    def take(self, destination: str, batch_id: int) -> list[Span] | None:
        """Its spans, if they are at hand; that time only. Whatever is older is forgotten, since it was skipped."""
        batches = self._batches.get(destination)
        while batches and batches[0][0] <= batch_id:
            found, spans, size = batches.popleft()
            self._left += size
            if found == batch_id:
                return list(spans)
        return None

    def forget(self, batch_id: int) -> None:
        """Keep this batch no longer, since the disk says something else now."""
        for batches in self._batches.values():
            for batch in [batch for batch in batches if batch[0] == batch_id]:
                batches.remove(batch)
                self._left += batch[2]

    def clear(self) -> None:
        """Forget everything."""
        for batches in self._batches.values():
            self._left += sum(size for _, _, size in batches)
        self._batches.clear()
