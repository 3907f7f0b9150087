"""Budgets of an application: asked before money is spent, told what was spent, the same in every process."""

import asyncio
import atexit
import logging
import os
import time
import uuid
import weakref
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, Self, overload

from reamon.budgets.actions import Action
from reamon.budgets.budget import Budget
from reamon.budgets.clock import SteadyClock
from reamon.budgets.decisions import BudgetDecision, BudgetEvent
from reamon.budgets.desk import Desk
from reamon.budgets.events import crossing, reach_change
from reamon.budgets.gauge import Gauge, gauges_of
from reamon.budgets.given import duration, duration_of, name_of
from reamon.budgets.keeper import Keeper
from reamon.budgets.knowledge import Knowledge
from reamon.budgets.ledger import Account, Balance, BudgetLedger
from reamon.budgets.ledgers import open_ledger
from reamon.budgets.money import MOST, Amount, amount_of, plain
from reamon.budgets.notices import Notices
from reamon.budgets.quiet import quiet_context
from reamon.budgets.reach import Reach
from reamon.budgets.recounting import recount
from reamon.budgets.reservation import CallReservation, Reservation
from reamon.errors import ConfigurationError
from reamon.guard import guard, log
from reamon.protocols import Channel
from reamon.tracing import suppress

if TYPE_CHECKING:
    from reamon.settings import MonitoringSettings

OnUnreachable = Literal["open", "closed"]


