"""Recounting: what the current periods have cost, from the cost details in a store."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from reamon.budgets.gauge import Gauge
from reamon.budgets.ledger import Account
from reamon.budgets.money import trillionths
from reamon.errors import StoreError
from reamon.model.times import from_datetime, iso, to_datetime
from reamon.store.inspection import read_only

_TWO_DAYS: Final = 2 * 86_400_000_000_000
_DETAILS: Final = (
    "SELECT call_id, project, timestamp, cost_amount FROM cost_details WHERE timestamp >= {} AND superseded_by IS NULL"
)
_POSTGRES: Final = ("postgresql", "postgres:")


def recount(store: "str | os.PathLike[str]", gauges: Sequence[Gauge], now: int) -> dict[Account, tuple[int, int]]:
    """What was spent in the current period of each budget, and how many costs of it are unknown.

    Accounts of all and of a named project are there even where nothing was spent; calls are those of two days.

    Raises:
        StoreError: The store cannot be read.
    """
    sums: dict[Account, list[int]] = {}
    for gauge in gauges:
        account = gauge.account("", gauge.budget.project, now)
        if account is not None and not gauge.is_of_calls and account.scope != "*":
            sums[account] = [0, 0]
    since = min((_begin(gauge, now) for gauge in gauges), default=now)
    for call_id, project, moment, amount in _details(os.fspath(store), since):
        for gauge in gauges:
            account = gauge.account(call_id, project, moment)
            if account is None or moment < _begin(gauge, now) or (gauge.is_of_calls and not call_id):
                continue
            entry = sums.setdefault(account, [0, 0])
            if amount is None:
                entry[1] += 1
            else:
                entry[0] += trillionths(amount)
    return {account: (amount, unknown) for account, (amount, unknown) in sums.items()}


def _begin(gauge: Gauge, now: int) -> int:
    return now - _TWO_DAYS if gauge.is_of_calls else gauge.calendar.period_of(now).start


def _details(store: str, since: int) -> Iterator[tuple[str | None, str | None, int, Decimal | None]]:
    rows = _of_postgres(store, since) if store.startswith(_POSTGRES) else _of_sqlite(Path(store), since)
    for call_id, project, moment, amount in rows:
        when = moment if isinstance(moment, datetime) else datetime.fromisoformat(moment)
        yield call_id, project, from_datetime(when), None if amount is None else Decimal(amount)


def _of_sqlite(path: Path, since: int) -> Iterator[tuple[Any, ...]]:
    try:
        with closing(read_only(path)) as connection:
            yield from connection.execute(_DETAILS.format("?"), (iso(since),))
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"the cost details in {path} cannot be read: {error}") from error


def _of_postgres(url: str, since: int) -> Iterator[tuple[Any, ...]]:
    import psycopg  # noqa: PLC0415 - an extra

    from reamon.store.postgres.connection import Timeouts, connect  # noqa: PLC0415 - brings psycopg
    from reamon.store.postgres.urls import parse_url  # noqa: PLC0415

    address = parse_url(url)
    try:
        with closing(connect(address, Timeouts())) as connection, connection.transaction():
            cursor = connection.cursor(name="reamon_recount")
            yield from cursor.execute(_DETAILS.format("%s").encode(), (to_datetime(since),))
    except psycopg.Error as error:
        raise StoreError(f"the cost details in {address.place} cannot be read: {error}") from error
