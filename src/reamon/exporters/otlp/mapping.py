"""Mapping: a span of ours as OpenTelemetry's SDK has spans, ready for its exporter."""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Final
from uuid import UUID

from reamon.exporters.otlp.attributes import Attribute, attributes_of, plain
from reamon.guard import writable
from reamon.model import Span, SpanKind, SpanLink, SpanStatus, gen_ai

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, SpanContext, Status
    from opentelemetry.trace import SpanKind as OTelKind

_W3C_TRACE: Final = re.compile(r"[0-9a-f]{32}")
_W3C_SPAN: Final = re.compile(r"[0-9a-f]{16}")
_LOW_HALF: Final = (1 << 64) - 1
_REMOTE: Final = frozenset({SpanKind.LLM, SpanKind.STT, SpanKind.TTS, SpanKind.TELEPHONY, SpanKind.RETRIEVAL})
"""What is asked of a service elsewhere: a client's span, in OpenTelemetry's terms."""
_FAILED: Final = frozenset({SpanStatus.ERROR, SpanStatus.INTERRUPTED})
_PROCESSES_KEPT: Final = 128


class SpanMapping:
    """Makes OpenTelemetry's spans of ours.

    Args:
        resource: What is said about the resource: `service.name`, and whatever else.
        payloads: Whether inputs, outputs and states are sent.
    """

    def __init__(self, resource: Mapping[str, str], *, payloads: bool) -> None:
        self._said = dict(resource)
        self._payloads = payloads
        self._scope = _scope()
        self._resource_of = lru_cache(maxsize=_PROCESSES_KEPT)(self._resource)

    def __call__(self, span: Span) -> "ReadableSpan":
        """The OpenTelemetry span of `span`.

        Raises:
            ValueError: One of its ids is no UUID, so that it cannot be sent.
        """
        from opentelemetry.sdk.trace import ReadableSpan  # noqa: PLC0415 - an optional package

        return ReadableSpan(
            name=name_of(span),
            context=context_of(span.trace_id, span.span_id),
            parent=None if span.parent_id is None else context_of(span.trace_id, span.parent_id),
            resource=self._resource_of(span.process_id),
            attributes=attributes_of(span, payloads=self._payloads),
            events=tuple(_events(span)),
            links=tuple(_links(span)),
            kind=_kind(span),
            status=_status(span),
            start_time=span.start_ns,
            end_time=span.end_ns,
            instrumentation_scope=self._scope,
        )

    def _resource(self, process_id: str | None) -> "Resource":
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an optional package

        said: dict[str, Attribute] = {
            "service.name": "unknown_service",
            "telemetry.sdk.language": "python",
            "telemetry.distro.name": "reamon",
            "telemetry.distro.version": version("reamon"),
        }
        if process_id is not None:
            said["service.instance.id"] = process_id
        return Resource({**said, **plain(self._said)})


def name_of(span: Span) -> str:
    """What OpenTelemetry calls it.

    Example:
        >>> from reamon.testing import make_span
        >>> [name_of(make_span("turn", kind)) for kind in ("workflow", "agent", "tool", "step")]
        ['invoke_workflow turn', 'invoke_agent turn', 'execute_tool turn', 'turn']
        >>> name_of(make_span("reply", "llm", attributes={"gen_ai.request.model": "gpt-4o"}))
        'chat gpt-4o'
    """
    match span.kind:
        case SpanKind.WORKFLOW:
            name = f"{gen_ai.INVOKE_WORKFLOW} {span.name}"
        case SpanKind.AGENT:
            name = f"{gen_ai.INVOKE_AGENT} {span.name}"
        case SpanKind.TOOL:
            name = f"{gen_ai.EXECUTE_TOOL} {span.name}"
        case SpanKind.LLM:
            name = f"{span.attributes.get(gen_ai.OPERATION) or gen_ai.CHAT} {_model(span) or span.name}"
        case _:
            name = span.name or span.kind.value
    return writable(name)


def context_of(trace_id: str, span_id: str) -> "SpanContext":
    """The ids of a span of ours in OpenTelemetry's terms: the trace's id whole, and the low half of the span's.

    Raises:
        ValueError: One of them is no UUID.
    """
    return _context(UUID(trace_id).int, UUID(span_id).int & _LOW_HALF, is_remote=False)


def _context(trace_id: int, span_id: int, *, is_remote: bool) -> "SpanContext":
    from opentelemetry.trace import SpanContext, TraceFlags  # noqa: PLC0415 - an optional package

    return SpanContext(trace_id, span_id, is_remote, TraceFlags(TraceFlags.SAMPLED))


@lru_cache(maxsize=1)
def _scope() -> "InstrumentationScope":
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope  # noqa: PLC0415 - an optional package

    return InstrumentationScope("reamon", version("reamon"))


def _model(span: Span) -> str | None:
    said = span.attributes.get(gen_ai.REQUEST_MODEL)
    if isinstance(said, str) and said:
        return said
    return next((entry.model for entry in reversed(span.usage) if entry.model), None)


def _kind(span: Span) -> "OTelKind":
    from opentelemetry.trace import SpanKind as OTelKind  # noqa: PLC0415 - an optional package

    return OTelKind.CLIENT if span.kind in _REMOTE else OTelKind.INTERNAL


def _status(span: Span) -> "Status":
    """Errors are errors; a cancelled or degraded span is neither that nor certainly well."""
    from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415 - an optional package

    if span.status in _FAILED:
        message = span.error.message if span.error is not None else None
        return Status(StatusCode.ERROR, writable(message or span.status_reason or span.status.value))
    return Status(StatusCode.OK if span.status is SpanStatus.OK else StatusCode.UNSET)


def _events(span: Span) -> "Iterator[Event]":
    from opentelemetry.sdk.trace import Event  # noqa: PLC0415 - an optional package

    for event in span.events:
        yield Event(writable(event.name), plain(event.attributes), event.time_ns)
    if span.first_token_ns is not None:
        yield Event("gen_ai.first_token", {}, span.start_ns + span.first_token_ns)
    if span.error is not None:
        said = {
            gen_ai.EXCEPTION_TYPE: span.error.type,
            gen_ai.EXCEPTION_MESSAGE: span.error.message,
            gen_ai.EXCEPTION_STACK: span.error.stack,
        }
        yield Event(gen_ai.EXCEPTION, plain(said), span.end_ns)


def _links(span: Span) -> "Iterator[Link]":
    """Links to spans of ours, by the ids that these have in OpenTelemetry, and to those of others, whose ids stay."""
    from opentelemetry.trace import Link  # noqa: PLC0415 - an optional package

    for link in span.links:
        context = _linked(link)
        if context is not None:
            yield Link(context, plain({"reamon.relation": link.relation}))


def _linked(link: SpanLink) -> "SpanContext | None":
    """None where the other span has no ids that OpenTelemetry could have."""
    if _W3C_TRACE.fullmatch(link.trace_id) and _W3C_SPAN.fullmatch(link.span_id):
        trace_id, span_id = int(link.trace_id, 16), int(link.span_id, 16)
        return _context(trace_id, span_id, is_remote=True) if trace_id and span_id else None
    try:
        return context_of(link.trace_id, link.span_id)
    except ValueError:
        return None
