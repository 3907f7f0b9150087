"""The database behind a store: reads that see one moment, changes that happen whole, and whose rows are seen."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from reamon.errors import StoreError
from reamon.model import Span
from reamon.store.conditions import SQLITE
from reamon.store.engine import address_of
from reamon.store.projects import Project, narrowed, visible

_TOO_MUCH: Final = "integer overflow"
"""What SQLite says of a sum beyond 64 bits (`store.exact_sums`)."""


class Database:
    """A store's database, as one reader sees it.

    Attributes:
        place: What messages call it.
        dialect: "sqlite" or "postgresql".
        project: The one project whose rows are seen; None where all are.

    Raises:
        StoreError: There is no store there, or the project's name is empty.
    """

    def __init__(self, target: Path | str, project: Project = None) -> None:
        self.project = visible(project)
        self._address = address_of(target)
        self.place = self._address.place
        self._reader = self._address.reading()
        self._writer: AsyncEngine | None = None
        self.dialect = self._reader.dialect.name

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a SQLite file."""
        return self.dialect == SQLITE

    def narrowed(self, asked: str | None) -> str | None:
        """The project that a question is about; None for all.

        Raises:
            StoreError: It is another one than this reader sees.
        """
        return narrowed(self.project, asked)

    @asynccontextmanager
    async def moment(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which all queries see the same state, and none can change it.

        Raises:
            StoreError: The database could not answer.
        """
        try:
            async with self._reader.connect() as connection:
                if self.is_sqlite:
                    await connection.exec_driver_sql("BEGIN")
                yield connection
        except DatabaseError as error:
            if _TOO_MUCH in str(error.orig):
                raise StoreError(
                    f"{self.place} holds more than SQLite can add up exactly, 9 million million of one thing: ask for"
                    " less of it, or find the amount that cannot be right (`reamon export --what costs`)"
                ) from error
            raise StoreError(
                f"{self.place} cannot be read as a store ({error.orig}): `reamon doctor` says more"
            ) from error
        except (OverflowError, UnicodeEncodeError) as error:  # of a driver: half a character, a number beyond 64 bits
            raise StoreError(f"{self.place} can hold nothing like what it is asked for: {error}") from error

    @asynccontextmanager
    async def change(self) -> AsyncIterator[AsyncConnection]:
        """A connection whose changes are made together when the block ends, or not at all if it raises.

        Raises:
            StoreError: The database could not make them: it is locked, full, ...
        """
        if self._writer is None:
            self._writer = self._address.changing()
        try:
            async with self._writer.connect() as connection:
                if self.is_sqlite:
                    await connection.exec_driver_sql("BEGIN IMMEDIATE")
                yield connection
                await connection.commit()
        except DatabaseError as error:
            raise StoreError(f"{self.place} could not be changed: {error.orig}") from error

    async def write(self, spans: Sequence[Span]) -> None:
        """Put spans into the store, in a thread of their own.

        Raises:
            StoreError: Some cannot be stored, or the database cannot be changed.
        """
        await asyncio.to_thread(self._address.write, spans)

    async def close(self) -> None:
        """Let go of it."""
        await self._reader.dispose()
        if self._writer is not None:
            await self._writer.dispose()
