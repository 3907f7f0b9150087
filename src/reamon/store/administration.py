"""Administration: the store as those open it who keep it in order, by retention, erasure and search.

One way to talk to SQLite and PostgreSQL, with neither's driver in the way: statements are written once, with `?` for
parameters, and what the two spell differently is asked of the `OpenStore`.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Protocol, Self
from urllib.parse import unquote

import msgspec

from reamon.errors import StoreError
from reamon.model.times import from_datetime, iso
from reamon.store.inspection import read_only
from reamon.store.sqlite import connect, no_store, schema_version
from reamon.store.versions import SCHEMA_VERSION, wrong_version

_PATIENCE: Final = 30.0  # seconds to wait for a writer; a person waits rather than tries again


class OpenStore(Protocol):
    """An open store. Statements have `?` for parameters and name tables without a schema.

    Attributes:
        dialect: Which kind it is.
        where: Where it is, for messages; never with a password.
    """

    dialect: Literal["sqlite", "postgresql"]
    where: str

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """The rows that a query finds, as tuples."""
        ...

    def change(self, statement: str, *parameters: Any) -> int:
        """Execute a statement. Returns how many rows it changed."""
        ...

    def transaction(self) -> Any:
        """A context manager: all that is changed inside takes effect together, or not at all."""
        ...

    def among(self, column: str) -> str:
        """The condition that `column` has one of the values of a parameter that `several` has made."""
        ...

    def several(self, values: Sequence[Any]) -> Any:
        """Values as one parameter."""
        ...

    def moment(self, time: datetime) -> Any:
        """An aware time as a parameter."""
        ...

    def time(self, value: Any) -> datetime | None:
        """What a query has found in a column of times."""
        ...

    def text(self, column: str) -> str:
        """The expression of a JSON column's text."""
        ...

    def close(self) -> None:
        """Let go of the store."""
        ...


class SQLiteStore:
    """A store in a SQLite file.

    Args:
        connection: In autocommit mode.
        path: The file.
    """

    dialect: Literal["sqlite", "postgresql"] = "sqlite"

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self.connection = connection
        self.path = path
        self.where = str(path)

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """The rows that a query finds."""
        return self.connection.execute(statement, parameters).fetchall()

    def change(self, statement: str, *parameters: Any) -> int:
        """Execute a statement. Returns how many rows it changed."""
        return self.connection.execute(statement, parameters).rowcount

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the write lock from the start, so that what is read inside stays true."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise

    def among(self, column: str) -> str:
        """As JSON, since SQLite has no lists."""
        return f"{column} IN (SELECT value FROM json_each(?))"

    def several(self, values: Sequence[Any]) -> Any:
        """A JSON list."""
        return msgspec.json.encode(list(values)).decode()

    def moment(self, time: datetime) -> Any:
        """ISO 8601, which sorts as the times do."""
        return iso(from_datetime(time))

    def time(self, value: Any) -> datetime | None:
        """The time that the text says."""
        return None if value is None else datetime.fromisoformat(value).astimezone(UTC)

    def text(self, column: str) -> str:
        """The column, which is text already."""
        return column

    def close(self) -> None:
        """Close the file."""
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def opened(target: Path | str, *, writable: bool) -> Iterator[OpenStore]:
    """Open the store at `target`, which has to be there.

    Args:
        target: The path of a SQLite file, its URL (`sqlite:///calls.db`), or the URL of a PostgreSQL database.
        writable: Whether anything is to be changed.

    Raises:
        StoreError: There is no store, it is of another version, or the database cannot do what is asked of it now.
    """
    if is_postgres(target):
        from reamon.store.postgres.administration import open_postgres  # noqa: PLC0415 - brings psycopg

        with open_postgres(str(target), writable=writable) as database:
            yield database
        return
    path = path_of(target)
    if not path.is_file():
        raise no_store(path)
    with explained(path):
        connection = _connect(path) if writable else _reader(path)
        try:
            yield SQLiteStore(connection, path)
        finally:
            connection.close()


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Say of an error of SQLite's inside what it means for whoever asked.

    Raises:
        StoreError: Instead of `sqlite3.Error` and `OSError`.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
            raise StoreError(f"{path} is busy, somebody writes to it without a pause: try again") from error
        raise StoreError(f"{path} cannot be used as a store: {error}") from error
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be used as a store: {error}: `reamon doctor` says more") from error


def is_postgres(target: Path | str) -> bool:
    """Whether `target` is the URL of a PostgreSQL database.

    Example:
        >>> is_postgres("postgresql://localhost/calls"), is_postgres("calls.db")
        (True, False)
    """
    return isinstance(target, str) and target.partition(":")[0].partition("+")[0] in {"postgresql", "postgres"}


def path_of(target: Path | str) -> Path:
    """The file that `target` names: a path, or a URL in which `%20` is a space.

    Raises:
        StoreError: It is the URL of something else, or has parameters (`?mode=ro`), which mean nothing here.

    Example:
        >>> path_of("sqlite:///calls%20of%20may.db").name
        'calls of may.db'
    """
    if isinstance(target, Path) or "://" not in target:
        return Path(target)
    scheme, _, rest = target.partition("://")
    if scheme.partition("+")[0] != "sqlite" or not rest.startswith("/") or len(rest) < 2:
        raise StoreError(f"{scheme}:// is no store: give a path, sqlite:///path, or postgresql://host/database")
    if "?" in rest:
        raise StoreError(f"{target}: a SQLite file's URL has no parameters; a ? in its name is written %3F")
    return Path(unquote(rest[1:]))


def _connect(path: Path) -> sqlite3.Connection:
    return connect(path, busy_timeout=_PATIENCE)


def _reader(path: Path) -> sqlite3.Connection:
    connection = read_only(path)
    try:
        connection.execute(f"PRAGMA busy_timeout = {round(_PATIENCE * 1000)}")
        found = schema_version(connection)
        if found != SCHEMA_VERSION:
            raise wrong_version(path, found)
    except BaseException:
        connection.close()
        raise
    return connection
