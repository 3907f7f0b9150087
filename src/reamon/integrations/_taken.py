"""What is taken: the items that code here works on, and how its context becomes what it was before."""

from contextvars import ContextVar
from typing import Any, Final

import msgspec

from reamon.tracing import ActiveSpan, NoopSpan, active_recorder, enter, innermost
from reamon.tracing.noop import SUPPRESSED

Current = ActiveSpan | NoopSpan | None


class Taken(msgspec.Struct, frozen=True, eq=False):
    """One item that is being worked on.

    Attributes:
        source: What it was taken out of.
        span: What it was put in below, which has been made current.
        outside: What was current before.
        in_block: Whether that is a block that was open then; it may have been left since.
    """

    source: Any
    span: Current
    outside: Current
    in_block: bool

    @property
    def is_alone(self) -> bool:
        """Whether the block has been left in which it was taken."""
        return self.in_block and isinstance(self.outside, ActiveSpan) and not self.outside.is_recording

    @property
    def before(self) -> Current:
        """What becomes current when it is done: never a block that has been left."""
        span = self.outside
        while self.in_block and isinstance(span, ActiveSpan) and not span.is_recording:
            span = span.parent
        return span


_TAKEN: Final[ContextVar[tuple[Taken, ...]]] = ContextVar("reamon_taken", default=())
"""The newest last: who works on an item of one queue may take one out of another."""

_MOST: Final = 16  # blocks inside of each other, each of which took an item


def take(source: Any, span: Current) -> None:
    """Go on below `span`, for an item that was taken out of `source`; the one before it is done."""
    taken, now = _TAKEN.get(), innermost()
    if span is None and not taken:
        return
    now, taken = _given_back(source, _merged(taken), now)
    if span is not None and now is not SUPPRESSED and active_recorder() is not None:
        in_block = isinstance(now, ActiveSpan) and now.is_recording
        taken = (*taken, Taken(source, span, now, in_block))
        now = span
    enter(now)
    _TAKEN.set(taken)


def give_back(source: Any) -> None:
    """The item of `source` is done: what was current before it is so again.

    Where a block is open that began since, it stays so, and the next `take` does the rest.
    """
    taken = _merged(_TAKEN.get())
    place = next((place for place in range(len(taken) - 1, -1, -1) if taken[place].source is source), None)
    if place is None:
        return
    done, above, now = taken[place], taken[place + 1 :], innermost()
    if above:  # an item of another queue, which goes on
        first = above[0]
        if first.outside is done.span:
            above = (Taken(first.source, first.span, done.outside, done.in_block), *above[1:])
    elif now is done.span:
        enter(done.before)
    elif now is not done.before:
        return
    _TAKEN.set(taken[:place] + above)


def newest() -> Taken | None:
    """The item that was taken last here, if it is still worked on."""
    taken = _TAKEN.get()
    return taken[-1] if taken and innermost() is taken[-1].span else None


def _given_back(source: Any, taken: tuple[Taken, ...], now: Current) -> tuple[Current, tuple[Taken, ...]]:
    """What is current, and taken, once the earlier item of `source` and all that was taken since are given back."""
    while any(item.source is source for item in taken):
        item = taken[-1]
        if now is not item.span and now is not item.before:
            break  # inside of a block that began since
        now, taken = item.before, taken[:-1]
    return now, taken[-_MOST:]


def _merged(taken: tuple[Taken, ...]) -> tuple[Taken, ...]:
    """Without those that a later one of their queue has replaced, from inside of a block that has been left since."""
    kept: list[Taken] = []
    for item in taken:
        while kept and item.is_alone and kept[-1].source is item.source:
            outer = kept.pop()
            item = Taken(item.source, item.span, outer.outside, outer.in_block)  # noqa: PLW2901 - the same, outside of the block
        kept.append(item)
    return tuple(kept)
