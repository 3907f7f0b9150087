"""What is taken: OpenTelemetry's spans that are known here, and the spans of ours that stand for them."""

from typing import Any, Final

import msgspec

from reamon.integrations.model_call import ModelCall
from reamon.tracing import ActiveSpan

_OPEN_KEPT: Final = 20_000
_ENDED_KEPT: Final = 2_000

Key = tuple[int, int]
"""Trace and span, as OpenTelemetry numbers them."""


class Taken(msgspec.Struct, gc=False, eq=False):
    """One of OpenTelemetry's spans.

    Attributes:
        span: The span of ours that stands for it; for one that is left out, that which encloses it.
        is_left_out: Whether it is known for what it encloses alone.
        call: The call of a model that it is.
        handled: The identity of the exception that was being handled when it began; 0: none was.
    """

    span: ActiveSpan
    is_left_out: bool = False
    call: ModelCall | None = None
    handled: int = 0


class KnownSpans:
    """The spans that are open, and those that ended last, as parents of late children.

    A span that never ends is forgotten once many others have begun after it. There is no lock: each step is one
    operation of a dict, and a forked child must not find a lock that a thread of its parent held.
    """

    def __init__(self) -> None:
        self._open: dict[Key, Taken] = {}
        self._ended: dict[Key, Taken] = {}

    def __len__(self) -> int:
        return len(self._open) + len(self._ended)

    def add(self, key: Key, taken: Taken) -> None:
        """A span has begun."""
        _make_room(self._open, _OPEN_KEPT)
        self._open[key] = taken

    def end(self, key: Key) -> Taken | None:
        """A span has ended; None if it is not known."""
        taken = self._open.pop(key, None)
        if taken is not None:
            _make_room(self._ended, _ENDED_KEPT)
            self._ended[key] = Taken(taken.span, taken.is_left_out)
        return taken

    def find(self, context: Any) -> Taken | None:
        """The span with that `SpanContext`, or None."""
        if context is None:
            return None
        key = context.trace_id, context.span_id
        return self._open.get(key) or self._ended.get(key)


def _make_room(spans: dict[Key, Taken], limit: int) -> None:
    while len(spans) >= limit:
        try:
            spans.pop(next(iter(spans)), None)
        except (RuntimeError, StopIteration):  # another thread was faster
            return


known: Final = KnownSpans()
"""Those of this process: a processor that is taken off and put on again goes on with them."""
