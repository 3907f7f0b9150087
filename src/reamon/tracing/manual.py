"""Spans without a block: for callbacks, sockets and things that are already over."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from reamon.guard import guard, guarded
from reamon.model import SpanKind
from reamon.tracing._state import Spec
from reamon.tracing._switch import current, switch
from reamon.tracing._values import LONGEST_NAME, nanoseconds, text_of
from reamon.tracing.active import ActiveSpan
from reamon.tracing.lifecycle import begin
from reamon.tracing.noop import NOOP, SUPPRESSED, NoopSpan
from reamon.tracing.scope import read_id


@guarded(default=NOOP)
def start_span(
    kind: SpanKind | str,
    name: str,
    *,
    parent: ActiveSpan | NoopSpan | None = None,
    call_id: object = None,
    agent_type: object = None,
    start: datetime | int | float | None = None,
) -> ActiveSpan | NoopSpan:
    """Start a span that never becomes current, and that you `end()` yourself, anywhere.

    Args:
        kind: What it is.
        name: What it is called.
        parent: The enclosing span; the current one by default.
        call_id: The conversation, if the span opens a trace.
        agent_type: For an agent, its type; the name by default.
        start: When it began, if not now: an aware datetime, or since 1970 integer nanoseconds or seconds as a float.

    Returns:
        The handle; one that does nothing where nothing is recorded.

    Example:
        >>> span = start_span("telephony", "outbound call")
        >>> span.record_usage(provider="twilio", minutes=1.5)
        >>> span.end()
    """
    start_ns = None if start is None else nanoseconds(start)
    return _start(kind, name, parent, read_id(call_id), start_ns, read_id(agent_type))


@guarded(default=NOOP)
def record_span(
    kind: SpanKind | str,
    name: str,
    start: datetime | int | float,
    end: datetime | int | float,
    *,
    parent: ActiveSpan | NoopSpan | None = None,
    call_id: object = None,
    agent_type: object = None,
    input: Any = None,
    output: Any = None,
    status: str | None = None,
    error: BaseException | None = None,
    attributes: Mapping[str, Any] | None = None,
    usage: Mapping[str, Any] | None = None,
) -> ActiveSpan | NoopSpan:
    """Record something that is already over.

    Args:
        kind: What it was.
        name: What it is called.
        start: When it began: an aware datetime, or since 1970 integer nanoseconds or seconds as a float.
        end: When it ended; an end before the start counts as the start.
        parent: The enclosing span; the current one by default.
        call_id: The conversation, if the span opens a trace.
        agent_type: For an agent, its type; the name by default.
        input: What went in.
        output: What came out.
        status: How it went, if not "ok".
        error: What went wrong.
        attributes: More about it.
        usage: What it consumed, as the keyword arguments of `ActiveSpan.record_usage`.

    Returns:
        The handle, which may serve as the parent of further records.

    Example:
        >>> span = record_span("stt", "whisper", 1_700_000_000.0, 1_700_000_001.5, usage={"audio_seconds": 1.5})
    """
    start_ns, end_ns = nanoseconds(start), nanoseconds(end)  # wrong ones are refused before anything has begun
    span = _start(kind, name, parent, read_id(call_id), start_ns, read_id(agent_type))
    if isinstance(span, ActiveSpan):
        if input is not None:
            span.set_input(input)
        if output is not None:
            span.set_output(output)
        if error is not None:
            span.record_error(error)
        if status is not None:
            span.set_status(status)
        if attributes is not None:
            span.set_attributes(attributes)
        if usage is not None:
            _record_usage(span, usage)
        span.end(end_ns)
    return span


@guarded(default=None)
def _record_usage(span: ActiveSpan, usage: Mapping[str, Any]) -> None:
    span.record_usage(**usage)


def _start(
    kind: SpanKind | str,
    name: str,
    parent: ActiveSpan | NoopSpan | None,
    call_id: str | None,
    start_ns: int | None,
    agent_type: str | None,
) -> ActiveSpan | NoopSpan:
    recorder = switch.recorder
    here = current.get()
    if recorder is None or here is SUPPRESSED or parent is SUPPRESSED:
        return NOOP
    enclosing = here if parent is None else parent
    spec = _spec(kind if type(kind) is SpanKind else _kind(kind), text_of(name, LONGEST_NAME), agent_type)
    offset = enclosing.trace.offset if isinstance(enclosing, ActiveSpan) else recorder.clock.offset
    return begin(recorder, spec, enclosing, None, call_id, None if start_ns is None else start_ns - offset)


@lru_cache(1024)
def _spec(kind: SpanKind, name: str, agent_type: str | None) -> Spec:
    return Spec(kind=kind, name=name, agent_type=(agent_type or name) if kind is SpanKind.AGENT else None)


def _kind(kind: SpanKind | str) -> SpanKind:
    try:
        return SpanKind(kind)
    except ValueError as error:
        guard.contain("span kind", error)
        return SpanKind.STEP
