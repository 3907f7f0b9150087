"""The collector that tells the budgets what spans have cost."""

from reamon.budgets.budgets import Budgets
from reamon.budgets.money import trillionths
from reamon.model import Span
from reamon.protocols import Additions


class BudgetCollector:
    """Adds the known costs of each span to the budgets that it belongs to, once the cost collector has seen it.

    Args:
        budgets: Where it counts. Default: those of the settings.

    Example:
        >>> from reamon.budgets import Budget
        >>> budgets = Budgets([Budget("day", 50)])
        >>> reamon_collectors = ["cost", BudgetCollector(budgets)]
    """

    name = "budget"
    is_last = True

    def __init__(self, budgets: Budgets | None = None) -> None:
        self.budgets = Budgets.from_settings() if budgets is None else budgets

    def collect(self, span: Span) -> Additions | None:
        """Count what the span has cost; nothing is added to it."""
        if span.costs:
            amount = unknown = 0
            for cost in span.costs:
                if cost.amount is None:
                    unknown += 1
                else:
                    amount += trillionths(cost.amount)
            if amount or unknown:
                ended = span.start_ns if span.end_ns is None else span.end_ns
                self.budgets.spend(amount, unknown, span.call_id, span.project, ended)
        return None

    def flush(self, timeout: float) -> bool:
        """Wait until all that was collected is counted."""
        return self.budgets.flush(timeout)

    def shutdown(self, timeout: float) -> bool:
        """Write what was collected, and end."""
        return self.budgets.close(timeout)
