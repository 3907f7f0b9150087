"""Propagation: the current span into threads and processes."""

import functools
import inspect
import itertools
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from typing import Any, ParamSpec, TypeAlias, TypeVar

import msgspec

from reamon.model import SpanKind, SpanLink
from reamon.model.ids import start_of
from reamon.tracing._state import Spec, Trace
from reamon.tracing._switch import current, switch
from reamon.tracing.active import ActiveSpan
from reamon.tracing.clock import Clock
from reamon.tracing.current import leave
from reamon.tracing.noop import NoopSpan

P = ParamSpec("P")
R = TypeVar("R")
_REMOTE = Spec(kind=SpanKind.STEP, name="remote parent")
_NEVER_RECORDED = -1


class SpanContext(msgspec.Struct, frozen=True):
    """A span as another process needs to know it: enough to be the parent of spans there.

    Attributes:
        trace_id: Its trace.
        span_id: Itself.
        ancestors: The ids of its enclosing spans, root first.
        agent_id: The nearest agent: itself, or an enclosing one.
        call_id: The trace's conversation.
        project: The trace's project.
        tags: The trace's tags.
        links: What every span of the trace is linked to.
    """

    trace_id: str
    span_id: str
    ancestors: tuple[str, ...] = ()
    agent_id: str | None = None
    call_id: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    links: tuple[SpanLink, ...] = ()

    @classmethod
    def of(cls, span: ActiveSpan) -> "SpanContext":
        """The context of a span of this process."""
        trace = span.trace
        return cls(
            trace.trace_id,
            span.span_id,
            span.ancestors,
            span.lineage[1],
            trace.call_id,
            trace.project,
            trace.tags,
            trace.links,
        )

    def revive(self) -> ActiveSpan:
        """A handle that can be current and a parent here, and is never recorded itself: its own process does that."""
        offset = Clock().offset if switch.recorder is None else switch.recorder.clock.offset
        orders: Iterator[None] = itertools.repeat(None)
        trace = Trace(offset, self.call_id, self.project, self.tags, orders, 0, 0, self.trace_id, links=self.links)
        span = ActiveSpan(_REMOTE, None, trace, start_of(self.span_id) - offset, 0, None, _NEVER_RECORDED)
        span.id = self.span_id
        span.below = ((*self.ancestors, self.span_id), self.agent_id)
        return span


class Propagated:
    """A function that runs below the span that was current where `propagate` was called, in whatever thread.

    Pickled, for another process, it takes the span's context along.
    """

    def __init__(self, function: Callable[..., Any], span: ActiveSpan | NoopSpan | None) -> None:
        self._function = function
        self._span = span
        functools.update_wrapper(self, function, updated=())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function with the span current."""
        before = current.get()
        current.set(self._span)
        try:
            return self._function(*args, **kwargs)
        finally:
            current.set(before)

    def __reduce__(self) -> tuple[Any, ...]:
        return _propagated, (self._function, carried(self._span))


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, to be run elsewhere (a thread, a pool, another process) below the span that is current now.

    Args:
        function: A function or coroutine function. For a process it has to be picklable, as for any process pool.

    Example:
        >>> import threading
        >>> thread = threading.Thread(target=propagate(print), args=("below the current span",))
    """
    span = current.get()
    if not inspect.iscoroutinefunction(function):
        return Propagated(function, span)

    @functools.wraps(function)
    async def below(*args: P.args, **kwargs: P.kwargs) -> Any:
        before = current.get()
        current.set(span)
        try:
            return await function(*args, **kwargs)
        finally:
            leave(span, before)  # a coroutine may be closed in another context than it ran in

    return below  # type: ignore[return-value]  # a coroutine function, as `function` is


class PropagatingExecutor(Executor):
    """An executor whose tasks run below the span that was current where they were submitted.

    Args:
        pool: Does the work: threads or processes.
    """

    def __init__(self, pool: Executor) -> None:
        self._pool = pool

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Submit `fn` to the pool."""
        return self._pool.submit(propagate(fn), *args, **kwargs)

    def map(self, fn: Callable[..., R], *iterables: Any, timeout: float | None = None, chunksize: int = 1) -> Any:
        """Map `fn` over the iterables in the pool."""
        return self._pool.map(propagate(fn), *iterables, timeout=timeout, chunksize=chunksize)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut the pool down."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def wrap_executor(pool: Executor) -> Executor:
    """`pool`, with tasks that run below the span that was current where they were submitted.

    Works with threads and processes, and with `loop.run_in_executor`.

    Example:
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> with wrap_executor(ThreadPoolExecutor(2)) as pool:
        ...     pool.submit(len, "four").result()
        4
    """
    return PropagatingExecutor(pool)


Carried: TypeAlias = SpanContext | NoopSpan | None


def carried(span: ActiveSpan | NoopSpan | None) -> Carried:
    """What of `span` can be pickled; also that nothing is to be recorded, or that another system's span is current."""
    return SpanContext.of(span) if isinstance(span, ActiveSpan) else span


def received(span: Carried) -> ActiveSpan | NoopSpan | None:
    """The span that was `carried` here."""
    return span.revive() if isinstance(span, SpanContext) else span


def _propagated(function: Callable[..., Any], span: Carried) -> Propagated:
    return Propagated(function, received(span))
