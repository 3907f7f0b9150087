"""OpenStore of a store in PostgreSQL: see `reamon.store.administration`."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, Literal

import psycopg

from reamon.errors import StoreError
from reamon.store.administration import OpenStore
from reamon.store.postgres.connection import BoundedConnection, Timeouts, connect
from reamon.store.postgres.partitions import drop_partitions
from reamon.store.postgres.urls import parse_url
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE, wrong_version

_TIMEOUTS: Final = Timeouts(connect=10.0, statement=300.0)


class PostgresStore:
    """A store in a schema of a PostgreSQL database.

    Args:
        connection: In autocommit mode, with the schema in its search path.
        where: Where it is, without a password.
        schema: The schema.
    """

    dialect: Literal["sqlite", "postgresql"] = "postgresql"

    def __init__(self, connection: BoundedConnection, where: str, schema: str) -> None:
        self.connection = connection
        self.where = where
        self.schema = schema

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """The rows that a query finds."""
        return self._execute(statement, parameters).fetchall()

    def change(self, statement: str, *parameters: Any) -> int:
        """Execute a statement. Returns how many rows it changed."""
        return self._execute(statement, parameters).rowcount

    def transaction(self) -> AbstractContextManager[Any]:
        """All that is changed inside takes effect together, or not at all."""
        return self.connection.transaction()

    def among(self, column: str) -> str:
        """The condition that `column` has one of the values of a list."""
        return f"{column} = ANY(?)"

    def several(self, values: Sequence[Any]) -> Any:
        """The list itself."""
        return list(values)

    def moment(self, time: datetime) -> Any:
        """The time itself."""
        return time

    def time(self, value: Any) -> datetime | None:
        """The time itself, in UTC."""
        return None if value is None else value.astimezone(UTC)

    def text(self, column: str) -> str:
        """The text of a column of type JSON, as it was written."""
        return f"CAST({column} AS text)"

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _execute(self, statement: str, parameters: Sequence[Any]) -> psycopg.Cursor[tuple[Any, ...]]:
        return self.connection.execute(statement.replace("%", "%%").replace("?", "%s"), parameters or None)


@contextmanager
def open_postgres(url: str, *, writable: bool) -> Iterator[PostgresStore]:
    """Open the store at `url`.

    Raises:
        StoreError: There is no store, it is of another version, or the database cannot do what is asked of it now.
    """
    address = parse_url(url)
    try:
        with connect(address, _TIMEOUTS) as connection:
            if not writable:
                connection.read_only = True
            _check_schema(connection, address.place)
            yield PostgresStore(connection, address.place, address.schema)
    except psycopg.Error as error:
        raise StoreError(f"the store in {address.place} cannot be used: {error}") from error


def drop_old_partitions(database: OpenStore, before: datetime) -> list[tuple[str, str, int]]:
    """Drop the partitions whose rows all belong to traces that began before `before` and run no more.

    Returns:
        The name, the table and the rows of each.
    """
    if not isinstance(database, PostgresStore):
        return []
    query = "SELECT min(start_time) FROM workflow_traces WHERE status = 'running'"
    ((first_running,),) = database.rows(query)
    limit = before if first_running is None else min(before, first_running)
    return [(gone.name, gone.table, gone.rows) for gone in drop_partitions(database.connection, limit)]


def _check_schema(connection: BoundedConnection, place: str) -> None:
    ((there,),) = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (VERSION_TABLE,)).fetchall()
    row = connection.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() if there else None
    if row is None:
        raise StoreError(f"no store in {place}: run your application with PostgresExporter, or `reamon migrate`, first")
    if row[0] != SCHEMA_VERSION:
        raise wrong_version(place, row[0])
