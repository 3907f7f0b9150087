"""Cost details as the store keeps them: an amount, and where in which trace it arose."""

from datetime import datetime

from reamon.model.cost import CostData


class CostDetail(CostData, frozen=True, kw_only=True):
    """One cost detail with its place (`cost_details`).

    Attributes:
        span_id: The span that consumed what was paid for.
        trace_id: Its trace.
        item: Which of the span's details of this type and price version it is, from 0.
        agent_id: The span of the nearest agent; None where none was running.
        call_id: The conversation, as far as it was known when the span ended.
        project: The project.
        timestamp: When the span ended.
        superseded_by: The repricing that put another detail in its place; None for one that counts.
    """

    span_id: str
    trace_id: str
    item: int = 0
    agent_id: str | None = None
    call_id: str | None = None
    project: str | None = None
    timestamp: datetime
    superseded_by: str | None = None
