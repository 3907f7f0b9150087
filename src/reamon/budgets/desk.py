"""The desk: answers the application, from the ledger or, while that is away, from what this process knows."""

from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from reamon.budgets.actions import Action
from reamon.budgets.clock import SteadyClock
from reamon.budgets.decisions import BudgetDecision
from reamon.budgets.gauge import Gauge
from reamon.budgets.keeper import Keeper
from reamon.budgets.knowledge import Knowledge, LocalHold
from reamon.budgets.ledger import Account, Balance, BudgetLedger, Claim, LedgerUnreachableError
from reamon.budgets.ledgers.books import has_no_room
from reamon.budgets.reach import Reach
from reamon.guard import guard
from reamon.tracing import suppress

T = TypeVar("T")

Place = tuple[Gauge, Account]
"""A budget that applies, and the account in it."""

_NONE_APPLIES: Final = BudgetDecision(action=Action.OK, reason="no budget applies")


class Desk:
    """Asks the ledger on the application's time; the arguments are the parts of `Budgets`.

    Args:
        ledger: The shared state.
        knowledge: What this process knows.
        reach: Whether the ledger answers.
        keeper: Who is told that there is something to write.
        clock: The time.
        is_closed_without_state: Whether nothing may begin while the ledger is away.
        settle_grace: Nanoseconds for which the reservation of a call that is over waits for its last spans.
    """

    def __init__(
        self,
        ledger: BudgetLedger,
        knowledge: Knowledge,
        reach: Reach,
        keeper: Keeper,
        clock: SteadyClock,
        *,
        is_closed_without_state: bool,
        settle_grace: int,
    ) -> None:
        self._ledger = ledger
        self._knowledge = knowledge
        self._reach = reach
        self._keeper = keeper
        self._clock = clock
        self._is_closed_without_state = is_closed_without_state
        self._grace = settle_grace

    def check(self, places: Sequence[Place], wanted: int, now: int) -> BudgetDecision:
        """What the budgets say to something that may cost `wanted`."""
        if not places:
            return _NONE_APPLIES
        accounts = [account for _, account in places]
        fresh = self._asked(lambda: self._ledger.read(accounts, now))
        if fresh is None:
            balances = [self._knowledge.known(account, now) for account in accounts]
            return self._decide(places, balances, wanted, is_local=True)
        balances = [self._knowledge.completed(*pair, now) for pair in zip(accounts, fresh, strict=True)]
        self._meet(places, fresh)
        return self._decide(places, balances, wanted, is_local=False)

    def reserve(
        self, reservation_id: str, wanted: int, places: Sequence[Place], expires_at: int, now: int
    ) -> tuple[BudgetDecision, tuple[Account, ...]]:
        """Set `wanted` aside in all of these, or in none. Returns what was said, and where it is held.

        What is reserved without a call is not a call's, so limits per call do not concern it.
        """
        shared = [(gauge, account) for gauge, account in places if not gauge.is_of_calls or account.scope]
        if wanted <= 0 or not shared:
            return self.check(shared, wanted, now), ()
        claims = [gauge.claim(account) for gauge, account in shared]
        accounts = tuple(claim.account for claim in claims)
        answer = self._asked(lambda: self._ledger.reserve(reservation_id, wanted, claims, expires_at, now))
        if answer is not None:
            self._meet(shared, answer.balances)
            decision = self._decide(shared, answer.balances, wanted, is_local=False)
            return decision, accounts if answer.refused_by is None else ()
        balances = [self._knowledge.known(account, now) for account in accounts]
        decision = self._decide(shared, balances, wanted, is_local=True)
        if not decision.allowed or _is_refused(claims, balances, wanted):
            return decision, ()
        self._knowledge.hold(reservation_id, LocalHold(dict.fromkeys(accounts, wanted), expires_at), now)
        return decision, accounts

    def settle(self, reservation_id: str, accounts: tuple[Account, ...], actual: int) -> None:
        """End a reservation with what it came to; later, where the ledger is away. Never raises."""
        try:
            self._knowledge.let_go(reservation_id)
            now = self._clock.now()
            if accounts and not self._is_done(lambda: self._ledger.settle(reservation_id, accounts, actual, now)):
                self._keeper.add_statement(reservation_id, accounts, actual)
        except Exception as error:
            guard.contain("Reservation.settle", error)

    def lapse(self, reservation_id: str, accounts: tuple[Account, ...]) -> None:
        """Let the reservation of a call end soon. Where the ledger is away, it ends by itself, later. Never raises."""
        try:
            at = self._clock.now() + self._grace
            hold = self._knowledge.holds.get(reservation_id)
            if hold is not None:
                hold.expires_at = min(hold.expires_at, at)
            if accounts:
                self._is_done(lambda: self._ledger.lapse(reservation_id, accounts, at))
        except Exception as error:
            guard.contain("CallReservation.settle", error)

    def cannot_tell(self) -> BudgetDecision:
        """What is said where nothing is known."""
        if not self._is_closed_without_state:
            return BudgetDecision(action=Action.OK, reason="the budgets cannot tell; see the log", is_local=True)
        why = self._reach.error or "see the log"
        reason = f"the budgets cannot tell, and on_unreachable is 'closed': {why}"
        return BudgetDecision(action=Action.STOP, reason=reason, is_local=True)

    def _decide(
        self, places: Sequence[Place], balances: Sequence[Balance], wanted: int, *, is_local: bool
    ) -> BudgetDecision:
        if is_local and self._is_closed_without_state:
            return self.cannot_tell()
        answers = [
            (gauge.answer(balance, wanted).severity, gauge.fullness(balance), balance.unknown, place)
            for place, ((gauge, _), balance) in enumerate(zip(places, balances, strict=True))
        ]
        gravest = max(answers)[-1]
        gauge, account = places[gravest]
        return gauge.decide(account, balances[gravest], wanted, is_local=is_local)

    def _meet(self, places: Sequence[Place], balances: Sequence[Balance]) -> None:
        """Remember what the ledger said, for the middle of calls, and keep it up to date from now on."""
        known = {
            account: balance
            for (gauge, account), balance in zip(places, balances, strict=True)
            if account.scope or not gauge.is_of_calls
        }
        self._knowledge.meet(known, self._ledger.generation())
        self._keeper.nudge_if_asleep()

    def _is_done(self, action: Callable[[], None]) -> bool:
        def done() -> bool:
            action()
            return True

        return self._asked(done) is not None

    def _asked(self, question: Callable[[], T]) -> T | None:
        """The ledger's answer; None where it does not answer, or did not a moment ago."""
        if not self._reach.may_ask:
            return None
        try:
            with suppress():
                answer = question()
        except LedgerUnreachableError as error:
            self._reach.failed(error)
            self._keeper.nudge()
            return None
        self._reach.answered()
        return answer


def _is_refused(claims: Sequence[Claim], balances: Sequence[Balance], wanted: int) -> bool:
    return any(has_no_room(claim, balance, wanted) for claim, balance in zip(claims, balances, strict=True))
