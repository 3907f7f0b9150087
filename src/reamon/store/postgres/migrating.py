"""Migrating a PostgreSQL database: one process at a time, in the store's own schema, whole or not at all."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import psycopg
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from reamon.store.postgres.locks import lock_number
from reamon.store.postgres.urls import PostgresAddress

_PATIENCE: Final = 60.0  # seconds, for whoever migrates already, and for the tables that somebody is using
_ATTEMPT: Final = "300ms"  # for the tables; shorter than it takes PostgreSQL to look for a deadlock
_PAUSE: Final = 0.2  # seconds between two attempts, in which the queue behind us gets through
_ORDER: Final = ("operations", "cost_details", "agent_executions", "workflow_traces")
"""In which a writer uses them: who has begun gets through, and nobody else begins."""

_CONNECT: Final = 10  # seconds


@contextmanager
def transaction(address: PostgresAddress) -> Iterator[Connection]:
    """A connection in a transaction in which this process alone migrates, in the schema, which is made if need be.

    A schema that is there is not made again: whoever may not create one can still migrate what a database's
    administrator has made for them.
    """
    parameters = {"connect_timeout": _CONNECT, "application_name": "reamon migrate", **address.parameters}
    engine = create_engine(address.sqlalchemy_url, connect_args=parameters, poolclass=NullPool)
    schema = address.schema
    with engine.begin() as connection:
        connection.exec_driver_sql(
            f"SET LOCAL lock_timeout = '{_PATIENCE:g}s'; SET LOCAL statement_timeout = 0;"
            " SET LOCAL idle_in_transaction_session_timeout = 0"
        )
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": lock_number("migrate", schema)})
        there = connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}).scalar()
        if not there:
            connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')
        yield connection


def take_tables(connection: Connection) -> None:
    """Lock all of our tables at once, so that no writer is in the middle of something.

    Step by step, a migration and a writer would each wait for what the other has. Whoever reads or writes is waited for
    briefly and again and again, and none of them has to give way.

    Raises:
        OperationalError: Somebody has used a table all the while.
    """
    from reamon.store.postgres.tables import metadata as of_postgres  # noqa: PLC0415 - slow, and only here
    from reamon.store.tables import metadata  # noqa: PLC0415 - see above

    query = "SELECT relname FROM pg_class WHERE relnamespace = current_schema::regnamespace AND relname = ANY(:names)"
    names = connection.execute(text(query), {"names": [*metadata.tables, *of_postgres.tables]}).scalars().all()
    if not names:
        return
    names = [*(name for name in _ORDER if name in names), *(name for name in names if name not in _ORDER)]
    until = time.monotonic() + _PATIENCE
    while not _are_taken(connection, names, is_last_attempt=time.monotonic() > until):
        time.sleep(_PAUSE)


def _are_taken(connection: Connection, names: Sequence[str], *, is_last_attempt: bool) -> bool:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_ATTEMPT}'")
            connection.exec_driver_sql(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE:g}s'")
    except OperationalError as error:
        if is_last_attempt or not isinstance(error.orig, psycopg.errors.LockNotAvailable):
            raise
        return False
    return True
