"""The ledger in a PostgreSQL store: for all processes of all machines that share it."""

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import psycopg
from psycopg.types.json import Json
from sqlalchemy.exc import SQLAlchemyError

from reamon.budgets.ledger import Account, Balance, LedgerUnreachableError
from reamon.budgets.ledgers.books import BookLedger, Books, Hold, Page
from reamon.budgets.ledgers.pool import Pool
from reamon.budgets.money import trillionths, usd
from reamon.errors import StoreError
from reamon.model.times import from_datetime, to_datetime
from reamon.store.postgres.connection import BoundedConnection, Timeouts, connect
from reamon.store.postgres.urls import parse_url

_ACCOUNT: Final = "budget = %s AND scope = %s AND period_start = %s"
_BALANCES: Final = """
SELECT coalesce(p.spent, 0), coalesce(p.stated, 0), coalesce(p.unknown, 0),
       (SELECT coalesce(sum(r.amount), 0) FROM budget_reservations r WHERE r.budget = asked.budget
        AND r.scope = asked.scope AND r.period_start = asked.period_start AND r.expires_at > %s)
FROM unnest(%s::varchar[], %s::varchar[], %s::timestamptz[]) WITH ORDINALITY
     AS asked (budget, scope, period_start, place)
LEFT JOIN budget_periods p USING (budget, scope, period_start) ORDER BY asked.place
"""
_MAKE: Final = (
    "INSERT INTO budget_periods (budget, scope, period_start, spent, stated, unknown, updated_at)"
    " VALUES (%s, %s, %s, 0, 0, 0, %s) ON CONFLICT DO NOTHING"
)
_LOCK: Final = f"SELECT spent, stated, unknown, crossed FROM budget_periods WHERE {_ACCOUNT} FOR UPDATE"
_WRITE: Final = (
    f"UPDATE budget_periods SET spent = %s, stated = %s, unknown = %s, crossed = %s, updated_at = %s WHERE {_ACCOUNT}"
)
_WRITE_HOLD: Final = (
    "INSERT INTO budget_reservations (reservation_id, budget, scope, period_start, amount, expires_at)"
    " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (reservation_id, budget, scope) DO UPDATE SET"
    " period_start = excluded.period_start, amount = excluded.amount, expires_at = excluded.expires_at"
)
_WRITE_SEQUENCE: Final = (
    "INSERT INTO budget_writers (writer, sequence, updated_at) VALUES (%s, %s, %s)"
    " ON CONFLICT (writer) DO UPDATE SET sequence = excluded.sequence, updated_at = excluded.updated_at"
)
_EARLIER: Final = (
    "SELECT spent FROM budget_periods WHERE budget = %s AND scope = %s AND period_start < %s AND spent > 0"
    " ORDER BY period_start DESC LIMIT %s"
)
_FORGET_HOLDS: Final = (
    "DELETE FROM budget_reservations r WHERE r.budget = %s AND (r.expires_at < %s OR EXISTS (SELECT 1"
    " FROM budget_periods p WHERE p.budget = r.budget AND p.scope = r.scope AND p.period_start = r.period_start"
    " AND p.updated_at < %s))"
)
_FORGET_EXPIRED: Final = (
    "DELETE FROM budget_reservations WHERE budget = %s AND (expires_at < %s OR (expires_at < %s AND amount <> 0))"
)


