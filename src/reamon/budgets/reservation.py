"""Reservations: money that is set aside before it is spent."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from reamon.budgets.actions import Action
from reamon.budgets.decisions import BudgetDecision
from reamon.budgets.ledger import Account
from reamon.budgets.money import Amount, amount_of

if TYPE_CHECKING:
    from reamon.budgets.desk import Desk


class Reserved(ABC):
    """What both sorts of reservations have in common; made by `Budgets.reserve`.

    It is a context manager, for coroutines too: its end settles it.

    Attributes:
        decision: What the budgets said. A reservation that is refused holds nothing, and ending it does nothing.
    """

    def __init__(
        self, desk: "Desk", decision: BudgetDecision, reservation_id: str, amount: int, accounts: tuple[Account, ...]
    ) -> None:
        self.decision = decision
        self._desk = desk
        self._id = reservation_id
        self._amount = amount
        self._accounts = accounts
        self._is_open = decision.allowed

    @property
    def allowed(self) -> bool:
        """Whether it was granted."""
        return self.decision.allowed

    def release(self) -> None:
        """End it because nothing will be spent: the call was not answered. What its spans tell counts all the same."""
        if self._close():
            self._desk.settle(self._id, self._accounts, 0)

    def _close(self) -> bool:
        was_open, self._is_open = self._is_open, False
        return was_open

    @abstractmethod
    def _end(self) -> None:
        """What the end of a block means."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self._end)


class Reservation(Reserved):
    """Money set aside for something that no span tells of: a number that is rented, a batch job elsewhere.

    Whoever reserved it says what it came to. One that ends without a word counts in full: unknown is not free.
    """

    def settle(self, actual: Amount) -> None:
        """End it, and count what it came to in fact; the first time only.

        Args:
            actual: USD. What is no amount counts as all that was reserved, and the mistake is logged.
        """
        if self._close():
            self._desk.settle(self._id, self._accounts, amount_of(actual, self._amount))

    async def asettle(self, actual: Amount) -> None:
        """`settle()` for coroutines: the event loop goes on meanwhile."""
        await asyncio.to_thread(self.settle, actual)

    def _end(self) -> None:
        if self._close():
            self._desk.settle(self._id, self._accounts, self._amount)


class CallReservation(Reserved):
    """Money set aside for a call. What the call's spans cost is taken from it, so that it counts once.

    Attributes:
        call_id: The call.
    """

    def __init__(
        self,
        desk: "Desk",
        decision: BudgetDecision,
        call_id: str,
        amount: int,
        accounts: tuple[Account, ...],
        action: Callable[[], Action],
    ) -> None:
        super().__init__(desk, decision, call_id, amount, accounts)
        self.call_id = call_id
        self._action = action

    @property
    def action(self) -> Action:
        """What to do now that the call is under way: `Budgets.action` of it, from memory."""
        return self._action() if self.allowed else Action.STOP

    def settle(self) -> None:
        """End it: the call is over. It holds what is left for some seconds more, until its last spans have come."""
        self._end()

    async def asettle(self) -> None:
        """`settle()` for coroutines: the event loop goes on meanwhile."""
        await asyncio.to_thread(self._end)

    def _end(self) -> None:
        if self._close():
            self._desk.lapse(self._id, self._accounts)
