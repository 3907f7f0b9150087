"""The boundary: where an application swallows what went wrong inside, and answers as if nothing had.

A method that answers although its last attempt failed inside has not done what it was asked for: an apology after an
error is `degraded`, not `ok`. What fails is noted on the innermost boundary, and forgotten when a later attempt at the
same thing succeeds.
"""

from contextvars import ContextVar
from types import TracebackType
from typing import Final, Self

from reamon.tracing import ActiveSpan, current_span

_CURRENT: Final["ContextVar[Boundary | None]"] = ContextVar("reamon_boundary", default=None)

_open: Final[dict[int, "Boundary"]] = {}
"""Those whose methods run, by the identity of their spans: where only the span has come along (a queue, a thread), they
are found by it."""


class Boundary:
    """One call of a method that may swallow errors: an agent's, or an orchestrator's.

    Args:
        span: The span of that call.
        call: Which call it is: the object and the method's name. A method that calls the one it overrides is one call.

    Attributes:
        is_billed: Whether a model call inside has recorded its usage.
        has_worked: Whether the work that it may have had to wait for has begun.
    """

    __slots__ = ("_failures", "_outer", "call", "has_worked", "is_billed", "span")

    def __init__(self, span: ActiveSpan, call: tuple[int, str] | None = None) -> None:
        self.span = span
        self.call = call
        self.is_billed = False
        self.has_worked = False
        self._outer: Boundary | None = None
        self._failures: dict[str, BaseException] = {}

    def __enter__(self) -> Self:
        self._outer = _CURRENT.get()
        _CURRENT.set(self)
        _open[id(self.span)] = self
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        _open.pop(id(self.span), None)
        if _CURRENT.get() is self:  # a coroutine may be closed in another context
            _CURRENT.set(self._outer)

    def failed(self, what: str, error: BaseException) -> None:
        """An attempt at `what` failed inside."""
        self._failures.pop(what, None)
        self._failures[what] = error

    def succeeded(self, what: str) -> None:
        """A later attempt at `what` succeeded: what failed before no longer matters."""
        self._failures.pop(what, None)

    @property
    def swallowed(self) -> BaseException | None:
        """What went wrong last and was not made good, or None."""
        return next(reversed(self._failures.values()), None)

    @property
    def swallowed_by(self) -> str:
        """What it was that failed last."""
        return next(reversed(self._failures), "")


def boundary() -> Boundary | None:
    """The innermost boundary here, or None; one whose method has returned already (a background task's) is none."""
    innermost = _CURRENT.get()
    if innermost is not None and innermost.span.is_recording:
        return innermost
    here = current_span()
    node = here if isinstance(here, ActiveSpan) else None
    while node is not None and id(node) not in _open:
        node = node.parent
    found = None if node is None else _open.get(id(node))
    return found if found is not None and found.span.is_recording else None


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
