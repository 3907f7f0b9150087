"""Budgets: limits per call, day, week, month and project, shared by all processes.

With `REAMON_BUDGETS__DAY=50` and `REAMON_BUDGETS__CALL=0.10` in the environment, `reamon.configure()` sees to what was
spent, and the functions here ask about it:

    from reamon import budgets

    decision = await budgets.acheck(call_id=call_id, estimate="0.08")
    if decision.action == "stop":
        return
"""

from reamon.budgets.actions import Action
from reamon.budgets.budget import Budget
from reamon.budgets.budgets import Budgets
from reamon.budgets.collector import BudgetCollector
from reamon.budgets.current import acheck, action, areserve, check, current, on_crossing, reserve
from reamon.budgets.decisions import BudgetDecision, BudgetEvent
from reamon.budgets.ledger import LedgerUnreachableError
from reamon.budgets.reservation import CallReservation, Reservation

__all__ = [
    "Action",
    "Budget",
    "BudgetCollector",
    "BudgetDecision",
    "BudgetEvent",
    "Budgets",
    "CallReservation",
    "LedgerUnreachableError",
    "Reservation",
    "acheck",
    "action",
    "areserve",
    "check",
    "current",
    "on_crossing",
    "reserve",
]
