"""Ledgers to test: in memory, in SQLite, in PostgreSQL and in Redis, each with nothing in it."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reamon.budgets.ledger import BudgetLedger
from reamon.budgets.ledgers.memory import MemoryLedger
from reamon.budgets.ledgers.redis import RedisLedger
from reamon.budgets.ledgers.sqlite import SqliteLedger
from support import redis

KINDS = ("memory", "sqlite", "postgres", "redis")
SHARED = KINDS[1:]

POSTGRES_URL = os.environ.get("REAMON_TEST_POSTGRES_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
"""Read at import: what the environment says does not reach a test."""


@contextmanager
def place_of(kind: str, directory: Path) -> Iterator[str]:
    """Where a ledger of that kind can be, for `ledger_at`; it is removed afterwards."""
    if kind == "postgres":
        with schema_of_our_own() as url:
            yield url
    elif kind == "redis":
        with redis.keys_of_our_own() as prefix:
            yield prefix
    else:
        yield str(directory / f"{secrets.token_hex(4)}.db")


def ledger_at(kind: str, place: str, timeout: float = 30.0) -> BudgetLedger:
    """The ledger at a place; several of them share what is there, but for those in memory."""
    if kind == "redis":
        return RedisLedger(redis.URL, timeout=timeout, prefix=place)
    if kind == "postgres":
        from reamon.budgets.ledgers.postgres import PostgresLedger

        return PostgresLedger(place, timeout=timeout)
    return SqliteLedger(Path(place), timeout=timeout) if kind == "sqlite" else MemoryLedger()


@contextmanager
def ledger_of(kind: str, directory: Path) -> Iterator[BudgetLedger]:
    """A ledger with nothing in it."""
    with place_of(kind, directory) as place:
        ledger = ledger_at(kind, place)
        yield ledger
        ledger.close()


@contextmanager
def schema_of_our_own() -> Iterator[str]:
    """The address of a PostgreSQL database with a schema that nobody else has, which is dropped afterwards."""
    psycopg = pytest.importorskip("psycopg")
    schema = f"reamon_test_{secrets.token_hex(6)}"
    mark = "&" if "?" in POSTGRES_URL else "?"
    try:
        owner = psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL answers at REAMON_TEST_POSTGRES_URL: {error}")
    with owner:
        yield f"{POSTGRES_URL}{mark}schema={schema}"
        owner.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def emptied(url: str) -> None:
    """Delete what budgets keep at an address."""
    import psycopg

    schema = url.rpartition("schema=")[2]
    with psycopg.connect(POSTGRES_URL, autocommit=True) as owner:
        owner.execute(f"TRUNCATE {schema}.budget_reservations, {schema}.budget_periods, {schema}.budget_writers")
