"""Begin and end: the two ends of every span. This is the hot path; each line of it is paid for on every traced call."""

import itertools
from collections.abc import Callable, Sequence
from typing import Final

from reamon.guard import guard
from reamon.model import SpanKind, SpanLink
from reamon.tracing._error import describe_error, is_cancellation
from reamon.tracing._record import Started
from reamon.tracing._state import Spec, Trace
from reamon.tracing._switch import switch
from reamon.tracing.active import ActiveSpan
from reamon.tracing.foreign import ForeignParent
from reamon.tracing.noop import NoopSpan
from reamon.tracing.recorder import Pending, Recorder

_WORKFLOW = SpanKind.WORKFLOW
_AGENT = SpanKind.AGENT
_ENDED = 64
"""So many spans, one below the other, may have ended when another one starts below them. Where there are more, tasks
start each other without an end: what they are below would only grow, and with it each record."""

RootLinks = Callable[[], Sequence[SpanLink]]
root_links: Final[list[RootLinks]] = []
"""What is asked, whenever a trace opens here, for what else its root is linked to: the traces of other systems."""


def begin(
    recorder: Recorder,
    spec: Spec,
    parent: ActiveSpan | NoopSpan | None,
    raw_input: bytes | None = None,
    call_id: str | None = None,
    start: int | None = None,
) -> ActiveSpan:
    """Start a span below `parent`, or a trace where there is none, the span is a workflow, or all above ended long ago.

    Args:
        recorder: The recorder of this process.
        spec: What the span is.
        parent: The enclosing span.
        raw_input: The snapshot of its input.
        call_id: The conversation, for a span that opens a trace.
        start: Monotonic nanoseconds, if not now.
    """
    if type(parent) is not ActiveSpan or spec.kind is _WORKFLOW or (parent.end_mark and _has_left_behind(parent)):
        return _open_trace(recorder, spec, parent, raw_input, call_id, start)
    return ActiveSpan(
        spec,
        parent,
        parent.trace,
        recorder.now() if start is None else start,
        next(recorder.unique_62),
        raw_input,
        recorder.generation,
        next(parent.trace.agents) if spec.kind is _AGENT else None,
    )


def _has_left_behind(parent: ActiveSpan) -> bool:
    """Whether a span and so many above it have ended that what starts now is no part of what they belong to."""
    node: ActiveSpan | None = parent
    for _ in range(_ENDED):
        if node is None or not node.end_mark:
            return False
        node = node.parent
    return True


def _open_trace(
    recorder: Recorder,
    spec: Spec,
    outer: ActiveSpan | NoopSpan | None,
    raw_input: bytes | None,
    call_id: str | None,
    start: int | None,
) -> ActiveSpan:
    if start is None:
        start = recorder.now()
    offset = recorder.clock.offset
    random = next(recorder.unique_62)
    inherited = None if outer is None else _inherited(outer)
    trace = Trace(
        offset,
        call_id if call_id is not None or inherited is None else inherited.call_id,
        spec.project or (inherited.project if inherited is not None else None) or recorder.project,
        spec.tags,
        itertools.count(1),
        start,
        random,
    )
    order = next(trace.agents) if spec.kind is _AGENT else None
    root = ActiveSpan(spec, None, trace, start, random, raw_input, recorder.generation, order)
    if inherited is not None:
        _link(root, outer)
    for ask in root_links:
        _link_further(root, ask)
    queue = recorder.queue
    queue.append(Started(root))
    if len(queue) >= queue.wake_at:
        queue.wake()
    return root


def _inherited(outer: ActiveSpan | NoopSpan) -> Trace | None:
    """Where a trace that opens inside of `outer` takes its call_id and project from."""
    return outer.trace if isinstance(outer, ActiveSpan | ForeignParent) else None


def _link(root: ActiveSpan, outer: ActiveSpan | NoopSpan | None) -> None:
    """Say in what the trace of `root` was opened."""
    if isinstance(outer, ActiveSpan):
        root._more().links.append(SpanLink(outer.trace_id, outer.span_id, "parent_trace"))
    elif isinstance(outer, ForeignParent):
        root._more().links.extend(outer.root_links)
        root.trace.links = outer.trace.links


def _link_further(root: ActiveSpan, ask: RootLinks) -> None:
    try:
        found = ask()
        if found:
            root._more().links.extend(found)
    except Exception as error:
        guard.contain("root links", error)


def finish(span: ActiveSpan, end: int, raw_output: bytes | None = None) -> Pending | None:
    """End a span.

    Args:
        span: The span.
        end: Monotonic nanoseconds, taken before anything else was done.
        raw_output: The snapshot of what it returned; what the application set itself stands.

    Returns:
        What the call has to wait for before it returns, if anything.
    """
    recorder = switch.recorder
    if recorder is None or span.end_mark:
        return None
    if span.raw_output is None:
        span.raw_output = raw_output
    span.end_mark = end
    if span.generation == recorder.generation:  # else it was started before a fork, and is the parent's to finish
        queue = recorder.queue
        queue.append(span)
        if len(queue) >= queue.wake_at:
            return queue.wake()
    return None


def fail(span: ActiveSpan, error: BaseException) -> Pending | None:
    """End a span that an exception leaves. Never raises: the exception is the application's.

    Returns:
        What the call has to wait for before it raises, if anything; a coroutine that is being closed may not wait.
    """
    recorder = switch.recorder
    try:
        if recorder is None or span.end_mark:
            return None
        end = recorder.now()
        details = span._more()
        is_close = issubclass(type(error), GeneratorExit)
        try:
            if not is_close or details.status is None:
                details.status = "error"  # at once, since there may be no room on the stack for a closer look
                if is_cancellation(error):
                    details.status = "cancelled"
                details.error = describe_error(error)
        finally:  # whatever comes out of the exception's own methods, or of a signal's handler meanwhile
            pending = finish(span, end)
    except Exception as internal:
        try:
            guard.contain("fail", internal)
        except RecursionError:  # no room for another call, and the application's exception goes on
            return None
        return None
    return None if is_close else pending
