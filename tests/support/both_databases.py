"""Connections that may write to a store in either database, for queries that have to say the same about both."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from reamon.model import Span
from reamon.store.engine import address_of
from reamon.store.tables import metadata
from support.readable import DATABASES, readable

__all__ = ["DATABASES", "engine_with", "insert_rows"]

_ROWS = 500


@asynccontextmanager
async def engine_with(database: str, path: Path, spans: Iterable[Span]) -> AsyncIterator[AsyncEngine]:
    """An engine that may write to a store that holds `spans`; a schema of PostgreSQL is dropped afterwards.

    Args:
        database: "sqlite" or "postgres".
        path: Where the SQLite file is made; on PostgreSQL its rows are copied.
        spans: What the store holds.
    """
    with readable(database, path, spans) as target:
        engine = address_of(target).changing()
        try:
            yield engine
        finally:
            await engine.dispose()


async def insert_rows(connection: AsyncConnection, table: str, rows: Sequence[dict[str, object]]) -> None:
    """Insert rows into a table, by column names."""
    for first in range(0, len(rows), _ROWS):
        await connection.execute(insert(metadata.tables[table]), list(rows[first : first + _ROWS]))
