"""Migrating a PostgreSQL database: one process at a time, in the store's own schema, whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from zlib import crc32

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from reamon.store.postgres.urls import PostgresAddress

LOCKS: Final = 0x7EA3_0000
"""What the numbers of our advisory locks begin with, so that an application's own locks are others."""

_MIGRATING: Final = LOCKS + 1
_PATIENCE: Final = "60s"  # for each lock on a table that somebody else is using


@contextmanager
def transaction(address: PostgresAddress) -> Iterator[Connection]:
    """A connection in a transaction in which this process alone migrates, in the schema, which is made if need be.

    A schema that is there is not made again: whoever may not create one can still migrate what a database's
    administrator has made for them.
    """
    engine = create_engine(address.sqlalchemy_url, connect_args=address.parameters, poolclass=NullPool)
    schema = address.schema
    with engine.begin() as connection:
        connection.execute(
            text("SELECT pg_advisory_xact_lock(:ours, :schema)"), {"ours": _MIGRATING, "schema": number_of(schema)}
        )
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
        there = connection.execute(text("SELECT 1 FROM pg_namespace WHERE nspname = :name"), {"name": schema}).scalar()
        if not there:
            connection.exec_driver_sql(f'CREATE SCHEMA "{schema}"')
        connection.exec_driver_sql(f'SET LOCAL search_path TO "{schema}"')
        yield connection


def number_of(schema: str) -> int:
    """A signed 32-bit number that stands for a schema in the numbers of locks.

    Example:
        >>> number_of("reamon")
        -1392507274
    """
    return crc32(schema.encode()) - (1 << 31)
