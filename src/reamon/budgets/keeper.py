"""The keeper: a thread that writes what was spent, asks what others have spent, and notices what was crossed."""

import contextvars
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from reamon.budgets.gauge import SPIKE, Gauge
from reamon.budgets.knowledge import Knowledge
from reamon.budgets.ledger import Account, Balance, BudgetLedger, Claim, LedgerUnreachableError
from reamon.budgets.reach import Reach
from reamon.guard import guard
from reamon.tracing import suppress

_MOST_PASSED: Final = 50_000
_AWAKE: Final = 60  # how often others are asked about after the last question of the application
_RETRY: Final = 0.1  # seconds between attempts while it ends
_FORGET_EVERY: Final = 3_600.0  # seconds
_DAY: Final = 86_400_000_000_000  # nanoseconds
_KEPT_DAYS: Final = {"call": 2, "hour": 60, "day": 400, "week": 400, "month": 1_200}

Statement = tuple[str, tuple[Account, ...], int]
"""A reservation that was settled while the ledger was away: its id, its accounts, what it was in fact."""


class _Waiting:
    """Somebody who waits until all is done."""

    def __init__(self) -> None:
        self.is_over = threading.Event()
        self.was_reached = False


class Keeper:
    """Keeps ledger and process in step. It sleeps while nothing is spent and nobody asks.

    Args:
        ledger: The shared state.
        knowledge: What this process knows.
        reach: Whether the ledger answers.
        gauges: The budgets, by name.
        now: The time.
        passed: Told of each mark or spike (by its usual) that this process is the first of all to see passed.
        interval: Seconds between two writes, at most.
        refresh: Seconds after which what others have spent is asked for again.
        context: Makes the context of the thread.
    """

    def __init__(
        self,
        ledger: BudgetLedger,
        knowledge: Knowledge,
        reach: Reach,
        gauges: dict[str, Gauge],
        now: Callable[[], int],
        passed: Callable[[Gauge, Account, Balance, str, int | None], object],
        *,
        interval: float,
        refresh: float,
        context: Callable[[], contextvars.Context],
    ) -> None:
        self._ledger = ledger
        self._knowledge = knowledge
        self._reach = reach
        self._gauges = gauges
        self._now = now
        self._passed = passed
        self._interval = interval
        self._refresh = refresh
        self._context = context
        self._begin()

    def _begin(self) -> None:
        self._statements: deque[Statement] = deque()
        self._told: OrderedDict[tuple[Account, str], None] = OrderedDict()
        self._usual: dict[Account, int | None] = {}
        self._working = threading.Lock()
        self._starting = threading.Lock()
        self._wake = threading.Event()
        self._hurry = threading.Event()
        self._waiting: deque[_Waiting] = deque()
        self._stopping = False
        self._deadline = 0.0
        self._thread: threading.Thread | None = None
        self._refreshed_at = 0.0
        self._asked_at = 0.0
        self._is_asleep = False
        self._forgot_at: float | None = None

    def nudge(self) -> None:
        """There is something to do; the thread is started here if it is the first time."""
        if self._thread is None and not self._stopping:
            self._start()
        self._wake.set()

    def nudge_if_asleep(self) -> None:
        """Somebody asks: what others have spent should be known for as long as that goes on."""
        self._asked_at = time.monotonic()
        if self._thread is None or self._is_asleep:
            self.nudge()

    def add_statement(self, reservation_id: str, accounts: tuple[Account, ...], actual: int) -> None:
        """Settle a reservation as soon as the ledger answers."""
        self._statements.append((reservation_id, accounts, actual))
        self.nudge()

    @property
    def has_work(self) -> bool:
        """Whether there is anything that the ledger should know."""
        return bool(self._statements or self._knowledge.holds) or self._knowledge.has_unwritten

    def work(self, *, refresh: bool = False) -> bool:
        """Do all that there is to do, once. Returns whether the ledger could be reached.

        Args:
            refresh: Ask for what others have spent, whenever that was asked last.
        """
        with self._working:
            try:
                self._write_charges()
                self._write_holds()
                self._write_statements()
                if refresh or time.monotonic() - self._refreshed_at >= self._refresh:
                    self._ask()
                self._look()
                self._forget_what_is_old()
            except LedgerUnreachableError as error:
                self._reach.failed(error)
                return False
            self._reach.answered()
            return True

    def flush(self, deadline: float) -> bool:
        """Have all that there is to do done, and wait for it that long. Returns whether the ledger could be reached.

        The thread does it, since a ledger that hangs takes its time, and whoever waits here has none to give.
        """
        if self._thread is None:
            self._start()
        if self._thread is None or not self._thread.is_alive():
            with suppress():
                return self.work(refresh=True)
        waiting = _Waiting()
        self._waiting.append(waiting)
        self._hurry.set()
        self._wake.set()
        waiting.is_over.wait(max(deadline - time.monotonic(), 0.0))
        return waiting.was_reached

    def stop(self, deadline: float) -> bool:
        """Write what there is, in this time, and end. Returns whether all is written."""
        self._deadline = deadline
        self._stopping = True
        self._hurry.set()
        self._wake.set()
        thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(deadline - time.monotonic(), 0.0))
        elif self.has_work:
            self.work()
        return not self.has_work

    def after_fork(self) -> None:
        """In a child: what waits is the parent's to write. The next span starts the thread."""
        self._begin()

    # -- the thread ---------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        with self._starting:
            if self._thread is not None or self._stopping:
                return
            run = self._context().run
            thread = threading.Thread(target=run, args=(self._run,), name="reamon-budgets", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # the interpreter is going down
                guard.contain("budgets start", error)
                return
            self._thread = thread

    def _run(self) -> None:
        self._asked_at = time.monotonic()
        while True:
            self._is_asleep = time.monotonic() - self._asked_at > _AWAKE * self._refresh and not self.has_work
            self._wake.wait(_RETRY if self._stopping else None if self._is_asleep else self._refresh)
            self._is_asleep = False
            if self._wake.is_set():
                self._asked_at = time.monotonic()
                self._wake.clear()
                self._pause(self._interval)
            self._hurry.clear()
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            try:
                if self._reach.may_ask or self._stopping or waiting:
                    is_reached = self.work(refresh=bool(waiting))
                    for one in waiting:
                        one.was_reached = is_reached
            except BaseException as error:
                guard.contain("budgets", error)
            for one in waiting:
                one.is_over.set()
            if self._stopping and (not self.has_work or time.monotonic() >= self._deadline):
                return

    def _pause(self, seconds: float) -> None:
        """Let charges gather; a stop ends it, and somebody who waits."""
        if not self._stopping:
            self._hurry.wait(seconds)

    # -- what there is to do ------------------------------------------------------------------------------------------

    def _write_holds(self) -> None:
        """Tell the ledger what was reserved while it was away; it was granted, so nothing refuses it now."""
        for reservation_id, hold in list(self._knowledge.holds.items()):
            for account, left in hold.left.items():
                if left:
                    claim = Claim(account, None, None)
                    self._ledger.reserve(reservation_id, left, [claim], hold.expires_at, self._now())
            self._knowledge.let_go(reservation_id, hold)

    def _write_charges(self) -> None:
        while (batch := self._knowledge.next_batch()) is not None:
            self._ledger.charge(batch, self._now())
            self._restore_what_was_lost()
            accounts = sorted({charge.account for charge in batch.charges})
            balances = self._ledger.read(accounts, self._now())
            self._knowledge.acknowledge(batch, dict(zip(accounts, balances, strict=True)))

    def _write_statements(self) -> None:
        while self._statements:
            reservation_id, accounts, actual = self._statements[0]
            self._ledger.settle(reservation_id, accounts, actual, self._now())
            self._statements.popleft()

    def _ask(self) -> None:
        self._refreshed_at = time.monotonic()
        now = self._now()
        current = {gauge.calendar.period_of(now).start for gauge in self._gauges.values()}
        seen = self._knowledge.seen()
        self._knowledge.forget(account for account in seen if account.start not in current)
        accounts = [account for account in seen if account.start in current and not self._is_of_call(account)]
        accounts += sorted(self._knowledge.wondered())
        if accounts:
            balances = self._ledger.read(accounts, now)
            if not self._restore_what_was_lost():
                self._knowledge.see(dict(zip(accounts, balances, strict=True)))

    def _is_of_call(self, account: Account) -> bool:
        gauge = self._gauges.get(account.budget)
        return gauge is not None and gauge.is_of_calls

    def _restore_what_was_lost(self) -> bool:
        """Where the ledger began anew, give it back what it said before. Returns whether that was so."""
        generation, known = self._ledger.generation(), self._knowledge.generation
        if generation == known:
            return False
        if not known:
            self._knowledge.generation = generation
            return False
        for account, balance in self._knowledge.seen().items():
            self._ledger.restore(account, balance, self._now())
        self._knowledge.generation = generation
        return True

    def _look(self) -> None:
        """Tell what was passed, if this process is the first to see it."""
        changed = self._knowledge.changed()
        for account, balance in changed.items():
            gauge = self._gauges[account.budget]
            for mark in gauge.thresholds:
                if balance.spent < mark.amount:
                    break
                self._tell(gauge, account, balance, mark.name, None)
            if gauge.budget.spike is not None and balance.spent:
                usual = self._usual_of(gauge, account)
                least = gauge.spikes_at(usual)
                if least is not None and balance.spent >= least:
                    self._tell(gauge, account, balance, SPIKE, usual)
        self._knowledge.noticed(changed)

    def _tell(self, gauge: Gauge, account: Account, balance: Balance, mark: str, usual: int | None) -> None:
        if (account, mark) in self._told:
            return
        is_first = self._ledger.cross(account, mark, self._now())
        self._told[account, mark] = None
        while len(self._told) > _MOST_PASSED:
            self._told.popitem(last=False)
        if is_first:
            self._passed(gauge, account, balance, mark, usual)

    def _usual_of(self, gauge: Gauge, account: Account) -> int | None:
        if account not in self._usual:
            if len(self._usual) > 1_000:
                self._usual.clear()
            self._usual[account] = gauge.usual(self._ledger.history(account, gauge.budget.spike_history))
        return self._usual[account]

    def _forget_what_is_old(self) -> None:
        if self._forgot_at is not None and time.monotonic() - self._forgot_at < _FORGET_EVERY:
            return
        now = self._now()
        kept = {name: _KEPT_DAYS.get(gauge.budget.per) for name, gauge in self._gauges.items()}
        self._ledger.forget({name: 0 if days is None else now - days * _DAY for name, days in kept.items()}, now)
        self._forgot_at = time.monotonic()
