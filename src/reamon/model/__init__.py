"""What everything else speaks of: spans, payloads, usage, cost, and the views that the store gives back."""

from reamon.model.cost import CostBreakdown, CostData
from reamon.model.payload import Payload
from reamon.model.span import Decision, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus
from reamon.model.trace import AgentExecution, AgentTransition, Operation, WorkflowTrace
from reamon.model.usage import Usage

__all__ = [
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
