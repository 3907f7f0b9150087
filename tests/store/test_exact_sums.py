"""Sums of money in SQL are the sums that Decimal makes, to the last digit, on both databases."""

import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model.cost import rounded
from reamon.store.exact_sums import micros, padded, rest, total, usd
from reamon.store.views import COSTS
from support.both_databases import DATABASES, engine_with, insert_rows

_SUMS = select(total(micros(COSTS.c.cost_amount)), total(rest(COSTS.c.cost_amount)))
_UNITS = padded(COSTS.c.usage_units)
_SQL = str(_SUMS.compile(dialect=sqlite.dialect()))

amounts = st.decimals(-(10**6), 10**6, places=12) | st.decimals("-0.000001", "0.000001", places=12)
TRICKY = [
    "-0.5",
    "0.5",
    "-0.000000000001",
    "0.000000000001",
    "-0.000001",
    "12345678901.999999999999",
    "-0",
    "1E+3",
    "-3.000000999999",
]


def summed_by_sqlite(connection: sqlite3.Connection, texts: list[str | None]) -> Decimal | None:
    connection.execute("CREATE TEMP TABLE IF NOT EXISTS cost_details (cost_amount TEXT)")
    connection.execute("DELETE FROM cost_details")
    connection.executemany("INSERT INTO cost_details VALUES (?)", [(text,) for text in texts])
    return usd(*connection.execute(_SQL).fetchone())


def as_stored(number: Decimal) -> str:
    return format(rounded(number), "f")


def exact_sum(numbers: list[Decimal]) -> Decimal:
    """With room for all digits, and by none of the code under test."""
    with localcontext(prec=60):
        return sum(numbers, Decimal(0))


@given(st.lists(amounts, min_size=1, max_size=60))
def test_sqlite_sums_as_decimal_does(numbers: list[Decimal]) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert summed_by_sqlite(connection, [as_stored(number) for number in numbers]) == exact_sum(numbers)


def test_signs_and_tiny_amounts_are_kept() -> None:
    numbers = [Decimal(text) for text in TRICKY]
    with closing(sqlite3.connect(":memory:")) as connection:
        for number in numbers:
            assert summed_by_sqlite(connection, [as_stored(number)]) == number
        assert summed_by_sqlite(connection, [as_stored(number) for number in numbers]) == exact_sum(numbers)


def test_unknown_amounts_are_left_out_and_are_not_nothing() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert summed_by_sqlite(connection, [None, "1.000000000001", None]) == Decimal("1.000000000001")
        assert summed_by_sqlite(connection, [None]) is None
        assert summed_by_sqlite(connection, []) is None


def test_ten_million_rows_of_nearly_a_dollar_do_not_overflow() -> None:
    """Trillionths in one 64-bit integer would, with 9.3 million of them: here the database multiplies for us."""
    with closing(sqlite3.connect(":memory:")) as connection:
        amount = "0.999999999999"
        connection.execute("CREATE TEMP TABLE cost_details (cost_amount TEXT)")
        whole, fraction = connection.execute(
            _SQL.replace("FROM cost_details", f"FROM (SELECT '{amount}' AS cost_amount) AS cost_details")
        ).fetchone()
        rows = 10_000_000_000
        assert rows * whole < 2**63
        assert rows * fraction < 2**63
        assert usd(rows * whole, rows * fraction) == rows * Decimal(amount)


def test_what_is_too_much_for_sqlite_is_refused_not_rounded() -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(sqlite3.OperationalError, match="integer overflow"),
    ):
        summed_by_sqlite(connection, ["9000000000000.000000000000"] * 2)


@pytest.mark.parametrize(
    "amount", ["9223372036854.775808000000", "-100000000000000000.000000000000", f"1{'0' * 25}.{'0' * 12}"]
)
def test_one_amount_that_is_too_much_by_itself_is_refused_too(amount: str) -> None:
    with (
        closing(sqlite3.connect(":memory:")) as connection,
        pytest.raises(sqlite3.OperationalError, match="integer overflow"),
    ):
        summed_by_sqlite(connection, [None, amount])


@pytest.mark.parametrize("amount", ["9223372036854.775806999999", "-9223372036854.775806999999"])
def test_the_largest_amounts_are_summed(amount: str) -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        assert summed_by_sqlite(connection, [amount, None]) == Decimal(amount)


async def summed(connection: AsyncConnection, numbers: list[Decimal | None], units: list[Decimal]) -> list[Any]:
    await connection.execute(COSTS.delete())
    rows = [detail(number, amount, used) for number, (amount, used) in enumerate(zip(numbers, units, strict=True))]
    await insert_rows(connection, "cost_details", rows)
    query = select(
        total(micros(COSTS.c.cost_amount)), total(rest(COSTS.c.cost_amount)), total(micros(_UNITS)), total(rest(_UNITS))
    )
    row = (await connection.execute(query)).one()
    return [usd(row[0], row[1]), usd(row[2], row[3])]


def detail(number: int, amount: Decimal | None, units: Decimal) -> dict[str, object]:
    return {
        "span_id": f"span-{number}",
        "cost_type": "llm",
        "price_version": "rates",
        "item": 0,
        "trace_id": "trace",
        "cost_amount": amount,
        "usage_units": units,
        "price_source": "rates",
        "timestamp": datetime(2026, 11, 23, tzinfo=UTC),
    }


@pytest.mark.parametrize("database", DATABASES)
async def test_both_databases_sum_alike(database: str, tmp_path: Path) -> None:
    numbers: list[Decimal | None] = [*(Decimal(text) for text in TRICKY), None]
    units = [Decimal(text) for text in ("1", "0.5", "-2.25", "1200", "0.000000000001", "0.533", "7", "7", "7", "7")]
    async with engine_with(database, tmp_path / "sums.db", []) as engine, engine.begin() as connection:
        known = [number for number in numbers if number is not None]
        assert await summed(connection, numbers, units) == [exact_sum(known), exact_sum(units)]


@pytest.mark.parametrize("seed", range(3))
async def test_postgres_sums_as_decimal_does(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    numbers = [Decimal(chance.randrange(-(10**18), 10**18)).scaleb(-12) for _ in range(200)]
    async with engine_with("postgres", tmp_path / "sums.db", []) as engine, engine.connect() as connection:
        assert (await summed(connection, list(numbers), [Decimal(1)] * 200))[0] == exact_sum(numbers)
