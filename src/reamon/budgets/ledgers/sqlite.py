"""The ledger in the store's SQLite file: for all processes of one machine."""

import logging
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from reamon.budgets.ledger import Account, LedgerUnreachableError
from reamon.budgets.ledgers.books import BookLedger, Books, Hold, Page
from reamon.budgets.ledgers.pool import Pool
from reamon.budgets.money import trillionths, usd
from reamon.errors import StoreError
from reamon.guard import log
from reamon.model.times import from_datetime, iso
from reamon.store.sqlite import connect

_ACCOUNT: Final = "budget = ? AND scope = ? AND period_start = ?"
_READ: Final = f"SELECT spent, stated, unknown, crossed FROM budget_periods WHERE {_ACCOUNT}"
_WRITE: Final = (
    "INSERT INTO budget_periods (budget, scope, period_start, spent, stated, unknown, crossed, updated_at)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET spent = excluded.spent, stated = excluded.stated,"
    " unknown = excluded.unknown, crossed = excluded.crossed, updated_at = excluded.updated_at"
)
_TOUCH: Final = (
    "INSERT INTO budget_periods (budget, scope, period_start, spent, stated, unknown, updated_at)"
    " VALUES (?, ?, ?, ?, ?, 0, ?) ON CONFLICT DO NOTHING"
)
_WRITE_HOLD: Final = (
    "INSERT INTO budget_reservations (reservation_id, budget, scope, period_start, amount, expires_at)"
    " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET period_start = excluded.period_start,"
    " amount = excluded.amount, expires_at = excluded.expires_at"
)
_WRITE_SEQUENCE: Final = (
    "INSERT INTO budget_writers (writer, sequence, updated_at) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET sequence = excluded.sequence, updated_at = excluded.updated_at"
)
_EARLIER: Final = (
    "SELECT spent FROM budget_periods WHERE budget = ? AND scope = ? AND period_start < ?"
    " AND spent GLOB '*[1-9]*' AND spent > '0' ORDER BY period_start DESC LIMIT ?"
)
_OLD: Final = "budget = ? AND updated_at < ?"
_FORGET_HOLDS: Final = (
    "DELETE FROM budget_reservations WHERE budget = ? AND (expires_at < ? OR EXISTS (SELECT 1 FROM budget_periods p"
    " WHERE p.budget = budget_reservations.budget AND p.scope = budget_reservations.scope"
    " AND p.period_start = budget_reservations.period_start AND p.updated_at < ?))"
)
_FORGET_EXPIRED: Final = (
    "DELETE FROM budget_reservations WHERE budget = ?"
    " AND (expires_at < ? OR (expires_at < ? AND amount GLOB '*[1-9]*'))"
)


class SqliteLedger(BookLedger):
    """Keeps accounts in the tables `budget_periods` and `budget_reservations` of the store.

    Args:
        path: The file; made, or brought up to date, where needed.
        timeout: Seconds to wait for another writer; then it is unreachable.
    """

    def __init__(self, path: Path, *, timeout: float = 2.0) -> None:
        self.path = Path(path).absolute()
        self._file: tuple[int, int] | None = None
        self._pool = Pool(lambda: connect(self.path, busy_timeout=timeout))

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def after_fork(self) -> None:
        """Nothing: the pool sees to it by itself."""

    @contextmanager
    def _writing(self) -> Iterator[Books]:
        with self._transaction("BEGIN IMMEDIATE") as books:
            yield books

    @contextmanager
    def _reading(self) -> Iterator[Books]:
        with self._transaction("BEGIN") as books:
            yield books

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[Books]:
        self._leave_a_file_that_is_gone()
        try:
            with self._pool.lend() as connection:
                connection.execute(begin)
                yield _Tables(connection)
                connection.execute("COMMIT")
        except (sqlite3.Error, OSError, StoreError) as error:
            raise LedgerUnreachableError(f"the budgets in {self.path} cannot be reached: {error}") from error

    def _leave_a_file_that_is_gone(self) -> None:
        """Where the file was deleted or replaced, what is open still writes to the old one, which nobody reads."""
        try:
            found = self.path.stat()
        except OSError:
            now = None
        else:
            now = (found.st_dev, found.st_ino)
        if now != self._file:
            if self._file is not None:
                log("reamon.budgets", logging.WARNING, "state_replaced", path=str(self.path), then="counts from there")
                self._pool.close()
            self._file = now


