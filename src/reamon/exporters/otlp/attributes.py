"""Attributes: what a span says about itself in OpenTelemetry's words, and under `reamon.*` what these lack.

An OTLP attribute is a text, a number, a truth value or a list of one of them. What is nested goes as JSON text; money
goes as text too, beside a float that backends can add up.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeAlias

import msgspec

from reamon.guard import writable
from reamon.model import CostBreakdown, Payload, Span, SpanKind, SpanStatus, Usage, gen_ai
from reamon.model.usage import AMOUNTS, COUNTS

Attribute: TypeAlias = str | bool | int | float | Sequence[str] | Sequence[bool] | Sequence[int] | Sequence[float]

_SPEECH: Final = {SpanKind.STT: "speech_to_text", SpanKind.TTS: "text_to_speech"}
_LARGEST: Final = 1 << 63
_NANOS_PER_MILLI: Final = 1_000_000
_SCALARS: Final = (bool, int, float, str)
_encode: Final = msgspec.json.Encoder().encode


def attributes_of(span: Span, *, payloads: bool = True) -> dict[str, Attribute]:
    """The attributes of the span that `span` becomes.

    What the application set itself comes first, and our own names stand against it.

    Args:
        span: The span.
        payloads: Whether to send inputs, outputs and states.

    Example:
        >>> from reamon.testing import make_span
        >>> span = make_span("look up", "tool", call_id="call-1", input={"id": 7})
        >>> said = attributes_of(span)
        >>> said["gen_ai.tool.name"], said["gen_ai.conversation.id"], said["gen_ai.tool.call.arguments"]
        ('look up', 'call-1', '{"id":7}')
    """
    said = {name: value for name, value in span.attributes.items() if value is not None}
    said |= dict(_identity(span))
    said |= dict(_operation(span))
    said |= dict(_course(span))
    said |= dict(_consumption(span))
    if payloads:
        said |= dict(_payloads(span))
    return plain(said)


def plain(said: Mapping[str, Any]) -> dict[str, Attribute]:
    """Attributes as OTLP can carry them.

    Example:
        >>> plain({"score": 0.5, "tags": ["a", "b"], "mixed": [1, "b"], "nested": {"a": [1]}, "none": None})
        {'score': 0.5, 'tags': ['a', 'b'], 'mixed': '[1,"b"]', 'nested': '{"a":[1]}'}
    """
    values = ((name, _value(value)) for name, value in said.items() if value is not None)
    return {_text(name): value for name, value in values}


def _value(value: Any) -> Attribute:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else str(value)
    if isinstance(value, Payload):
        return value.raw.decode("utf-8", "replace")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, list | tuple) and value and type(value[0]) in _SCALARS:
        kind = type(value[0])
        if all(type(item) is kind for item in value):
            items = [_value(item) for item in value]
            if all(type(item) is kind for item in items):
                return items  # type: ignore[return-value]  # all of one type
    return _json(value)


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError):
        return _text(str(type(value).__name__))


def _text(text: str) -> str:
    return text if text.isascii() else writable(text)


def _identity(span: Span) -> Iterator[tuple[str, Any]]:
    """Who it was: the conversation, the project, and which span of ours."""
    yield "reamon.kind", span.kind.value
    yield "reamon.name", span.name
    yield "reamon.span_id", span.span_id
    yield gen_ai.CONVERSATION, span.call_id
    yield "reamon.project", span.project
    yield "reamon.tags", list(span.tags) or None
    yield "reamon.version", span.version
    yield "reamon.metadata", span.metadata
    yield "reamon.execution_order", span.execution_order


def _operation(span: Span) -> Iterator[tuple[str, Any]]:
    """What was done, by OpenTelemetry's names."""
    match span.kind:
        case SpanKind.WORKFLOW:
            yield gen_ai.OPERATION, gen_ai.INVOKE_WORKFLOW
            yield gen_ai.WORKFLOW_NAME, span.name
        case SpanKind.AGENT:
            yield gen_ai.OPERATION, gen_ai.INVOKE_AGENT
            yield gen_ai.AGENT_NAME, span.name
            yield "reamon.agent_type", span.agent_type
        case SpanKind.LLM:
            yield gen_ai.OPERATION, span.attributes.get(gen_ai.OPERATION) or gen_ai.CHAT
        case SpanKind.TOOL:
            yield gen_ai.OPERATION, gen_ai.EXECUTE_TOOL
            yield gen_ai.TOOL_NAME, span.attributes.get(gen_ai.TOOL_NAME) or span.name
        case SpanKind.RETRIEVAL:
            yield gen_ai.OPERATION, gen_ai.RETRIEVAL
        case SpanKind.STT | SpanKind.TTS:
            yield gen_ai.OPERATION, _SPEECH[span.kind]
        case _:
            return


def _course(span: Span) -> Iterator[tuple[str, Any]]:
    """How it went: status, error, decision, outcome, waiting."""
    if span.error is not None:
        yield gen_ai.ERROR_TYPE, span.error.type
    elif span.status is SpanStatus.ERROR:
        yield gen_ai.ERROR_TYPE, "_OTHER"
    yield "reamon.status", span.status.value
    yield "reamon.status_reason", span.status_reason
    yield "reamon.outcome", span.outcome
    if span.decision is not None:
        for name in ("next_agent", "action", "confidence", "reasoning"):
            yield f"reamon.decision.{name}", getattr(span.decision, name)
    if span.queue_wait_ns is not None:
        yield "reamon.queue_wait_ms", span.queue_wait_ns / _NANOS_PER_MILLI
    if span.first_token_ns is not None:
        yield "gen_ai.response.time_to_first_chunk", span.first_token_ns / 1e9


def _consumption(span: Span) -> Iterator[tuple[str, Any]]:
    """What was used, and what that cost. An unknown cost makes the total unknown, not smaller."""
    if span.usage:
        last = span.usage[-1]
        yield gen_ai.PROVIDER, last.provider
        if last.model is not None:
            yield gen_ai.REQUEST_MODEL, span.attributes.get(gen_ai.REQUEST_MODEL) or last.model
            yield gen_ai.RESPONSE_MODEL, span.attributes.get(gen_ai.RESPONSE_MODEL) or last.model
        for field in COUNTS + AMOUNTS:
            yield gen_ai.USAGE.get(field, f"reamon.usage.{field}"), _total(span.usage, field)
        if len(span.usage) > 1:
            yield "reamon.usage.details", span.usage
    if span.costs:
        breakdown = CostBreakdown.of(span.costs)
        yield "reamon.cost.status", breakdown.status
        yield "reamon.cost.details", span.costs
        if breakdown.status == "complete" and breakdown.total is not None:
            yield "reamon.cost.usd", float(breakdown.total)
            yield "reamon.cost.exact", breakdown.total


def _total(usage: Sequence[Usage], field: str) -> int | float | None:
    known = [amount for entry in usage if (amount := getattr(entry, field)) is not None]
    if not known:
        return None
    total = sum(known)
    return float(total) if isinstance(total, Decimal) else total


def _payloads(span: Span) -> Iterator[tuple[str, Any]]:
    is_tool = span.kind is SpanKind.TOOL
    yield gen_ai.TOOL_ARGUMENTS if is_tool else "reamon.input", span.input
    yield gen_ai.TOOL_RESULT if is_tool else "reamon.output", span.output
    yield "reamon.state.before", span.state_before
    yield "reamon.state.after", span.state_after
