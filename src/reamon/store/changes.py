"""Changes: what repositories that write have in common."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from reamon.errors import StoreError
from reamon.store.conditions import SQLITE
from reamon.store.database import Database


def owned(database: Database, project: str | None) -> str | None:
    """The project that a new row belongs to: its own, else the one that the store was opened for.

    Raises:
        StoreError: It is another project's.
    """
    return database.narrowed(project)


def check_time(name: str, moment: datetime | None) -> None:
    """See that a time has a time zone.

    Raises:
        StoreError: It has none.
    """
    if moment is not None and moment.utcoffset() is None:
        raise StoreError(f"{name}={moment} has no time zone: give it one, such as datetime.UTC")


def upsert(table: Table, key: Sequence[str], dialect: str) -> Any:
    """An INSERT that replaces the row of the same key as a whole."""
    insert = sqlite.insert(table) if dialect == SQLITE else postgresql.insert(table)
    replaced = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in key}
    return insert.on_conflict_do_update(index_elements=list(key), set_=replaced)
