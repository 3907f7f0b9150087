"""Weight: what a span takes."""

from typing import Final

from reamon.model import Span

_SPAN_BYTES: Final = 700  # what a Span with its strings takes, payloads aside


def weight_of(span: Span) -> int:
    """Bytes that a span takes in memory, roughly."""
    size = _SPAN_BYTES
    if span.input is not None:
        size += len(span.input.raw)
    if span.output is not None:
        size += len(span.output.raw)
    if span.state_before is not None:
        size += len(span.state_before.raw)
    if span.state_after is not None:
        size += len(span.state_after.raw)
    return size
