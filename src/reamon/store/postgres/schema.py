"""The schema of a store in PostgreSQL: which version it has, and how it gets the current one."""

from typing import Any

import psycopg

from reamon.errors import StoreError
from reamon.store.postgres.urls import PostgresAddress
from reamon.store.versions import NO_TABLES, SCHEMA_VERSION, VERSION_TABLE, is_newer


def schema_version(connection: psycopg.Connection[Any], schema: str) -> str | None:
    """The version of the store in this schema, or None where there never was one of ours."""
    found = connection.execute("SELECT to_regclass(%s)", (f'"{schema}".{VERSION_TABLE}',)).fetchone()
    if found == (None,):
        return None
    row = connection.execute(f'SELECT version_num FROM "{schema}".{VERSION_TABLE}').fetchone()
    return str(row[0]) if row else NO_TABLES


def bring_up_to_date(connection: psycopg.Connection[Any], address: PostgresAddress, *, migrate: bool) -> None:
    """See that the tables are those that this version writes.

    Args:
        connection: To look.
        address: Where it leads.
        migrate: Whether to make or migrate them, if they are missing or older.

    Raises:
        StoreError: They were made by a newer reamon; or they are missing or older, and `migrate` is false.
        psycopg.Error: The server does not let us.
    """
    version = schema_version(connection, address.schema)
    if version == SCHEMA_VERSION:
        return
    if version is not None and is_newer(version):
        raise StoreError(
            f"the store in {address.place} was made by a newer reamon (schema {version}, this one knows "
            f"{SCHEMA_VERSION}): upgrade reamon, or give the store another schema"
        )
    if not migrate:
        what = "has no tables of reamon's" if version is None else f"has schema {version}, and {SCHEMA_VERSION} is due"
        raise StoreError(f"{address.place} {what}: run `reamon migrate`, since postgres.migrate is off")
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415 - a current store needs neither

    from reamon.store.migrate import upgrade  # noqa: PLC0415 - brings Alembic

    try:
        upgrade(address.url, schema=address.schema)
    except DBAPIError as error:
        raise (error.orig if isinstance(error.orig, psycopg.Error) else error) from None