class PostgresLedger(BookLedger):
    """Keeps accounts in the tables `budget_periods` and `budget_reservations` of the store.

    Args:
        url: The address, as `PostgresExporter` takes it; `?schema=name` names the schema.
        timeout: Seconds to wait for a connection, and for an answer or a lock; then it is unreachable.
        schema: The schema of the tables; that of the address, else `reamon`, if not given.
        migrate: Whether tables that are missing are made; else `reamon migrate` has to.

    Raises:
        ConfigurationError: The address cannot be used.
        MissingExtraError: psycopg is not installed.
    """

    def __init__(self, url: str, *, timeout: float = 2.0, schema: str | None = None, migrate: bool = True) -> None:
        self._url = url
        self._schema = schema
        self._migrates = migrate
        self._address = parse_url(url, schema)
        self._timeout = timeout
        self._has_tables = False
        self._pool = Pool(self._connect, _is_usable)

    def read(self, accounts: Sequence[Account], now: int) -> list[Balance]:
        """See `BudgetLedger.read`; one statement, and so one moment."""
        budgets = [account.budget for account in accounts]
        scopes = [account.scope for account in accounts]
        starts = [to_datetime(account.start) for account in accounts]
        with self._connection() as connection:
            rows = connection.execute(_BALANCES, (to_datetime(now), budgets, scopes, starts)).fetchall()
        return [
            Balance(trillionths(spent), trillionths(reserved), trillionths(stated), int(unknown))
            for spent, stated, unknown, reserved in rows
        ]

    def close(self) -> None:
        """Close the connections."""
        self._pool.close()

    def after_fork(self) -> None:
        """Nothing: the pool sees to it by itself."""

    @contextmanager
    def _writing(self) -> Iterator[Books]:
        with self._connection() as connection, connection.transaction():
            yield _Tables(connection)

    _reading = _writing

    @contextmanager
    def _connection(self) -> Iterator[BoundedConnection]:
        try:
            with self._pool.lend() as connection:
                yield connection
        except (psycopg.Error, SQLAlchemyError, OSError, StoreError) as error:
            raise LedgerUnreachableError(f"the budgets in {self._address.place} cannot be reached: {error}") from error

    def _connect(self) -> BoundedConnection:
        connection = connect(self._address, Timeouts(connect=self._timeout, statement=self._timeout))
        connection.limit = self._timeout + 0.5
        try:
            self._see_that_there_are_tables(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _see_that_there_are_tables(self, connection: BoundedConnection) -> None:
        if self._has_tables:
            return
        found = connection.execute("SELECT to_regclass('budget_writers')").fetchone()
        if found is None or found[0] is None:
            if not self._migrates:
                raise StoreError("it has no tables for budgets yet: run `reamon migrate`")
            from reamon.store.migrate import upgrade  # noqa: PLC0415 - brings Alembic

            upgrade(self._url, schema=self._schema)
        self._has_tables = True


class _Tables(Books):
    """Books in the store's tables. An account is locked by its row in `budget_periods`."""

    def __init__(self, connection: BoundedConnection) -> None:
        self._connection = connection

    def open(self, accounts: Sequence[Account], now: int) -> dict[Account, Page]:
        pages = {}
        for account in accounts:
            row = self._row(_LOCK, _key(account))
            if row is None:
                self._run(_MAKE, (*_key(account), to_datetime(now)))
                row = self._row(_LOCK, _key(account))
            pages[account] = Page() if row is None else _page(row)
        return pages

    def look(self, accounts: Sequence[Account]) -> dict[Account, Page]:
        rows = ((account, self._row(_LOCK.removesuffix(" FOR UPDATE"), _key(account))) for account in accounts)
        return {account: _page(row) for account, row in rows if row is not None}

    def write(self, account: Account, page: Page, now: int) -> None:
        crossed = Json(page.crossed) if page.crossed else None
        amounts = (usd(page.spent), usd(page.stated), page.unknown)
        self._run(_WRITE, (*amounts, crossed, to_datetime(now), *_key(account)))

    def held(self, account: Account, now: int, but: str | None) -> int:
        row = self._row(
            f"SELECT coalesce(sum(amount), 0) FROM budget_reservations WHERE {_ACCOUNT}"
            " AND expires_at > %s AND reservation_id IS DISTINCT FROM %s",
            (*_key(account), to_datetime(now), but),
        )
        return 0 if row is None else trillionths(row[0])

    def hold(self, reservation_id: str, account: Account) -> Hold | None:
        row = self._row(
            "SELECT amount, period_start, expires_at FROM budget_reservations"
            " WHERE reservation_id = %s AND budget = %s AND scope = %s",
            (reservation_id, *account[:2]),
        )
        return None if row is None else Hold(trillionths(row[0]), from_datetime(row[1]), from_datetime(row[2]))

    def write_hold(self, reservation_id: str, account: Account, amount: int, expires_at: int) -> None:
        self._run(_WRITE_HOLD, (reservation_id, *_key(account), usd(amount), to_datetime(expires_at)))

    def sequence(self, writer: str) -> int:
        row = self._row("SELECT sequence FROM budget_writers WHERE writer = %s FOR UPDATE", (writer,))
        return 0 if row is None else int(row[0])

    def write_sequence(self, writer: str, sequence: int, now: int) -> None:
        self._run(_WRITE_SEQUENCE, (writer, sequence, to_datetime(now)))

    def earlier(self, account: Account, count: int) -> list[int]:
        rows = self._connection.execute(_EARLIER, (*_key(account), count)).fetchall()
        return [trillionths(spent) for (spent,) in rows]

    def forget(self, budget: str, before: int) -> int:
        moment = to_datetime(before)
        self._run(_FORGET_HOLDS, (budget, moment, moment))
        done = self._connection.execute(
            "DELETE FROM budget_periods p WHERE budget = %s AND updated_at < %s AND NOT EXISTS (SELECT 1"
            " FROM budget_reservations r WHERE r.budget = p.budget AND r.scope = p.scope"
            " AND r.period_start = p.period_start)",
            (budget, moment),
        )
        return done.rowcount

    def forget_holds(self, budget: str, expired: int, settled: int) -> None:
        self._run(_FORGET_EXPIRED, (budget, to_datetime(settled), to_datetime(expired)))

    def forget_writers(self, before: int) -> None:
        self._run("DELETE FROM budget_writers WHERE updated_at < %s", (to_datetime(before),))

    def _run(self, statement: str, values: Sequence[Any]) -> None:
        self._connection.execute(statement.encode(), values)

    def _row(self, statement: str, values: Sequence[Any]) -> tuple[Any, ...] | None:
        return self._connection.execute(statement.encode(), values).fetchone()


def _is_usable(connection: BoundedConnection) -> bool:
    """Whether the server has not hung up: an idle connection has nothing to say, and the end of it is something."""
    return not connection.closed and not select.select([connection.fileno()], [], [], 0)[0]


def _page(row: tuple[Decimal, Decimal, int, list[str] | None]) -> Page:
    spent, stated, unknown, crossed = row
    return Page(trillionths(spent), trillionths(stated), unknown, list(crossed or ()))


def _key(account: Account) -> tuple[str, str, datetime]:
    return (account.budget, account.scope, to_datetime(account.start))