class Budgets:
    """Limits on what is spent, shared by all processes that have the same state.

    Its methods never raise into the application: what goes wrong is contained, and the answer is what is known.

    Args:
        budgets: What is limited.
        state: Where it is known what was spent: "memory" (this process alone), "store" (the SQLite file of the
            settings), the path of an SQLite store, `postgresql://...`, `redis://...`, or a ledger of
            `reamon.budgets.ledgers` where one needs arguments of its own, like another prefix in Redis.
        on_unreachable: What to say while the state cannot be reached: "open" answers from what this process knows,
            "closed" stops.
        channels: Where events are sent, beside the log and callbacks.
        project: The project of what names none.
        timeout: Seconds that a question may wait for the state.
        interval: Seconds between two writes of what was spent.
        refresh: Seconds after which what others have spent is asked for again, for `action`.
        reservation_ttl: Seconds after which a reservation that nobody ended does not count any more.
        settle_grace: Seconds for which the reservation of a call that is over waits for its last spans.
        wall_ns: The wall clock, in nanoseconds since 1970; injected by tests.

    Raises:
        ConfigurationError: Two budgets have one name, or the state or a number of seconds cannot be used.
        MissingExtraError: The state needs a library that is not installed.

    Example:
        >>> budgets = Budgets([Budget("day", 50), Budget("calls", "0.10", "call", degrade_at="0.85")])
        >>> budgets.check(call_id="call-1", estimate="0.08").action
        <Action.OK: 'ok'>
        >>> with budgets.reserve("0.08", call_id="call-1") as call:
        ...     call.allowed, budgets.check(call_id="call-1", estimate="0.08").reason
        (True, "budget 'calls' of 'call-1': 0.00 spent and 0.08 reserved of 0.10 USD, 0.08 more do not fit")
        >>> budgets.close()
        True
    """

    def __init__(
        self,
        budgets: Iterable[Budget],
        state: "str | os.PathLike[str] | BudgetLedger" = "memory",
        *,
        on_unreachable: OnUnreachable = "open",
        channels: Sequence[Channel] = (),
        project: str | None = None,
        timeout: float = 2.0,
        interval: float = 0.2,
        refresh: float = 1.0,
        reservation_ttl: float = 900.0,
        settle_grace: float = 10.0,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.budgets = tuple(budgets)
        self._gauges = gauges_of(self.budgets)
        self._every_gauge = tuple(self._gauges.values())
        if on_unreachable not in ("open", "closed"):
            raise ConfigurationError(f"Budgets(on_unreachable={on_unreachable!r}): it is 'open' or 'closed'")
        self._project = project
        self._ttl = duration("reservation_ttl", reservation_ttl)
        for what, seconds in (("timeout", timeout), ("interval", interval), ("refresh", refresh)):
            duration(what, seconds)
        self._clock = SteadyClock(wall_ns)
        self._ledger = open_ledger(state, timeout)
        self._notices = Notices(channels, quiet_context)
        self._reach = Reach(self._reach_changed)
        self._knowledge = Knowledge(uuid.uuid4().hex)
        self._is_hooked = False
        self._keeper = Keeper(
            self._ledger,
            self._knowledge,
            self._reach,
            self._gauges,
            self._clock.now,
            self._passed,
            interval=interval,
            refresh=refresh,
            context=quiet_context,
        )
        self._desk = Desk(
            self._ledger,
            self._knowledge,
            self._reach,
            self._keeper,
            self._clock,
            is_closed_without_state=on_unreachable == "closed",
            settle_grace=duration("settle_grace", settle_grace) if settle_grace else 0,
        )
        _living.add(self)

    @classmethod
    def from_settings(cls, settings: "MonitoringSettings | None" = None, *, channels: Sequence[Channel] = ()) -> Self:
        """The budgets that settings describe (`REAMON_BUDGETS__DAY=50`, ...); none of them set is no budgets.

        Raises:
            ConfigurationError: One of them cannot be used.
        """
        from reamon.budgets.described import arguments_of  # noqa: PLC0415 - brings pydantic

        return cls(**arguments_of(settings), channels=channels)

    # -- before and while money is spent ------------------------------------------------------------------------------

    def check(
        self, *, call_id: str | None = None, project: str | None = None, estimate: Amount | None = None
    ) -> BudgetDecision:
        """Ask whether something may begin: before a dial, before a batch.

        It asks the state, which takes from some microseconds (memory) to a fraction of a millisecond (Redis,
        PostgreSQL), and holds nothing: of ten that ask at once all ten may be told "ok". `reserve` is for that.

        Args:
            call_id: The call that it is part of; without one, limits per call look at the estimate alone.
            project: Its project.
            estimate: What it will cost in USD, as far as one can say.

        Returns:
            What to do; about the budget with the gravest answer.
        """
        try:
            wanted = amount_of(estimate, 0)
            now = self._clock.now()
            self._hook_into_process()
            return self._desk.check(self._places(call_id, project, now), wanted, now)
        except Exception as error:
            guard.contain("Budgets.check", error)
            return self._desk.cannot_tell()

    async def acheck(
        self, *, call_id: str | None = None, project: str | None = None, estimate: Amount | None = None
    ) -> BudgetDecision:
        """`check()` for coroutines: the event loop goes on meanwhile."""
        return await asyncio.to_thread(self.check, call_id=call_id, project=project, estimate=estimate)

    def action(self, call_id: str | None = None, project: str | None = None) -> Action:
        """What to do in the middle of a call: at every turn, since it asks nobody.

        It goes by what was spent, not by what is reserved, as this process knows it: its own spending at once, that of
        others as of a second ago.
        """
        try:
            now = self._clock.now()
            self._keeper.nudge_if_asleep()
            found = Action.OK
            for gauge, account in self._places(call_id, project, now):
                found = Action.worst(found, gauge.action(self._knowledge.spent(account)))
            return found
        except Exception as error:
            guard.contain("Budgets.action", error)
            return Action.OK

    @overload
    def reserve(
        self, amount: Amount, *, call_id: str, project: str | None = None, expires_in: float | None = None
    ) -> CallReservation: ...
    @overload
    def reserve(
        self, amount: Amount, *, call_id: None = None, project: str | None = None, expires_in: float | None = None
    ) -> Reservation: ...
    def reserve(
        self,
        amount: Amount,
        *,
        call_id: str | None = None,
        project: str | None = None,
        expires_in: float | None = None,
    ) -> CallReservation | Reservation:
        """Set money aside in every budget that applies, or in none: what is set aside, no other process can spend.

        Args:
            amount: What it may cost in USD, at most.
            call_id: The call that it is for. Its spans draw the reservation down; a second one for the same call takes
                the place of the first. None: for something that no span tells of.
            project: Its project.
            expires_in: Seconds after which it does not count any more, should the process die; else `reservation_ttl`.

        Returns:
            The reservation, granted or not (`allowed`); a context manager. Only budgets that stop ever refuse.
        """
        try:
            wanted = amount_of(amount, 0)
            now = self._clock.now()
            places = self._places(call_id, project, now)
            expires_at = now + duration_of("expires_in", expires_in, self._ttl)
            reservation_id = name_of(call_id) or uuid.uuid4().hex
            self._hook_into_process()
            decision, accounts = self._desk.reserve(reservation_id, wanted, places, expires_at, now)
        except Exception as error:
            guard.contain("Budgets.reserve", error)
            wanted, reservation_id, decision, accounts = 0, call_id or "", self._desk.cannot_tell(), ()
        if call_id is None:
            return Reservation(self._desk, decision, reservation_id, wanted, accounts)
        return CallReservation(
            self._desk, decision, reservation_id, wanted, accounts, lambda: self.action(call_id, project)
        )

    @overload
    async def areserve(
        self, amount: Amount, *, call_id: str, project: str | None = None, expires_in: float | None = None
    ) -> CallReservation: ...
    @overload
    async def areserve(
        self, amount: Amount, *, call_id: None = None, project: str | None = None, expires_in: float | None = None
    ) -> Reservation: ...
    async def areserve(self, amount: Amount, **about: Any) -> CallReservation | Reservation:
        """`reserve()` for coroutines: the event loop goes on meanwhile. Use it with `async with`."""
        reserve: Callable[..., CallReservation | Reservation] = self.reserve
        return await asyncio.to_thread(reserve, amount, **about)

    def on_crossing(self, callback: Callable[[BudgetEvent], object]) -> Callable[[], None]:
        """Call `callback` with every event, on a thread of ours; of all processes, only the one that noticed it does.

        Returns:
            What ends that.
        """
        return self._notices.listen(callback)

    # -- what was spent -----------------------------------------------------------------------------------------------

    def spend(self, amount: int, unknown: int, call_id: str | None, project: str | None, at: int) -> None:
        """Count what a span has cost; `BudgetCollector` calls it.

        Args:
            amount: Trillionths of a dollar.
            unknown: How many costs came without an amount.
            call_id: The span's call.
            project: Its project.
            at: When it ended, in nanoseconds since 1970.
        """
        call_id = name_of(call_id)
        if abs(amount) > MOST:  # which no ledger could count
            guard.contain("Budgets.spend", ValueError(f"a cost of {plain(amount):.3g} USD is not believed: unknown"))
            amount, unknown = 0, unknown + 1
        for gauge, account in self._places(call_id, project, self._clock.moment(at)):
            if not gauge.is_of_calls or call_id:
                self._knowledge.add(account, call_id, amount, unknown)
        self._hook_into_process()
        self._keeper.nudge()

    def standing(self, *, call_id: str | None = None, project: str | None = None) -> dict[Budget, BudgetDecision]:
        """How each budget stands in its current period: for people, who can be told that it is not known.

        Args:
            call_id: Budgets per call are about this one; without it they are left out.
            project: Budgets of each project are about this one.

        Raises:
            LedgerUnreachableError: The state cannot be reached.
        """
        now = self._clock.now()
        places = [place for place in self._places(call_id, project, now) if call_id or not place[0].is_of_calls]
        balances = self._ledger.read([account for _, account in places], now)
        return {
            gauge.budget: gauge.decide(account, balance, 0, is_local=False)
            for (gauge, account), balance in zip(places, balances, strict=True)
        }

    def rebuild(self, store: "str | os.PathLike[str]") -> dict[str, Decimal]:
        """Count the current periods anew from the cost details in a store: after a crash, a repricing.

        What was settled by a statement is kept, since no cost detail tells of it. What other processes have spent but
        not written yet would count twice, so they should be idle or at an end.

        Args:
            store: The path of the SQLite file, or the address of the PostgreSQL database.

        Returns:
            What was spent in USD by budget, all scopes together; calls are those of the last two days.

        Raises:
            StoreError: The store cannot be read.
            LedgerUnreachableError: The state cannot be reached.
        """
        now = self._clock.now()
        sums = recount(store, self._every_gauge, now)
        found: dict[str, Decimal] = {}
        for account, (amount, unknown) in sorted(sums.items()):
            self._ledger.rebuild(account, amount, unknown, now)
            found[account.budget] = found.get(account.budget, Decimal(0)) + plain(amount)
        accounts = list(sums)
        self._knowledge.see(dict(zip(accounts, self._ledger.read(accounts, now), strict=True)))
        return found

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait until what was spent is written and what there is to tell is told. Returns whether it is."""
        deadline = time.monotonic() + timeout
        while True:
            is_written = self._keeper.flush(deadline) and not self._keeper.has_work
            left = deadline - time.monotonic()
            if is_written:
                return self._notices.flush(max(left, 0.0))
            if left <= 0:
                return False
            time.sleep(min(0.05, left))

    def close(self, timeout: float = 5.0) -> bool:
        """Write what was spent, and end. Returns whether all is written; what is not, `rebuild` finds in the store."""
        deadline = time.monotonic() + timeout
        with suppress():
            is_written = self._keeper.stop(deadline)
        self._notices.flush(max(deadline - time.monotonic(), 0.0))
        self._notices.stop()
        atexit.unregister(self._close_at_exit)
        if not is_written:
            log("reamon.budgets", logging.WARNING, "spending_not_written", then="rebuild from the store")
        else:
            self._ledger.close()
        return is_written

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside -------------------------------------------------------------------------------------------------------

    def _places(self, call_id: str | None, project: str | None, at: int) -> list[tuple[Gauge, Account]]:
        call_id, project = name_of(call_id), name_of(project or self._project)
        places = []
        for gauge in self._every_gauge:
            account = gauge.account(call_id, project, at)
            if account is not None:
                places.append((gauge, account))
        return places

    def _passed(self, gauge: Gauge, account: Account, balance: Balance, mark: str, usual: int | None) -> None:
        self._notices.tell(crossing(gauge, account, balance, mark, usual, self._clock.now()))

    def _reach_changed(self, error: Exception | None) -> None:
        self._notices.tell(reach_change(error, self._clock.now(), self._desk.cannot_tell().action))

    def _hook_into_process(self) -> None:
        if not self._is_hooked:
            self._is_hooked = True
            atexit.register(self._close_at_exit)

    def _close_at_exit(self) -> None:
        self.close(timeout=2.0)

    def _after_fork(self) -> None:
        self._clock.after_fork()
        self._reach.after_fork()
        self._ledger.after_fork()
        self._notices.after_fork()
        self._knowledge.begin_anew(uuid.uuid4().hex)
        self._keeper.after_fork()


_living: "weakref.WeakSet[Budgets]" = weakref.WeakSet()


def _after_fork_in_child() -> None:
    for budgets in list(_living):
        budgets._after_fork()


os.register_at_fork(after_in_child=_after_fork_in_child)
