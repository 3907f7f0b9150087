"""The boundary: where an application swallows what went wrong inside, and answers as if nothing had.

A method that answers although its last attempt failed inside has not done what it was asked for: an apology after an
error is `degraded`, not `ok`. What fails is noted on the innermost boundary, and forgotten when a later attempt at the
same thing succeeds.
"""

from contextvars import ContextVar
from typing import Final

from reamon.tracing import ActiveSpan

_CURRENT: Final["ContextVar[Boundary | None]"] = ContextVar("reamon_boundary", default=None)


class Boundary:
    """One call of a method that may swallow errors: an agent's, or an orchestrator's.

    Args:
        span: The span of that call, which is told what was swallowed.
    """

    __slots__ = ("_failures", "is_billed", "outer", "span")

    def __init__(self, span: ActiveSpan) -> None:
        self.span = span
        self.outer: Boundary | None = None
        self.is_billed = False
        self._failures: dict[str, BaseException] = {}

    def enter(self) -> None:
        """Make it the innermost one here."""
        self.outer = _CURRENT.get()
        _CURRENT.set(self)

    def leave(self) -> None:
        """Make the enclosing one the innermost again, where this one still is."""
        if _CURRENT.get() is self:
            _CURRENT.set(self.outer)

    def failed(self, what: str, error: BaseException) -> None:
        """An attempt at `what` failed inside."""
        self._failures[what] = error

    def succeeded(self, what: str) -> None:
        """A later attempt at `what` succeeded: what failed before no longer matters."""
        self._failures.pop(what, None)

    @property
    def swallowed(self) -> BaseException | None:
        """What went wrong last and was not made good, or None."""
        return next(reversed(self._failures.values()), None)


def boundary() -> Boundary | None:
    """The innermost boundary here, or None; one whose method has returned already (a background task's) is none."""
    innermost = _CURRENT.get()
    return innermost if innermost is not None and innermost.span.is_recording else None


def note_failure(what: str, error: BaseException) -> None:
    """Tell the boundary here that an attempt at `what` failed."""
    innermost = boundary()
    if innermost is not None:
        innermost.failed(what, error)


def note_success(what: str) -> None:
    """Tell the boundary here that an attempt at `what` succeeded."""
    innermost = boundary()
    if innermost is not None:
        innermost.succeeded(what)
