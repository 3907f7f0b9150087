"""From the handle to the record: an ended ActiveSpan becomes a Span, on the worker's thread."""

import msgspec

from reamon.model import CostData, Payload, Span, SpanKind, SpanStatus
from reamon.tracing.active import ActiveSpan, Details

_NOTHING = Details()
_OK = SpanStatus.OK
_STATUS = {status.value: status for status in SpanStatus}
_AGENT = SpanKind.AGENT


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
            metadata=_payload(spec.metadata),
            agent_type=spec.agent_type,
            input=_payload(root.raw_input),
        )


def to_span(active: ActiveSpan, process_id: str) -> Span:
    """The record of an ended span."""
    trace, spec, parent = active.trace, active.spec, active.parent
    details = active.details or _NOTHING
    offset = trace.offset
    span_id = active.span_id
    attributes = details.attributes
    if parent is not None and parent.end_mark and parent.end_mark < active.start:
        attributes = {**attributes, "reamon.late": True}
    return Span(
        span_id=span_id,
        trace_id=trace.trace_id,
        parent_id=None if parent is None else parent.span_id,
        ancestors=active.ancestors,
        kind=spec.kind,
        name=spec.name,
        status=_OK if details.status is None else _STATUS[details.status],
        start_ns=active.start + offset,
        end_ns=active.end_mark + offset,
        process_id=process_id,
        call_id=trace.call_id,
        project=trace.project,
        tags=trace.tags,
        version=spec.version,
        metadata=_payload(spec.metadata),
        agent_type=spec.agent_type,
        agent_id=_agent_id(active),
        execution_order=active.order,
        input=_payload(active.raw_input),
        output=_payload(active.raw_output),
        state_before=_payload(details.state_before),
        state_after=_payload(details.state_after),
        decision=details.decision,
        outcome=details.outcome,
        usage=tuple(details.usage),
        costs=_distinct(details),
        attributes=attributes,
        events=tuple(details.events),
        error=details.error,
        status_reason=details.status_reason,
        links=tuple(details.links),
        queue_wait_ns=details.queue_wait_ns,
        first_token_ns=None if active.first_token is None else active.first_token - active.start,
    )


def _payload(raw: bytes | None) -> Payload | None:
    return None if raw is None else Payload(raw)


def _agent_id(active: ActiveSpan | None) -> str | None:
    while active is not None:
        if active.spec.kind is _AGENT:
            return active.span_id
        active = active.parent
    return None


def _distinct(details: Details) -> tuple[CostData, ...]:
    """The stated costs, each with a key of its own: two of one type on one span are two details, not one."""
    if not details.costs:
        return ()
    seen: dict[tuple[str, str], int] = {}
    result = []
    for cost in details.costs:
        key = (cost.cost_type, cost.price_version)
        count = seen[key] = seen.get(key, 0) + 1
        twin = f"{cost.price_version}#{count}"
        result.append(cost if count == 1 else msgspec.structs.replace(cost, price_version=twin))
    return tuple(result)
