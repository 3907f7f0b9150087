"""The current span: which one encloses the code that asks."""

from collections.abc import Iterator
from contextlib import contextmanager

from reamon.tracing._switch import current, switch
from reamon.tracing.active import ActiveSpan
from reamon.tracing.noop import NOOP, SUPPRESSED, NoopSpan


def current_span() -> ActiveSpan | NoopSpan:
    """The span that runs here. Never None: where nothing is recorded, a handle that does nothing.

    Example:
        >>> current_span().set_attribute("lead.score", 0.8)
    """
    return current.get() or NOOP


def innermost() -> ActiveSpan | NoopSpan | None:
    """What is current here, as `enter` and `leave` know it: None where nothing is."""
    return current.get()


def current_trace_id() -> str:
    """The id of the trace that runs here, or "" where none does."""
    return current_span().trace_id


def enabled() -> bool:
    """Whether a span that starts here would be recorded."""
    return switch.recorder is not None and current.get() is not SUPPRESSED


@contextmanager
def suppress() -> Iterator[None]:
    """Record nothing inside the block, in this context: health checks, our own exporters, private work.

    Example:
        >>> with suppress():
        ...     enabled()
        False
    """
    before = current.get()
    current.set(SUPPRESSED)
    try:
        yield
    finally:
        leave(SUPPRESSED, before)


def enter(span: ActiveSpan | NoopSpan | None) -> ActiveSpan | NoopSpan | None:
    """Make `span` current here. Returns what was so before, for `leave`."""
    before = current.get()
    current.set(span)
    return before


def leave(span: ActiveSpan | NoopSpan | None, before: ActiveSpan | NoopSpan | None) -> None:
    """Make `before` current again, where `span` or something below it still is.

    By value and not by token: a task that closes another's generator is in a context of its own, where nothing of ours
    is current and nothing may become so.
    """
    now = current.get()
    while now is not span:
        if not isinstance(now, ActiveSpan):
            return
        now = now.parent
    current.set(before)
