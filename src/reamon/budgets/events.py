"""Events: how what the budgets notice is put into words."""

from reamon import processes
from reamon.budgets.actions import Action
from reamon.budgets.decisions import BudgetEvent
from reamon.budgets.gauge import SPIKE, Gauge
from reamon.budgets.ledger import Account, Balance
from reamon.budgets.money import plain, shown
from reamon.model.cost import exact
from reamon.model.times import to_datetime


def crossing(gauge: Gauge, account: Account, balance: Balance, mark: str, usual: int | None, now: int) -> BudgetEvent:
    """A mark of a budget was passed, or spending is a multiple of the usual."""
    budget = gauge.budget
    period = gauge.calendar.period_of(account.start)
    has_period = period.end is not None
    threshold = next((one for one in gauge.thresholds if one.name == mark), None)
    of = f" of {account.scope!r}" if account.scope else ""
    if mark == SPIKE:
        times = None if budget.spike is None else exact(budget.spike)
        action, share = Action.WARN, times
        message = (
            f"budget {budget.name!r}{of}: {shown(balance.spent)} USD spent this {budget.per}, at least {times:f} times"
            f" the usual {shown(usual or 0)}"
        )
    else:
        action, share = (Action.OK, None) if threshold is None else (threshold.action, threshold.share)
        percent = f"{(share * 100).normalize():f} %" if share else "a mark"
        message = (
            f"budget {budget.name!r}{of} is past {percent}: {shown(balance.spent)} of {shown(gauge.limit or 0)} USD"
        )
    if balance.unknown:
        message += f"; {balance.unknown} costs are unknown"
    return BudgetEvent(
        kind="spike" if mark == SPIKE else "crossed",
        action=action,
        message=message,
        at=to_datetime(now),
        process_id=processes.current_id(),
        budget=budget.name,
        per=budget.per,
        scope=account.scope,
        period_start=to_datetime(period.start) if has_period else None,
        period_end=None if period.end is None else to_datetime(period.end),
        threshold=share,
        spent=plain(balance.spent),
        reserved=plain(balance.reserved),
        limit=None if gauge.limit is None else plain(gauge.limit),
        usual=None if usual is None else plain(usual),
        unknown=balance.unknown,
    )


def reach_change(error: Exception | None, now: int, action: Action) -> BudgetEvent:
    """The shared state went away, with what it said, or is back."""
    if error is None:
        kind, message, then = "reachable", "the state of the budgets can be reached again", Action.OK
    else:
        kind, then = "unreachable", Action.worst(Action.WARN, action)
        goes_on = "nothing new begins" if action is Action.STOP else "this process goes by what it knows itself"
        message = f"{error}; {goes_on}"
    return BudgetEvent(
        kind="reachable" if kind == "reachable" else "unreachable",
        action=then,
        message=message,
        at=to_datetime(now),
        process_id=processes.current_id(),
    )
