"""The budgets of this process: those that `reamon.configure()` has made, and the questions that go to them."""

from collections.abc import Callable
from typing import Any, overload

from reamon.budgets.actions import Action
from reamon.budgets.budgets import Budgets
from reamon.budgets.decisions import BudgetDecision, BudgetEvent
from reamon.budgets.money import Amount
from reamon.budgets.reservation import CallReservation, Reservation

Callback = Callable[[BudgetEvent], object]


class _Listener:
    """A callback that goes along when other budgets become the current ones."""

    def __init__(self, callback: Callback) -> None:
        self._callback = callback
        self._ends: list[Callable[[], None]] = []

    def listen_to(self, budgets: Budgets) -> None:
        # those before may still have something to tell at their end
        self._ends = [*self._ends[-1:], budgets.on_crossing(self._callback)]

    def stop(self) -> None:
        if self in _listeners:
            _listeners.remove(self)
        for end in self._ends:
            end()


_none = Budgets(())
_current = _none
_listeners: list[_Listener] = []


def current() -> Budgets:
    """The budgets that the application was configured with; never None: without any, nothing is limited.

    Example:
        >>> current().check(estimate="1000").reason
        'no budget applies'
    """
    return _current


def install(budgets: Budgets | None) -> None:
    """Make these the current ones; None: there are none any more. `reamon.configure()` and its end call it."""
    global _current  # noqa: PLW0603 - one process, one set of budgets
    _current = _none if budgets is None else budgets
    if budgets is not None:
        for listener in _listeners:
            listener.listen_to(budgets)


def check(*, call_id: str | None = None, project: str | None = None, estimate: Amount | None = None) -> BudgetDecision:
    """`Budgets.check` of the current ones."""
    return _current.check(call_id=call_id, project=project, estimate=estimate)


async def acheck(
    *, call_id: str | None = None, project: str | None = None, estimate: Amount | None = None
) -> BudgetDecision:
    """`Budgets.acheck` of the current ones."""
    return await _current.acheck(call_id=call_id, project=project, estimate=estimate)


def action(call_id: str | None = None, project: str | None = None) -> Action:
    """`Budgets.action` of the current ones."""
    return _current.action(call_id, project)


@overload
def reserve(
    amount: Amount, *, call_id: str, project: str | None = None, expires_in: float | None = None
) -> CallReservation: ...
@overload
def reserve(
    amount: Amount, *, call_id: None = None, project: str | None = None, expires_in: float | None = None
) -> Reservation: ...
def reserve(amount: Amount, **about: Any) -> CallReservation | Reservation:
    """`Budgets.reserve` of the current ones."""
    made: CallReservation | Reservation = _current.reserve(amount, **about)
    return made


@overload
async def areserve(
    amount: Amount, *, call_id: str, project: str | None = None, expires_in: float | None = None
) -> CallReservation: ...
@overload
async def areserve(
    amount: Amount, *, call_id: None = None, project: str | None = None, expires_in: float | None = None
) -> Reservation: ...
async def areserve(amount: Amount, **about: Any) -> CallReservation | Reservation:
    """`Budgets.areserve` of the current ones."""
    made: CallReservation | Reservation = await _current.areserve(amount, **about)
    return made


def on_crossing(callback: Callback) -> Callable[[], None]:
    """`Budgets.on_crossing` of the current ones, and of those that `reamon.configure()` makes later.

    Returns:
        What ends that.
    """
    listener = _Listener(callback)
    _listeners.append(listener)
    listener.listen_to(_current)
    return listener.stop
