"""From the handle to the record: an ended ActiveSpan becomes a Span, on the worker's thread."""

from typing import Any

import msgspec

from reamon.model import CostData, Payload, Span, SpanKind, SpanLink, SpanStatus
from reamon.model.span import NO_ATTRIBUTES
from reamon.tracing._state import Details
from reamon.tracing.active import ActiveSpan

_OK = SpanStatus.OK
_STATUS = {status.value: status for status in SpanStatus}
_AGENT = SpanKind.AGENT
_NO_LINEAGE: tuple[tuple[str, ...], str | None] = ((), None)


class Started:
    """The notice that a trace has begun; queued when its root starts."""

    __slots__ = ("root",)

    def __init__(self, root: ActiveSpan) -> None:
        self.root = root

    def to_span(self, process_id: str) -> Span | None:
        """The running root as a Span, or None if it has ended meanwhile, since then the finish is on its way."""
        root = self.root
        if root.end_mark:
            return None
        trace, spec = root.trace, root.spec
        return Span(
            span_id=root.span_id,
            trace_id=trace.trace_id,
            kind=spec.kind,
            name=spec.name,
            status=SpanStatus.RUNNING,
            start_ns=root.start + trace.offset,
            process_id=process_id,
            call_id=trace.call_id,
            project=trace.project,
            tags=trace.tags,
            version=spec.version,
            metadata=spec.metadata,
            agent_type=spec.agent_type,
            input=_payload(root.raw_input),
            links=trace.links if root.details is None else trace.links + tuple(root.details.links),
        )


def to_span(active: ActiveSpan, process_id: str) -> Span:
    """The record of an ended span.

    The first fields of `Span` are given by position, which is five times as fast as by name; most spans have no others.
    """
    trace, spec, parent, details = active.trace, active.spec, active.parent, active.details
    offset, kind, span_id = trace.offset, spec.kind, active.id or active.span_id
    raw_input, raw_output, first_token = active.raw_input, active.raw_output, active.first_token
    ancestors, agent_id = _NO_LINEAGE if parent is None else parent.below or parent.lineage
    is_late = parent is not None and 0 < parent.end_mark < active.start
    span = Span(
        span_id,
        trace.id or trace.trace_id,
        kind,
        spec.name,
        _OK if details is None or details.status is None else _STATUS[details.status],
        active.start + offset,
        active.end_mark + offset,
        ancestors[-1] if ancestors else None,
        ancestors,
        process_id,
        trace.call_id,
        trace.project,
        trace.tags,
        spec.version,
        spec.metadata,
        spec.agent_type,
        span_id if kind is _AGENT else agent_id,
        active.order,
        None if raw_input is None else Payload(raw_input),
        None if raw_output is None else Payload(raw_output),
        None if first_token is None else first_token - active.start,
        {"reamon.late": True} if is_late else NO_ATTRIBUTES,
        trace.outcome if parent is None else None,
    )
    if trace.links:
        return _with_details(span, details or Details(), trace.links)
    return span if details is None else _with_details(span, details)


def _with_details(span: Span, details: Details, links: tuple[SpanLink, ...] = ()) -> Span:
    return span.replace(
        attributes={**details.attributes, **_cut(details), **span.attributes},
        outcome=span.outcome or details.outcome,
        state_before=_payload(details.state_before),
        state_after=_payload(details.state_after),
        decision=details.decision,
        usage=tuple(details.usage),
        costs=_distinct(details.costs),
        events=tuple(details.events),
        error=details.error,
        status_reason=details.status_reason,
        links=links + tuple(details.links),
        queue_wait_ns=details.queue_wait_ns,
    )


def _cut(details: Details) -> dict[str, Any]:
    """What there was no room for, in numbers."""
    cut = {"reamon.attributes_cut": details.attributes_cut, "reamon.events_cut": details.events_cut}
    return {name: number for name, number in cut.items() if number}


def _payload(raw: bytes | None) -> Payload | None:
    return None if raw is None else Payload(raw)


def _distinct(costs: list[CostData]) -> tuple[CostData, ...]:
    """The stated costs, each with a key of its own: two of one type on one span are two details, not one."""
    seen: dict[tuple[str, str], int] = {}
    result = []
    for cost in costs:
        key = (cost.cost_type, cost.price_version)
        count = seen[key] = seen.get(key, 0) + 1
        twin = f"{cost.price_version}#{count}"
        result.append(cost if count == 1 else msgspec.structs.replace(cost, price_version=twin))
    return tuple(result)
