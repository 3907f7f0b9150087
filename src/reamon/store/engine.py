"""The way to the database for readers and for those who change single rows: which one is meant, and engines for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, Column, MetaData, String, Table, select
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from reamon.errors import StoreError
from reamon.model import Span
from reamon.store.administration import is_postgres, path_of
from reamon.store.creation import write_to_file, write_to_server
from reamon.store.postgres.urls import PostgresAddress, parse_url
from reamon.store.sqlite import no_store
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE, wrong_version

PATIENCE: Final = 10
"""Seconds that a PostgreSQL server may take to answer a connection, unless the URL says otherwise, and that a change
waits for another process to finish with a SQLite file."""

_NO_SUCH_TABLE: Final = "42P01"

_VERSIONS: Final = Table(VERSION_TABLE, MetaData(), Column("version_num", String))


class SQLiteFile:
    """A store in a SQLite file.

    Attributes:
        place: What messages call it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.place = str(path.absolute())

    def reading(self) -> AsyncEngine:
        """An engine that cannot change the store.

        Raises:
            StoreError: There is no such file.
        """
        if not self._path.is_file():
            raise no_store(self._path)
        database, query = f"file:{quote(self.place)}", {"mode": "ro", "uri": "true"}
        return create_async_engine(URL.create("sqlite+aiosqlite", database=database, query=query))

    def changing(self) -> AsyncEngine:
        """An engine that can change the store."""
        return create_async_engine(
            URL.create("sqlite+aiosqlite", database=self.place), connect_args={"timeout": PATIENCE}
        )

    def write(self, spans: Sequence[Span]) -> None:
        """Put spans into the store (`write_to_file`)."""
        write_to_file(self._path, spans)


class PostgresDatabase:
    """A store in a PostgreSQL database.

    Attributes:
        place: What messages call it; without user and password.
    """

    def __init__(self, address: PostgresAddress) -> None:
        self._address = address
        self.place = address.place

    def reading(self) -> AsyncEngine:
        """An engine that cannot change the store, and whose transactions see one moment each."""
        return self._engine(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def changing(self) -> AsyncEngine:
        """An engine that can change the store."""
        return self._engine()

    def write(self, spans: Sequence[Span]) -> None:
        """Put spans into the store (`write_to_server`)."""
        write_to_server(self._address, spans)

    def _engine(self, **options: Any) -> AsyncEngine:
        arguments = {"connect_timeout": PATIENCE, **self._address.parameters}
        engine = create_async_engine(self._address.sqlalchemy_url, connect_args=arguments, pool_pre_ping=True)
        return engine.execution_options(schema_translate_map={None: self._address.schema}, **options)


def address_of(target: Path | str) -> SQLiteFile | PostgresDatabase:
    """Where a store is.

    Args:
        target: The path of a SQLite file, its URL (`sqlite:///calls.db`), or the URL of a PostgreSQL database.

    Raises:
        StoreError: `target` is the URL of something else.
        ConfigurationError: It is a URL of PostgreSQL that cannot be read.
        MissingExtraError: It is one, and what PostgreSQL needs is not installed.
    """
    if is_postgres(target):
        return PostgresDatabase(parse_url(str(target)))
    return SQLiteFile(path_of(target))


async def check_schema(connection: AsyncConnection, place: str) -> None:
    """See that the tables are those that this version reads.

    Args:
        connection: To the store.
        place: What messages call it.

    Raises:
        StoreError: The store is one of an older or a newer reamon, or there is none in the database.
    """
    try:
        found = (await connection.execute(select(_VERSIONS.c.version_num))).scalar_one_or_none()
    except ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) == _NO_SUCH_TABLE:
            raise StoreError(
                f"there is no store in {place}: run `reamon migrate`, or name the schema of the one that there is "
                "(REAMON_POSTGRES__SCHEMA, or ?schema=NAME at the end of the URL)"
            ) from error
        reason = str(error.orig).partition("\n")[0]
        raise StoreError(
            f"there is no store in {place} that can be read ({reason}): `reamon doctor` says more"
        ) from error
    if found != SCHEMA_VERSION:
        raise wrong_version(place, found)
