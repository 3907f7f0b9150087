"""Analytics: figures computed from the store."""

from reamon.analytics.percentiles import percentile
from reamon.analytics.summary import (
    AgentSummary,
    CallCost,
    CostSummary,
    ErrorSummary,
    Latency,
    OutcomeSummary,
    SlowestStep,
    Summary,
    summarize,
    summary_of,
)

__all__ = [
    "AgentSummary",
    "CallCost",
    "CostSummary",
    "ErrorSummary",
    "Latency",
    "OutcomeSummary",
    "SlowestStep",
    "Summary",
    "percentile",
    "summarize",
    "summary_of",
]
