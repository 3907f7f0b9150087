"""`reamon migrate` on PostgreSQL."""

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from reamon.cli._migration_step import step
from reamon.errors import StoreError
from reamon.guard import describe
from reamon.store.postgres.connection import Timeouts, connect
from reamon.store.postgres.partitions import PartitionMaker
from reamon.store.postgres.schema import schema_version
from reamon.store.postgres.urls import parse_url
from reamon.store.versions import NO_TABLES


def migrate_postgres(url: str, schema: str | None, wanted: str, *, may_lose: bool) -> tuple[str, str | None]:
    """Bring a store in PostgreSQL to a version, and make its partitions of the next weeks.

    Args:
        url: The database.
        schema: The schema, if it is not that of the URL, or the usual one.
        wanted: The version.
        may_lose: Whether it may be older than the store's.

    Returns:
        Where the store is, and the version that it had before; None if there was none.

    Raises:
        StoreError: The database cannot be reached or does not let us; or the version is older than its own.
    """
    address = parse_url(url, schema)
    try:
        with connect(address, Timeouts()) as connection:
            before = schema_version(connection, address.schema)
        step(address.url, address.schema, before, wanted, may_lose=may_lose)
        if wanted != NO_TABLES:
            with connect(address, Timeouts()) as connection:
                PartitionMaker(connection, address.schema).make_ahead()
    except (psycopg.Error, SQLAlchemyError) as error:
        cause = getattr(error, "orig", None) or error
        raise StoreError(f"{address.place} cannot be migrated: {describe(cause).strip()}") from error
    return address.place, before
