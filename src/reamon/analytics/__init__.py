"""Analytics: figures computed from the store.

What asks the store itself comes lazily, since it brings SQLAlchemy: costs, insights, repricing, reconciliation.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from reamon.analytics.costs import CostReport, CostRow, cost_report
    from reamon.analytics.insights import Insight, cost_insights
    from reamon.analytics.invoices import InvoiceLine, read_invoice
    from reamon.analytics.reconciliation import Drift, Reconciliation, Tolerance, reconcile
    from reamon.analytics.repricing import RepricedModel, RepricingReport, reprice

_HOMES = {
    "CostReport": "costs",
    "CostRow": "costs",
    "Drift": "reconciliation",
    "Insight": "insights",
    "InvoiceLine": "invoices",
    "Reconciliation": "reconciliation",
    "RepricedModel": "repricing",
    "RepricingReport": "repricing",
    "Tolerance": "reconciliation",
    "cost_insights": "insights",
    "cost_report": "costs",
    "read_invoice": "invoices",
    "reconcile": "reconciliation",
    "reprice": "repricing",
}

__all__ = [
    "AgentSummary",
    "CallCost",
    "CostReport",
    "CostRow",
    "CostSummary",
    "Drift",
    "ErrorSummary",
    "Insight",
    "InvoiceLine",
    "Latency",
    "OutcomeSummary",
    "Reconciliation",
    "RepricedModel",
    "RepricingReport",
    "SlowestStep",
    "Summary",
    "Tolerance",
    "cost_insights",
    "cost_report",
    "percentile",
    "read_invoice",
    "reconcile",
    "reprice",
    "summarize",
    "summary_of",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
