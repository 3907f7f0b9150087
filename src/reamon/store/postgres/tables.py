"""The tables that only PostgreSQL has."""

from datetime import datetime
from typing import Final

from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from reamon.store.types import UtcDateTime

__all__ = ["ProcessRow", "metadata"]


class PostgresTable(SQLModel, registry=registry()):
    """The base of these tables."""


metadata: Final = PostgresTable.metadata
"""What Alembic compares on PostgreSQL, beside what every store has."""


class ProcessRow(PostgresTable, table=True):
    """One row for each process that has workflows running, on whatever machine; see `reamon.store.postgres.life`."""

    __tablename__ = "processes"

    process_id: str = Field(primary_key=True)
    host: str
    started_at: datetime = Field(sa_type=UtcDateTime)
    last_seen: datetime = Field(sa_type=UtcDateTime)
