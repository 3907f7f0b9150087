"""What this process knows of the accounts: what the ledger said last, and what the ledger does not know yet."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from reamon.budgets.ledger import Account, Balance, Batch, Charge
from reamon.guard import log

_MOST_CHARGES: Final = 100_000
_MOST_ACCOUNTS: Final = 20_000
_MANY_HOLDS: Final = 1_000
_IN_ONE_BATCH: Final = 2_000


class LocalHold(msgspec.Struct):
    """A reservation that was granted while the ledger could not be reached.

    Attributes:
        left: What it still holds in each account, once all that the ledger has taken is off.
        expires_at: Until when it counts.
    """

    left: dict[Account, int]
    expires_at: int


class Knowledge:
    """Adds up charges until the ledger has taken them, and remembers what the ledger said.

    It takes as much memory as there are calls and periods, however many spans there are and however long the ledger
    is away. Beyond a hundred thousand charges that wait, calls are not told apart any more: the money counts in every
    other budget.

    Args:
        writer: Who this process is to the ledger; another id in every process.

    Attributes:
        generation: Of which ledger it knows (`BudgetLedger.generation`).
        holds: What was reserved while the ledger was away, by the reservation's id.
    """

    def __init__(self, writer: str) -> None:
        self.begin_anew(writer)

    def begin_anew(self, writer: str) -> None:
        """Forget all, in a forked child: what waits is the parent's to send."""
        self.writer = writer
        self.generation = ""
        self.holds: dict[str, LocalHold] = {}
        self._lock = threading.Lock()
        self._sequence = 0
        self._waiting: dict[tuple[Account, str | None], list[int]] = {}
        self._unsent: dict[Account, list[int]] = {}
        self._sent: Batch | None = None
        self._in_flight: dict[Account, list[int]] = {}
        self._in_flight_of_calls: dict[tuple[Account, str | None], int] = {}
        self._seen: OrderedDict[Account, Balance] = OrderedDict()
        self._changed: set[Account] = set()
        self._wondered: set[Account] = set()
        self._has_told = False

    @property
    def has_unwritten(self) -> bool:
        """Whether there is anything that the ledger does not know."""
        return bool(self._waiting) or self._sent is not None

    def add(self, account: Account, call_id: str | None, amount: int, unknown: int) -> None:
        """Count what a span has cost."""
        with self._lock:
            key = (account, call_id)
            is_too_many = len(self._waiting) >= _MOST_CHARGES and key not in self._waiting
            if is_too_many:
                key = (account, None)
            if not is_too_many or account.scope != call_id:
                _count(self._waiting.setdefault(key, [0, 0]), amount, unknown)
                _count(self._unsent.setdefault(account, [0, 0]), amount, unknown)
        if is_too_many:  # said without the lock: a handler of the log may ask for a budget itself
            self._tell()

    def hold(self, reservation_id: str, hold: LocalHold, now: int) -> None:
        """Remember what was reserved while the ledger was away; of many, those that have expired are left out."""
        with self._lock:
            if len(self.holds) >= _MANY_HOLDS:
                for name in [name for name, other in self.holds.items() if other.expires_at <= now]:
                    del self.holds[name]
            self.holds[reservation_id] = hold

    def let_go(self, reservation_id: str, hold: LocalHold | None = None) -> None:
        """Forget a reservation, because it ended or because the ledger has it; `hold`: only if it is still this one."""
        with self._lock:
            if hold is None or self.holds.get(reservation_id) is hold:
                self.holds.pop(reservation_id, None)

    def next_batch(self) -> Batch | None:
        """What to send now: the last batch again until it is acknowledged, since it may or may not have arrived."""
        with self._lock:
            if self._sent is None and self._waiting:
                keys = list(self._waiting)[:_IN_ONE_BATCH]
                charges = tuple(Charge(*key, *self._waiting.pop(key)) for key in keys)
                self._sequence += 1
                self._sent = Batch(self.writer, self._sequence, charges)
                self._in_flight_of_calls = {charge[:2]: charge.amount for charge in charges}
                for charge in charges:
                    _count(self._in_flight.setdefault(charge.account, [0, 0]), charge.amount, charge.unknown)
                    unsent = self._unsent[charge.account]
                    _count(unsent, -charge.amount, -charge.unknown)
                if not self._waiting:
                    self._unsent = {}
            return self._sent

    def acknowledge(self, batch: Batch, balances: Mapping[Account, Balance]) -> None:
        """The ledger has counted a batch, and these are the balances since."""
        with self._lock:
            if self._sent is batch:
                self._sent = None
                self._in_flight, self._in_flight_of_calls = {}, {}
                for charge in batch.charges:
                    hold = self.holds.get(charge.call_id or "")
                    if hold is not None and charge.account in hold.left:
                        hold.left[charge.account] = max(hold.left[charge.account] - charge.amount, 0)
            self._see(balances)

    def see(self, balances: Mapping[Account, Balance]) -> None:
        """The ledger said this, while no batch was under way."""
        with self._lock:
            self._see(balances)

    def meet(self, balances: Mapping[Account, Balance], generation: str) -> None:
        """The ledger said this, perhaps while a batch was under way: remembered of accounts not heard of before.

        Unless it has lost what it held, which the keeper has to see to first.
        """
        with self._lock:
            if self.generation and generation != self.generation:
                return
            self.generation = generation
            self._see(
                {
                    account: balance
                    for account, balance in balances.items()
                    if account not in self._seen and account not in self._in_flight
                }
            )

    def seen(self) -> dict[Account, Balance]:
        """What the ledger said last, by account."""
        with self._lock:
            return dict(self._seen)

    def changed(self) -> dict[Account, Balance]:
        """What the ledger said last of accounts in which something has changed since `noticed`."""
        with self._lock:
            return {account: self._seen[account] for account in self._changed if account in self._seen}

    def noticed(self, balances: Mapping[Account, Balance]) -> None:
        """These changes have been looked at."""
        with self._lock:
            for account, balance in balances.items():
                if self._seen.get(account) == balance:
                    self._changed.discard(account)
            self._changed.intersection_update(self._seen)

    def spent(self, account: Account) -> int:
        """What was spent as far as this process knows; of what it knows nothing it asks the ledger, before long."""
        with self._lock:
            if account not in self._seen and len(self._wondered) < _MOST_ACCOUNTS:
                self._wondered.add(account)
            return self._known(account).spent

    def wondered(self) -> set[Account]:
        """The accounts that somebody wanted to know of since this was asked last, and that nothing was known of."""
        with self._lock:
            wondered, self._wondered = self._wondered, set()
            return wondered.difference(self._seen)

    def known(self, account: Account, now: int) -> Balance:
        """The balance as far as this process knows, with what it has reserved while the ledger was away."""
        with self._lock:
            balance = self._known(account)
            return balance._replace(reserved=balance.reserved + self._held(account, now))

    def completed(self, account: Account, fresh: Balance, now: int) -> Balance:
        """What the ledger says, and what it does not know yet.

        A batch that is under way is in what it says, or is not. So it counts beside what the ledger said before, and
        the greater one of the two sums is right; no money counts twice.
        """
        with self._lock:
            unsent = self._unsent.get(account, _NOTHING)
            known = self._known(account)
            return Balance(
                max(fresh.spent + unsent[0], known.spent if account in self._in_flight else fresh.spent + unsent[0]),
                fresh.reserved + self._held(account, now),
                fresh.stated,
                fresh.unknown + unsent[1],
            )

    def forget(self, accounts: Iterable[Account]) -> None:
        """Nobody asks for these any more."""
        with self._lock:
            for account in accounts:
                self._seen.pop(account, None)

    def _known(self, account: Account) -> Balance:
        balance = self._seen.get(account, _ZERO)
        unsent, under_way = self._unsent.get(account), self._in_flight.get(account)
        if unsent is not None:
            balance = balance._replace(spent=balance.spent + unsent[0], unknown=balance.unknown + unsent[1])
        if under_way is not None:
            balance = balance._replace(spent=balance.spent + under_way[0], unknown=balance.unknown + under_way[1])
        return balance

    def _held(self, account: Account, now: int) -> int:
        """What was reserved while the ledger was away, less what has been spent of it and is on its way."""
        total = 0
        for call_id, hold in self.holds.items():
            left = hold.left.get(account, 0)
            if left and hold.expires_at > now:
                key = (account, call_id)
                on_its_way = self._waiting.get(key, _NOTHING)[0] + self._in_flight_of_calls.get(key, 0)
                total += max(left - on_its_way, 0)
        return total

    def _see(self, balances: Mapping[Account, Balance]) -> None:
        for account, balance in balances.items():
            if self._seen.get(account) != balance:
                self._changed.add(account)
            self._seen[account] = balance
            self._seen.move_to_end(account)
        while len(self._seen) > _MOST_ACCOUNTS:
            self._seen.popitem(last=False)

    def _tell(self) -> None:
        if not self._has_told:
            self._has_told = True
            log("reamon.budgets", logging.WARNING, "charges_pile_up", waiting=len(self._waiting), then="not by call")


_NOTHING: Final[Sequence[int]] = (0, 0)
_ZERO: Final = Balance()


def _count(entry: list[int], amount: int, unknown: int) -> None:
    entry[0] += amount
    entry[1] += unknown
