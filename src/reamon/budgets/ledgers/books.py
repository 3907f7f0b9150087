"""The arithmetic of ledgers that keep periods and reservations as records: in memory, in SQLite, in PostgreSQL."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final, NamedTuple

import msgspec

from reamon.budgets.ledger import Account, Answer, Balance, Batch, Charge, Claim

_HOUR: Final = 3_600_000_000_000  # nanoseconds
_PATIENCE: Final = _HOUR
"""For which a reservation that has expired is kept: the clocks of machines differ."""

_REMEMBERED: Final = 48 * _HOUR
"""For which one that holds nothing is kept: settled, it must not be settled again by who did not hear that it was."""

_WRITERS_KEPT: Final = 30 * 24 * _HOUR

_RESTORED: Final = "restored "
"""The mark that says how much of an account was given back after a loss."""


class Page(msgspec.Struct):
    """The record of one account; amounts are trillionths of a dollar.

    Attributes:
        spent: What was spent.
        stated: The part of it that no span told of.
        unknown: How many costs came without an amount.
        crossed: The marks that it has passed.
    """

    spent: int = 0
    stated: int = 0
    unknown: int = 0
    crossed: list[str] = []


class Hold(NamedTuple):
    """The record of one reservation in one account.

    Attributes:
        amount: What it still holds; 0 once it is settled.
        start: The period that it counts in.
        expires_at: Until when it counts.
    """

    amount: int
    start: int
    expires_at: int


class Books(ABC):
    """Records as one transaction sees them: nobody else changes the accounts that it has opened."""

    @abstractmethod
    def open(self, accounts: Sequence[Account], now: int) -> dict[Account, Page]:
        """The records of accounts, in their natural order, made where there are none, and kept from others."""

    @abstractmethod
    def look(self, accounts: Sequence[Account]) -> dict[Account, Page]:
        """The records that there are, only to read."""

    @abstractmethod
    def write(self, account: Account, page: Page, now: int) -> None:
        """Put a record back."""

    @abstractmethod
    def held(self, account: Account, now: int, but: str | None) -> int:
        """What unexpired reservations hold in an account, without the one of that id."""

    @abstractmethod
    def hold(self, reservation_id: str, account: Account) -> Hold | None:
        """A reservation in this budget and scope, whatever its period."""

    @abstractmethod
    def write_hold(self, reservation_id: str, account: Account, amount: int, expires_at: int) -> None:
        """Put a reservation back, or a new one in; it counts in the account's period."""

    @abstractmethod
    def sequence(self, writer: str) -> int:
        """The last batch of a writer that was counted; 0 for none. Nobody else counts one of his meanwhile."""

    @abstractmethod
    def write_sequence(self, writer: str, sequence: int, now: int) -> None:
        """Note the last batch of a writer."""

    @abstractmethod
    def earlier(self, account: Account, count: int) -> list[int]:
        """What was spent in the last earlier periods with any spending."""

    @abstractmethod
    def forget(self, budget: str, before: int) -> int:
        """Delete periods last written to before a moment, and with them their reservations."""

    @abstractmethod
    def forget_holds(self, budget: str, expired: int, settled: int) -> None:
        """Delete reservations that expired before `expired`, those that hold nothing before `settled`."""

    @abstractmethod
    def forget_writers(self, before: int) -> None:
        """Delete the notes of writers last written before a moment."""


