"""The ledger: the contract of whatever keeps, for all processes, what was spent and what is reserved."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from reamon.errors import ReamonError


class LedgerUnreachableError(ReamonError):
    """The state of the budgets cannot be read or written now: the server is down, the file is locked, ..."""


class Account(NamedTuple):
    """What one sum is about. Ledgers lock accounts in their natural order, so that no two wait for each other.

    Attributes:
        budget: The budget's name.
        scope: The call, the project, or "" for all.
        start: When the period began, in nanoseconds since 1970; 0 where it has no end.
    """

    budget: str
    scope: str
    start: int


class Balance(NamedTuple):
    """What is known of an account. Amounts are trillionths of a dollar.

    Attributes:
        spent: What was spent.
        reserved: What reservations hold that have not expired.
        stated: The part of `spent` that no span told of.
        unknown: How many costs came without an amount.
    """

    spent: int = 0
    reserved: int = 0
    stated: int = 0
    unknown: int = 0


class Charge(NamedTuple):
    """What spans have cost. The reservation of their call holds as much less.

    Attributes:
        account: Where it counts.
        call_id: Whose reservation it is drawn from.
        amount: What it was, in trillionths of a dollar.
        unknown: How many costs came without an amount.
    """

    account: Account
    call_id: str | None
    amount: int
    unknown: int


class Batch(NamedTuple):
    """Charges that are counted together, and once.

    Attributes:
        writer: Who sends them.
        sequence: The how manyeth of that writer, from 1; one that was counted is not counted again.
        charges: The charges.
    """

    writer: str
    sequence: int
    charges: tuple[Charge, ...]


class Claim(NamedTuple):
    """What a reservation asks of one account.

    Attributes:
        account: Which.
        limit: What spent, reserved and the new amount together may come to; None: anything.
        stop: Refused if spent and reserved have come to this already; None: never.
    """

    account: Account
    limit: int | None
    stop: int | None


class Answer(NamedTuple):
    """What became of a reservation.

    Attributes:
        refused_by: The first account in which there was no room; None: it is granted, in all of them.
        balances: The accounts as they were, in the order of the claims, without this reservation.
    """

    refused_by: Account | None
    balances: tuple[Balance, ...]


class BudgetLedger(Protocol):
    """Keeps accounts; what our own ledgers have in common, and no extension point.

    So it does not stand in `reamon.protocols`: it may change with any release, and nothing but our tests knows whether
    a ledger keeps all of it. Applications name one by its address, or take one of `reamon.budgets.ledgers` with
    arguments of their own.

    Every method is atomic over all processes that share the ledger, and safe in every thread.

    Moments (`now`, `expires_at`, `at`) are nanoseconds since 1970, amounts trillionths of a dollar. A reservation
    counts until it expires or is settled. There are two sorts: that of a call has the call's id as its own and is drawn
    down by what the call's spans cost, that of anything else has an id of its own and is settled by a statement.

    Raises (all methods):
        LedgerUnreachableError: It could not be done, or whether it was done is not known: to do it again is right.
    """

    def read(self, accounts: Sequence[Account], now: int) -> list[Balance]:
        """The balances, in that order; nothing but zeros for an account that nobody has written to."""

    def charge(self, batch: Batch, now: int) -> None:
        """Count a batch of charges, unless it was counted before."""

    def reserve(self, reservation_id: str, amount: int, claims: Sequence[Claim], expires_at: int, now: int) -> Answer:
        """Reserve `amount` in all of these accounts or in none. One of the same id is replaced."""

    def settle(self, reservation_id: str, accounts: Sequence[Account], actual: int, now: int) -> None:
        """End a reservation, also one that has expired, and count `actual` as spent and stated; the second time not."""

    def lapse(self, reservation_id: str, accounts: Sequence[Account], at: int) -> None:
        """Let a reservation expire at `at`, if it does not do so earlier."""

    def cross(self, account: Account, mark: str, now: int) -> bool:
        """Note that the account has passed a mark. Returns whether it is the first time."""

    def history(self, account: Account, count: int) -> list[int]:
        """What was spent in the last `count` earlier periods of the same budget and scope in which anything was."""

    def restore(self, account: Account, balance: Balance, now: int) -> None:
        """Give back what was lost of an account: `spent`, `stated` and `unknown` are added to what came since.

        Of several processes that do so, each as far as it knows, the one that knows the most counts, once.
        """

    def rebuild(self, account: Account, spent: int, unknown: int, now: int) -> None:
        """Put what spans have cost in the place of what was counted; what was stated stays, and is added."""

    def forget(self, before: Mapping[str, int], now: int) -> int:
        """Delete what nobody needs any more: of each budget that is named, periods last written to before a moment.

        And of these budgets, whatever their periods, reservations that have long been over: questions take the longer
        the more of them there are.

        Returns:
            How many periods.
        """

    def risk(self) -> str | None:
        """What may lose the accounts although the ledger answers, and what to do about it; None: nothing known."""

    def generation(self) -> str:
        """Changes when the ledger has lost what it held, a server without a disk that was restarted; else the same."""

    def close(self) -> None:
        """Release what is held."""

    def after_fork(self) -> None:
        """In a forked child: leave the parent's connections alone."""