class _Tables(Books):
    """Books in the store's tables. Amounts are decimal text, moments ISO 8601, as everywhere in the store."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def open(self, accounts: Sequence[Account], now: int) -> dict[Account, Page]:
        found = self.look(accounts)
        return {account: found.get(account) or Page() for account in accounts}

    def look(self, accounts: Sequence[Account]) -> dict[Account, Page]:
        pages = {}
        for account in accounts:
            row = self._connection.execute(_READ, _key(account)).fetchone()
            if row is not None:
                spent, stated, unknown, crossed = row
                marks = msgspec.json.decode(crossed) if crossed else []
                pages[account] = Page(_amount(spent), _amount(stated), unknown, marks)
        return pages

    def write(self, account: Account, page: Page, now: int) -> None:
        crossed = msgspec.json.encode(page.crossed).decode() if page.crossed else None
        values = (*_key(account), _text(page.spent), _text(page.stated), page.unknown, crossed, iso(now))
        self._connection.execute(_WRITE, values)

    def held(self, account: Account, now: int, but: str | None) -> int:
        rows = self._connection.execute(
            f"SELECT amount FROM budget_reservations WHERE {_ACCOUNT} AND expires_at > ? AND reservation_id IS NOT ?",
            (*_key(account), iso(now), but),
        )
        return sum(_amount(text) for (text,) in rows)

    def hold(self, reservation_id: str, account: Account) -> Hold | None:
        row = self._connection.execute(
            "SELECT amount, period_start, expires_at FROM budget_reservations"
            " WHERE reservation_id = ? AND budget = ? AND scope = ?",
            (reservation_id, *account[:2]),
        ).fetchone()
        return None if row is None else Hold(_amount(row[0]), _moment(row[1]), _moment(row[2]))

    def write_hold(self, reservation_id: str, account: Account, amount: int, expires_at: int) -> None:
        self._connection.execute(_TOUCH, (*_key(account), _text(0), _text(0), iso(expires_at)))
        self._connection.execute(_WRITE_HOLD, (reservation_id, *_key(account), _text(amount), iso(expires_at)))

    def sequence(self, writer: str) -> int:
        row = self._connection.execute("SELECT sequence FROM budget_writers WHERE writer = ?", (writer,)).fetchone()
        return 0 if row is None else int(row[0])

    def write_sequence(self, writer: str, sequence: int, now: int) -> None:
        self._connection.execute(_WRITE_SEQUENCE, (writer, sequence, iso(now)))

    def earlier(self, account: Account, count: int) -> list[int]:
        rows = self._connection.execute(_EARLIER, (*_key(account), count))
        return [_amount(text) for (text,) in rows]

    def forget(self, budget: str, before: int) -> int:
        moment = iso(before)
        self._connection.execute(_FORGET_HOLDS, (budget, moment, moment))
        return self._connection.execute(f"DELETE FROM budget_periods WHERE {_OLD}", (budget, moment)).rowcount

    def forget_holds(self, budget: str, expired: int, settled: int) -> None:
        self._connection.execute(_FORGET_EXPIRED, (budget, iso(settled), iso(expired)))

    def forget_writers(self, before: int) -> None:
        self._connection.execute("DELETE FROM budget_writers WHERE updated_at < ?", (iso(before),))


def _key(account: Account) -> tuple[str, str, str]:
    return (account.budget, account.scope, iso(account.start))


def _text(amount: int) -> str:
    return format(usd(amount), "f")


def _amount(text: str) -> int:
    return trillionths(Decimal(text))


def _moment(text: str) -> int:
    return from_datetime(datetime.fromisoformat(text))
