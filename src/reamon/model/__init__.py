"""What everything else speaks of: spans, payloads, usage, cost, and the views that the store gives back."""

from reamon.model.cost import CostBreakdown, CostData
from reamon.model.payload import Payload
from reamon.model.span import NO_ATTRIBUTES, Decision, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus
from reamon.model.trace import AgentExecution, AgentTransition, Operation, WorkflowTrace
from reamon.model.usage import Usage

__all__ = [
    "NO_ATTRIBUTES",
    "AgentExecution",
    "AgentTransition",
    "CostBreakdown",
    "CostData",
    "Decision",
    "Operation",
    "Payload",
    "Span",
    "SpanError",
    "SpanEvent",
    "SpanKind",
    "SpanLink",
    "SpanStatus",
    "Usage",
    "WorkflowTrace",
]
