"""The gauge: a budget made ready to be looked at, for every call, turn and span."""

from collections.abc import Sequence
from decimal import Decimal
from statistics import median_low
from typing import Final, NamedTuple

from reamon.budgets.actions import Action
from reamon.budgets.budget import EACH, Budget
from reamon.budgets.decisions import BudgetDecision
from reamon.budgets.ledger import Account, Balance, Claim
from reamon.budgets.money import plain, share_of, shown, trillionths
from reamon.budgets.periods import Calendar, zone_of
from reamon.errors import ConfigurationError
from reamon.model.cost import exact

SPIKE: Final = "spike"
"""The name of the mark that a spike is."""


class Threshold(NamedTuple):
    """A mark in money.

    Attributes:
        name: What the ledger calls it: the share as it was given.
        share: The share of the limit.
        amount: That in trillionths of a dollar.
        action: What is to happen from there on.
    """

    name: str
    share: Decimal
    amount: int
    action: Action


class Gauge:
    """Says of a budget which account something counts in, and what a balance means.

    Args:
        budget: The budget.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.calendar = Calendar(budget.per, zone_of(budget.timezone))
        self.limit = None if budget.limit is None else trillionths(budget.limit)
        self.is_of_calls = budget.per == "call"
        whole = self.limit or 0
        self.thresholds = tuple(
            Threshold(f"{mark.share.normalize():f}", mark.share, share_of(whole, mark.share), mark.action)
            for mark in budget.marks
        )
        self._last = self.thresholds[-1].action if self.thresholds else Action.OK
        self._stop = min((mark.amount for mark in self.thresholds if mark.action is Action.STOP), default=None)

    def account(self, call_id: str | None, project: str | None, at: int) -> Account | None:
        """Where something counts that happened at a moment; None where it does not concern this budget.

        What has no call yet is looked at as a call in which nothing was spent.
        """
        budget = self.budget
        wanted = budget.project
        if wanted is not None and wanted != project and (wanted != EACH or project is None):
            return None
        if self.is_of_calls:
            return Account(budget.name, call_id or "", 0)
        return Account(
            budget.name, "" if wanted is None or project is None else project, self.calendar.period_of(at).start
        )

    def action(self, used: int) -> Action:
        """What is to be done where that much is used."""
        found = Action.OK
        for mark in self.thresholds:
            if used < mark.amount:
                break
            found = mark.action
        return found

    def claim(self, account: Account) -> Claim:
        """What a reservation asks of the account; only a budget that stops ever refuses."""
        return Claim(account, self.limit if self._last is Action.STOP else None, self._stop)

    def answer(self, balance: Balance, wanted: int) -> Action:
        """What is to be done with something that may cost `wanted`."""
        used = balance.spent + balance.reserved
        action = self.action(used)
        return action if self._fits(used, wanted) else Action.worst(action, self._last)

    def decide(self, account: Account, balance: Balance, wanted: int, *, is_local: bool) -> BudgetDecision:
        """The answer in full."""
        used = balance.spent + balance.reserved
        return BudgetDecision(
            action=self.answer(balance, wanted),
            reason=self._reason(account, balance, wanted, fits=self._fits(used, wanted)),
            budget=self.budget.name,
            scope=account.scope,
            spent=plain(balance.spent),
            reserved=plain(balance.reserved),
            limit=None if self.limit is None else plain(self.limit),
            remaining=None if self.limit is None else plain(self.limit - used),
            unknown=balance.unknown,
            is_local=is_local,
        )

    def fullness(self, balance: Balance) -> float:
        """The share of the limit that is used; only to compare."""
        return (balance.spent + balance.reserved) / self.limit if self.limit else 0.0

    def usual(self, history: Sequence[int]) -> int | None:
        """What is usually spent in a period: the median of earlier ones, the lower of two; None if they are too few."""
        return median_low(history) if len(history) >= self.budget.spike_least else None

    def spikes_at(self, usual: int | None) -> int | None:
        """From how much on it is a spike."""
        if usual is None or self.budget.spike is None:
            return None
        return share_of(usual, exact(self.budget.spike))

    def _fits(self, used: int, wanted: int) -> bool:
        return self.limit is None or used + wanted <= self.limit

    def _reason(self, account: Account, balance: Balance, wanted: int, *, fits: bool) -> str:
        of = f" of {account.scope!r}" if account.scope else ""
        name = f"budget {self.budget.name!r}{of}"
        if self.limit is None:
            return f"{name} has no limit; spent: {shown(balance.spent)} USD"
        unknown = f"; {balance.unknown} costs are unknown" if balance.unknown else ""
        reserved = f" and {shown(balance.reserved)} reserved" if balance.reserved else ""
        state = f"{name}: {shown(balance.spent)} spent{reserved} of {shown(self.limit)} USD"
        return f"{state}{unknown}" if fits or not wanted else f"{state}, {shown(wanted)} more do not fit{unknown}"


def gauges_of(budgets: Sequence[Budget]) -> dict[str, Gauge]:
    """The gauges of budgets, by name.

    Raises:
        ConfigurationError: Two of them have one name.
    """
    gauges: dict[str, Gauge] = {}
    for budget in budgets:
        if budget.name in gauges:
            raise ConfigurationError(f"Budgets: two of them are called {budget.name!r}; give one another name")
        gauges[budget.name] = Gauge(budget)
    return gauges
