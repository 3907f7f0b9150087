"""Links: from traces of ours to those of the application's OpenTelemetry."""

from collections.abc import Sequence
from threading import local
from typing import Any

from opentelemetry import trace

from reamon.model import SpanLink

making = local()
"""`making.is_on`: whether the root that is opened on this thread is made of a span of OpenTelemetry's."""


def active_trace() -> Sequence[SpanLink]:
    """A link to the span that is active here, whether it is recorded or not; none where there is none."""
    if getattr(making, "is_on", False):
        return ()
    context = trace.get_current_span().get_span_context()
    return (link_to(context, "otel_trace"),) if context.is_valid else ()


def link_to(context: Any, relation: str) -> SpanLink:
    """A link to a span of OpenTelemetry's, by its W3C ids."""
    return SpanLink(f"{context.trace_id:032x}", f"{context.span_id:016x}", relation)
