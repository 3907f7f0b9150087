"""Migrating a PostgreSQL database: one process at a time, in the store's own schema, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from reamon.store.postgres.locks import lock_number
from reamon.store.postgres.urls import PostgresAddress

_PATIENCE: Final = "60s"  # for whoever migrates already, and for each table that somebody is using
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
            f"SET LOCAL lock_timeout = '{_PATIENCE}'; SET LOCAL statement_timeout = 0;"
            " SET LOCAL idle_in_transaction_session_timeout = 0"
        )
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": lock_number("migrate", schema)})
        there = connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}).scalar()
        if not there:
            connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')
        yield connection
