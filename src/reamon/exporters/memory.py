"""The memory exporter: finished spans in a list, for tests and for looking around in a session."""

from collections import deque
from collections.abc import Sequence
from threading import Lock

from reamon.errors import ConfigurationError
from reamon.model import Span, SpanKind


class MemoryExporter:
    """Keeps finished spans in memory. Safe to read from any thread while spans arrive.

    Args:
        name: Unique among the configured exporters.
        limit: How many spans to keep, the newest; None: all.

    Raises:
        ConfigurationError: `limit` is less than 1.

    Example:
        >>> exporter = MemoryExporter(limit=1000)
        >>> exporter.named("qualify")
        []
    """

    local = True

    def __init__(self, name: str = "memory", limit: int | None = None) -> None:
        if limit is not None and limit < 1:
            raise ConfigurationError(f"limit is {limit!r}; give a number of at least 1, or None to keep all spans")
        self.name = name
        self._lock = Lock()
        self._spans: deque[Span] = deque(maxlen=limit)
        self._started: deque[Span] = deque(maxlen=limit)

    def export(self, batch: Sequence[Span]) -> None:
        """Keep `batch`."""
        with self._lock:
            self._spans.extend(batch)

    def started(self, batch: Sequence[Span]) -> None:
        """Keep the starts of workflows."""
        with self._lock:
            self._started.extend(batch)

    def after_fork(self) -> None:
        """Forget the parent's spans, which the parent has."""
        self._lock = Lock()
        self._spans.clear()
        self._started.clear()

    @property
    def spans(self) -> list[Span]:
        """The finished spans, in the order in which they arrived: children before their parents."""
        with self._lock:
            return list(self._spans)

    @property
    def started_spans(self) -> list[Span]:
        """The workflows whose start was announced, status `running`, whether they have finished since or not."""
        with self._lock:
            return list(self._started)

    @property
    def roots(self) -> list[Span]:
        """The finished spans that have no parent."""
        return [span for span in self.spans if span.is_root]

    def named(self, name: str) -> list[Span]:
        """The finished spans of that name."""
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Span:
        """The only finished span of that name.

        Raises:
            LookupError: There is none, or more than one; the message lists the names that there are.
        """
        found = self.named(name)
        if len(found) != 1:
            names = ", ".join(sorted({span.name for span in self.spans})) or "none"
            raise LookupError(f"{len(found)} finished spans are named {name!r}, not one; the names are: {names}")
        return found[0]

    def of_kind(self, kind: SpanKind | str) -> list[Span]:
        """The finished spans of that kind.

        Raises:
            ValueError: There is no such kind.
        """
        wanted = SpanKind(kind)
        return [span for span in self.spans if span.kind is wanted]

    def children_of(self, span: Span) -> list[Span]:
        """The finished spans right below `span`, in the order in which they started."""
        children = [child for child in self.spans if child.parent_id == span.span_id]
        return sorted(children, key=lambda child: (child.start_ns, child.span_id))

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._spans.clear()
            self._started.clear()

    def __len__(self) -> int:
        return len(self._spans)

    def __repr__(self) -> str:
        return f"MemoryExporter(name={self.name!r}, spans={len(self)})"