class BookLedger(ABC):
    """A ledger over books; what is left to say is what a transaction is."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Books]:
        """A transaction that is committed at its end, or undone where it raises."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Books]:
        """A transaction that only reads, and sees one moment."""

    def read(self, accounts: Sequence[Account], now: int) -> list[Balance]:
        """See `BudgetLedger.read`."""
        with self._reading() as books:
            pages = books.look(accounts)
            return [_balance(pages.get(account), books.held(account, now, None)) for account in accounts]

    def charge(self, batch: Batch, now: int) -> None:
        """See `BudgetLedger.charge`."""
        with self._writing() as books:
            if books.sequence(batch.writer) >= batch.sequence:
                return
            pages = books.open(_in_order(charge.account for charge in batch.charges), now)
            for charge in batch.charges:
                page = pages[charge.account]
                page.spent += charge.amount
                page.unknown += charge.unknown
                _draw(books, charge)
            for account, page in pages.items():
                books.write(account, page, now)
            books.write_sequence(batch.writer, batch.sequence, now)

    def reserve(self, reservation_id: str, amount: int, claims: Sequence[Claim], expires_at: int, now: int) -> Answer:
        """See `BudgetLedger.reserve`."""
        with self._writing() as books:
            pages = books.open(_in_order(claim.account for claim in claims), now)
            balances = tuple(
                _balance(pages[claim.account], books.held(claim.account, now, reservation_id)) for claim in claims
            )
            for claim, balance in zip(claims, balances, strict=True):
                if has_no_room(claim, balance, amount):
                    return Answer(claim.account, balances)
            for claim in claims:
                books.write_hold(reservation_id, claim.account, amount, expires_at)
            return Answer(None, balances)

    def settle(self, reservation_id: str, accounts: Sequence[Account], actual: int, now: int) -> None:
        """See `BudgetLedger.settle`."""
        with self._writing() as books:
            for account, page in books.open(_in_order(accounts), now).items():
                hold = books.hold(reservation_id, account)
                if hold is not None and hold.amount == 0:
                    continue
                books.write_hold(reservation_id, account, 0, now)
                if actual:
                    page.spent += actual
                    page.stated += actual
                    books.write(account, page, now)

    def lapse(self, reservation_id: str, accounts: Sequence[Account], at: int) -> None:
        """See `BudgetLedger.lapse`."""
        with self._writing() as books:
            books.open(_in_order(accounts), at)
            for account in accounts:
                hold = books.hold(reservation_id, account)
                if hold is not None and hold.expires_at > at:
                    books.write_hold(reservation_id, account._replace(start=hold.start), hold.amount, at)

    def cross(self, account: Account, mark: str, now: int) -> bool:
        """See `BudgetLedger.cross`."""
        with self._writing() as books:
            page = books.open([account], now)[account]
            if mark in page.crossed:
                return False
            page.crossed = [*page.crossed, mark]
            books.write(account, page, now)
            return True

    def history(self, account: Account, count: int) -> list[int]:
        """See `BudgetLedger.history`."""
        with self._reading() as books:
            return books.earlier(account, count)

    def restore(self, account: Account, balance: Balance, now: int) -> None:
        """See `BudgetLedger.restore`."""
        with self._writing() as books:
            page = books.open([account], now)[account]
            mark = next((one for one in page.crossed if one.startswith(_RESTORED)), _RESTORED + "0 0 0")
            spent, stated, unknown = map(int, mark.removeprefix(_RESTORED).split())
            page.spent += max(balance.spent - spent, 0)
            page.stated += max(balance.stated - stated, 0)
            page.unknown += max(balance.unknown - unknown, 0)
            most = (max(balance.spent, spent), max(balance.stated, stated), max(balance.unknown, unknown))
            others = [one for one in page.crossed if one != mark]
            page.crossed = [*others, f"{_RESTORED}{most[0]} {most[1]} {most[2]}"]
            books.write(account, page, now)

    def rebuild(self, account: Account, spent: int, unknown: int, now: int) -> None:
        """See `BudgetLedger.rebuild`."""
        with self._writing() as books:
            page = books.open([account], now)[account]
            page.spent = spent + page.stated
            page.unknown = unknown
            books.write(account, page, now)

    def forget(self, before: Mapping[str, int], now: int) -> int:
        """See `BudgetLedger.forget`."""
        with self._writing() as books:
            books.forget_writers(now - _WRITERS_KEPT)
            for budget in sorted(before):
                books.forget_holds(budget, now - _PATIENCE, now - _REMEMBERED)
            return sum(books.forget(budget, moment) for budget, moment in sorted(before.items()))

    def risk(self) -> str | None:
        """Nothing but the loss of the disk, or the end of the process, takes records away."""
        return None

    def generation(self) -> str:
        """Records on disk are not lost; those in memory end with the process."""
        return ""


def has_no_room(claim: Claim, balance: Balance, amount: int) -> bool:
    """Whether an account refuses a reservation of `amount`."""
    used = balance.spent + balance.reserved
    return (claim.limit is not None and used + amount > claim.limit) or (claim.stop is not None and used >= claim.stop)


def _draw(books: Books, charge: Charge) -> None:
    """What a call has spent is not reserved any more; what is left of its reservation follows it into a new period."""
    if charge.call_id is None or charge.amount <= 0:
        return
    hold = books.hold(charge.call_id, charge.account)
    if hold is not None and hold.amount > 0:
        account = charge.account._replace(start=max(charge.account.start, hold.start))
        rest = max(hold.amount - charge.amount, 0)
        books.write_hold(charge.call_id, account, rest, hold.expires_at)


def _balance(page: Page | None, reserved: int) -> Balance:
    if page is None:
        return Balance(reserved=reserved)
    return Balance(page.spent, reserved, page.stated, page.unknown)


def _in_order(accounts: Iterable[Account]) -> list[Account]:
    return sorted(set(accounts))
