"""What budgets answer when they are asked, and what they tell without being asked."""

from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from reamon.budgets.actions import Action


class BudgetDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What the budgets say to something that is about to cost money.

    Where several budgets apply, it is about the one with the gravest action; among equals, about the fullest.

    Attributes:
        action: What to do.
        reason: Why, in a sentence.
        budget: The name of the budget that it is about; None where none applies.
        scope: The call or the project that this budget is of, or "".
        spent: USD spent in its current period.
        reserved: USD that reservations hold beside that.
        limit: Its limit in USD; None where there is none.
        remaining: USD left of it, below 0 where it is exceeded; None without a limit.
        unknown: How many costs of the period came without an amount, so that more was spent than `spent` says.
        is_local: Whether the shared state could not be reached, so that this rests on what this process knows.
    """

    action: Action
    reason: str
    budget: str | None = None
    scope: str = ""
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    limit: Decimal | None = None
    remaining: Decimal | None = None
    unknown: int = 0
    is_local: bool = False

    @property
    def allowed(self) -> bool:
        """Whether it may go ahead: anything but `stop`."""
        return self.action is not Action.STOP


Kind = Literal["crossed", "spike", "unreachable", "reachable"]


class BudgetEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a budget that somebody should know; what callbacks and channels get.

    Attributes:
        kind: "crossed": spending has come to a share of the limit. "spike": it is a multiple of the usual. Both are
            told once for each budget, scope, share and period, by one of all processes. "unreachable", "reachable": the
            shared state went away or came back, as this process sees it.
        action: What the budget asks for from now on.
        message: It in a sentence.
        at: When it was noticed.
        process_id: The process that noticed it.
        budget: The budget's name.
        per: The kind of its period.
        scope: The call or the project, or "".
        period_start: When the period began; None for a call or all time.
        period_end: When it ends.
        threshold: The share of the limit (0.8), or how many times the usual.
        spent: USD spent in the period.
        reserved: USD that reservations hold.
        limit: The budget's limit in USD.
        usual: What is usually spent in such a period in USD, for a spike.
        unknown: How many costs of the period came without an amount.
    """

    kind: Kind
    action: Action
    message: str
    at: datetime
    process_id: str
    budget: str | None = None
    per: str | None = None
    scope: str = ""
    period_start: datetime | None = None
    period_end: datetime | None = None
    threshold: Decimal | None = None
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    limit: Decimal | None = None
    usual: Decimal | None = None
    unknown: int = 0
