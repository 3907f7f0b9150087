"""The block: code that runs below a span that began elsewhere."""

from contextvars import ContextVar
from types import TracebackType
from typing import Final

from reamon.tracing._switch import current
from reamon.tracing.active import ActiveSpan
from reamon.tracing.current import leave
from reamon.tracing.noop import NOOP, SUPPRESSED, NoopSpan

Current = ActiveSpan | NoopSpan | None
_ENTERED: Final["ContextVar[tuple[tuple[Block, Current], ...]]"] = ContextVar("reamon_blocks", default=())
"""The blocks that are open here, the outermost first, with what was current before: one block may be open in several
threads and tasks at once, and each has to find its own way back."""


class Block:
    """Makes a span current where the work is done: a context manager, sync and async, to be entered many times.

    Where there is no span, and inside `suppress()`, it does nothing.

    Args:
        span: The span; it may have ended, or be one of another process.
    """

    __slots__ = ("_span",)

    def __init__(self, span: Current) -> None:
        self._span = span

    @property
    def span(self) -> ActiveSpan | NoopSpan:
        """The span, for `start_span(parent=...)`; where there is none, a handle that does nothing."""
        return self._span or NOOP

    def __enter__(self) -> ActiveSpan | NoopSpan:
        """Make the span current; where nothing is to be recorded, that stays so."""
        before = current.get()
        _ENTERED.set((*_ENTERED.get(), (self, before)))
        if self._span is None or before is SUPPRESSED:
            return before or NOOP
        current.set(self._span)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        """Make current again what was so before."""
        entered = _ENTERED.get()
        for place in range(len(entered) - 1, -1, -1):
            block, before = entered[place]
            if block is self:
                _ENTERED.set(entered[:place] + entered[place + 1 :])
                if self._span is not None and before is not SUPPRESSED:
                    leave(self._span, before)
                return

    async def __aenter__(self) -> ActiveSpan | NoopSpan:
        """Make the span current."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        """Make current again what was so before."""
        self.__exit__(kind, error, stack)
