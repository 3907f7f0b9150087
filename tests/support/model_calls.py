"""What tests of model clients ask of the spans that were recorded."""

from collections.abc import Sequence
from typing import Any

from reamon.model import Span, SpanKind
from reamon.testing import Captured

MESSAGES: list[Any] = [{"role": "user", "content": "hi"}]
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": "book", "parameters": {"type": "object", "properties": {}}}}
]


def the_call(captured: Captured) -> Span:
    """The only model call that was recorded."""
    calls = model_calls(captured)
    assert len(calls) == 1, [call.name for call in calls]
    return calls[0]


def model_calls(captured: Captured) -> list[Span]:
    """The model calls that were recorded, outer ones before inner ones."""
    return sorted((span for span in captured.spans if span.kind is SpanKind.LLM), key=lambda span: span.span_id)


def usage(span: Span) -> dict[str, Any]:
    """What a span's only usage says, without what is unknown."""
    assert len(span.usage) == 1, span.usage
    said = {name: getattr(span.usage[0], name) for name in span.usage[0].__struct_fields__}
    return {name: value for name, value in said.items() if value is not None}


def output(span: Span) -> Any:
    """What was captured as its output."""
    return None if span.output is None else span.output.value


def asked(span: Span) -> Any:
    """What was captured as its input."""
    return None if span.input is None else span.input.value


def tree(spans: Sequence[Span]) -> list[tuple[int, str, str, str]]:
    """Depth, kind, name and level (logical, physical) of spans, in order of start."""
    ordered = sorted(spans, key=lambda span: span.span_id)
    return [
        (len(span.ancestors), span.kind.value, span.name, span.attributes.get("reamon.call", "")) for span in ordered
    ]
