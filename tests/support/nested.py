"""What was recorded as nested tuples, which a test compares whole."""

from typing import Any

from reamon.model import Span
from reamon.testing import Captured


def nested(captured: Captured, *, without_attributes: bool = False) -> list[tuple[Any, ...]]:
    """Every trace as `(name, children)`, or `(name, attributes, children)` for a span that has some, by start."""
    spans = sorted(captured.spans, key=lambda span: (span.start_ns, span.span_id))
    known = {span.span_id for span in spans}

    def below(parent: Span | None) -> list[tuple[Any, ...]]:
        wanted = None if parent is None else parent.span_id
        children = [span for span in spans if (span.parent_id if span.parent_id in known else None) == wanted]
        return [node(span) for span in children]

    def node(span: Span) -> tuple[Any, ...]:
        shown = (dict(span.attributes),) if span.attributes and not without_attributes else ()
        return (span.name, *shown, below(span))

    return below(None)
