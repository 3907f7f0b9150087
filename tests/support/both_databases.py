"""The same spans in a SQLite file and in a PostgreSQL schema, for queries that have to say the same about both."""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from reamon.model import Span
from reamon.store.tables import metadata
from support.stores import stored

POSTGRES_URL = os.environ.get("REAMON_TEST_POSTGRES_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
"""Read at import: what the environment says does not reach a test."""

DATABASES = ("sqlite", "postgres")
_ROWS = 500


@asynccontextmanager
async def engine_with(database: str, path: Path, spans: Iterable[Span]) -> AsyncIterator[AsyncEngine]:
    """An engine that may write to a store that holds `spans`; a schema of PostgreSQL is dropped afterwards.

    Args:
        database: "sqlite" or "postgres".
        path: Where the SQLite file is made; on PostgreSQL its rows are copied.
        spans: What the store holds.
    """
    stored(path, spans)
    file = create_async_engine(f"sqlite+aiosqlite:///{path}")
    try:
        if database == "sqlite":
            yield file
            return
        async with postgres_schema() as engine:
            await _copy(file, engine)
            yield engine
    finally:
        await file.dispose()


@asynccontextmanager
async def postgres_schema() -> AsyncIterator[AsyncEngine]:
    """An engine on a new schema with the store's tables; skips the test where no PostgreSQL answers."""
    await _see_that_it_answers()
    schema = f"reamon_test_{secrets.token_hex(6)}"
    url = make_url(POSTGRES_URL).set(drivername="postgresql+asyncpg")
    owner = create_async_engine(url)
    engine = create_async_engine(url, connect_args={"server_settings": {"search_path": schema}})
    try:
        async with owner.begin() as connection:
            await connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        async with engine.begin() as connection:
            await connection.run_sync(metadata.create_all)
        yield engine
    finally:
        await engine.dispose()
        async with owner.begin() as connection:
            await connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        await owner.dispose()


async def insert_rows(connection: AsyncConnection, table: str, rows: Sequence[dict[str, object]]) -> None:
    """Insert rows into a table, by column names."""
    for first in range(0, len(rows), _ROWS):
        await connection.execute(insert(metadata.tables[table]), list(rows[first : first + _ROWS]))


async def _copy(source: AsyncEngine, target: AsyncEngine) -> None:
    async with source.connect() as reader, target.begin() as writer:
        for table in metadata.sorted_tables:
            rows = [dict(row) for row in (await reader.execute(select(table))).mappings()]
            await insert_rows(writer, table.name, rows)


async def _see_that_it_answers() -> None:
    place = urlsplit(POSTGRES_URL)
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(place.hostname, place.port or 5432), 2)
    except OSError as error:
        pytest.skip(f"no PostgreSQL at {place.hostname}:{place.port or 5432} (REAMON_TEST_POSTGRES_URL): {error}")
    writer.close()
