"""Lines: a span as one line of JSON, and back.

A line says everything that a `Span` says, in terms that people and their tools read: times are ISO 8601 in UTC with
microseconds, durations milliseconds, money exact text. Payloads are spliced in as the bytes that they are. What is
empty is left out, except that a root says so (`"parent_id":null`).
"""

from datetime import datetime
from typing import Any, Final

import msgspec

from reamon.model import CostData, Decision, Payload, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus, Usage
from reamon.model.times import from_datetime, iso, iso_pair
from reamon.tracing.capture import snapshot

_NANOS_PER_MILLI: Final = 1_000_000
_Raw: Final = msgspec.Raw
_ABSENT: Final = _Raw(b"")


class _EventLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    name: str
    time: str
    attributes: dict[str, Any] = {}


class _SpanLine(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The keys of a line, in their order. msgspec writes a struct several times faster than Python joins a text."""

    span_id: str
    trace_id: str
    parent_id: str | None
    kind: SpanKind
    name: str
    status: SpanStatus
    start_time: str
    end_time: str | None = None
    duration_ms: float | None = None
    call_id: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    version: str | None = None
    metadata: msgspec.Raw = _ABSENT
    agent_type: str | None = None
    agent_id: str | None = None
    execution_order: int | None = None
    input: msgspec.Raw = _ABSENT
    output: msgspec.Raw = _ABSENT
    state_before: msgspec.Raw = _ABSENT
    state_after: msgspec.Raw = _ABSENT
    decision: Decision | None = None
    outcome: str | None = None
    usage: tuple[Usage, ...] = ()
    costs: tuple[CostData, ...] = ()
    attributes: dict[str, Any] = {}
    events: tuple[_EventLine, ...] = ()
    error: SpanError | None = None
    status_reason: str | None = None
    links: tuple[SpanLink, ...] = ()
    queue_wait_ms: float | None = None
    first_token_ms: float | None = None
    process_id: str | None = None
    ancestors: tuple[str, ...] = ()


_encoder = msgspec.json.Encoder()
_encode = _encoder.encode
_encode_into = _encoder.encode_into
_decode = msgspec.json.Decoder(_SpanLine).decode


def to_line(span: Span) -> bytes:
    """`span` as one line, its newline included.

    Raises:
        OverflowError: One of its times lies outside of the years 1 to 9999.
    """
    buffer = bytearray()
    append_line(span, buffer)
    return bytes(buffer)


def append_line(span: Span, buffer: bytearray) -> None:
    """Put the line of `span` at the end of `buffer`: for a batch, half the work of joining single lines.

    Raises:
        OverflowError: As `to_line` does; `buffer` is as it was.
    """
    line = _line_of(span)
    begin = len(buffer)
    try:
        _encode_into(line, buffer, begin)
    except Exception:
        buffer[begin:] = _salvaged(line)
    if buffer.find(b"\n", begin) >= 0:
        # A processor has put indented JSON in a payload's place. Within JSON, a bare newline can only be layout.
        buffer[begin:] = buffer[begin:].replace(b"\n", b" ")
    buffer += b"\n"


def from_line(line: bytes) -> Span:
    """The span that `line` says, its times cut to microseconds.

    Raises:
        ValueError: It is no whole line of ours.
    """
    read = _decode(line)
    return Span(
        span_id=read.span_id,
        trace_id=read.trace_id,
        parent_id=read.parent_id,
        ancestors=read.ancestors,
        kind=read.kind,
        name=read.name,
        status=read.status,
        start_ns=_nanos(read.start_time),
        end_ns=None if read.end_time is None else _nanos(read.end_time),
        process_id=read.process_id,
        call_id=read.call_id,
        project=read.project,
        tags=read.tags,
        version=read.version,
        metadata=_payload(read.metadata),
        agent_type=read.agent_type,
        agent_id=read.agent_id,
        execution_order=read.execution_order,
        input=_payload(read.input),
        output=_payload(read.output),
        state_before=_payload(read.state_before),
        state_after=_payload(read.state_after),
        decision=read.decision,
        outcome=read.outcome,
        usage=read.usage,
        costs=read.costs,
        attributes=read.attributes,
        events=tuple(SpanEvent(event.name, _nanos(event.time), event.attributes) for event in read.events),
        error=read.error,
        status_reason=read.status_reason,
        links=read.links,
        queue_wait_ns=_from_millis(read.queue_wait_ms),
        first_token_ns=_from_millis(read.first_token_ms),
    )


def beginning_of(span_id: str) -> bytes:
    """How the line of this span begins."""
    return _encode({"span_id": span_id})[:-1]


def _line_of(span: Span) -> _SpanLine:
    """The keys of `span`'s line: by position and without helpers, because every span passes here."""
    end_ns = span.end_ns
    begun, ended = (iso(span.start_ns), None) if end_ns is None else iso_pair(span.start_ns, end_ns)
    return _SpanLine(
        span.span_id,
        span.trace_id,
        span.parent_id,
        span.kind,
        span.name,
        span.status,
        begun,
        ended,
        None if end_ns is None else (end_ns - span.start_ns) / _NANOS_PER_MILLI,
        span.call_id,
        span.project,
        span.tags,
        span.version,
        _ABSENT if span.metadata is None else _Raw(span.metadata.raw),
        span.agent_type,
        span.agent_id,
        span.execution_order,
        _ABSENT if span.input is None else _Raw(span.input.raw),
        _ABSENT if span.output is None else _Raw(span.output.raw),
        _ABSENT if span.state_before is None else _Raw(span.state_before.raw),
        _ABSENT if span.state_after is None else _Raw(span.state_after.raw),
        span.decision,
        span.outcome,
        span.usage,
        span.costs,
        span.attributes,
        _event_lines(span.events) if span.events else (),
        span.error,
        span.status_reason,
        span.links,
        None if span.queue_wait_ns is None else span.queue_wait_ns / _NANOS_PER_MILLI,
        None if span.first_token_ns is None else span.first_token_ns / _NANOS_PER_MILLI,
        span.process_id,
        span.ancestors,
    )


def _salvaged(line: _SpanLine) -> bytes:
    """A line in which what msgspec refuses (a lone surrogate, an object in the attributes) is described instead."""
    values = ((name, getattr(line, name)) for name in line.__struct_fields__)
    return _encode(
        {
            name: value if isinstance(value, _Raw) else _Raw(snapshot(value))
            for name, value in values
            if name == "parent_id" or (value is not _ABSENT and value is not None and value not in ((), {}))
        }
    )


def _event_lines(events: tuple[SpanEvent, ...]) -> tuple[_EventLine, ...]:
    return tuple(_EventLine(event.name, iso(event.time_ns), event.attributes) for event in events)


def _payload(raw: msgspec.Raw) -> Payload | None:
    return None if raw is _ABSENT else Payload(bytes(raw))


def _from_millis(millis: float | None) -> int | None:
    return None if millis is None else round(millis * _NANOS_PER_MILLI)


def _nanos(moment: str) -> int:
    return from_datetime(datetime.fromisoformat(moment))
