"""What everything else speaks of: spans, payloads, usage, cost, and the views that the store gives back."""

from reamon.model.alerts import Alert
from reamon.model.cost import CostBreakdown, CostData
from reamon.model.cost_detail import CostDetail
from reamon.model.metrics import PerformanceMetrics
from reamon.model.payload import Payload
from reamon.model.span import Decision, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus
from reamon.model.trace import AgentExecution, AgentTransition, Operation, WorkflowTrace
from reamon.model.usage import Usage

__all__ = [
    "AgentExecution",
    "AgentTransition",
    "Alert",
    "CostBreakdown",
    "CostData",
    "CostDetail",
    "Decision",
    "Operation",
    "Payload",
    "PerformanceMetrics",
    "Span",
    "SpanError",
    "SpanEvent",
    "SpanKind",
    "SpanLink",
    "SpanStatus",
    "Usage",
    "WorkflowTrace",
]
