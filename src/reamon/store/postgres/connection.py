"""Connections to PostgreSQL that answer or fail within a known time."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar

import msgspec
import psycopg
from psycopg.abc import PQGen

from reamon.errors import StoreError
from reamon.store.postgres.urls import PostgresAddress

T = TypeVar("T")

_GRACE: Final = 5.0  # seconds by which the server's own time limit comes before ours
_IMPATIENCE: Final = 1000  # milliseconds
_KEPT_ALIVE: Final = {"keepalives": 1, "keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3}


class Timeouts(msgspec.Struct, frozen=True, kw_only=True):
    """How long a server may take, in seconds.

    Attributes:
        connect: To accept a connection.
        statement: To carry out one statement, waiting for locks included.
    """

    connect: float = 5.0
    statement: float = 30.0


class BoundedConnection(psycopg.Connection[tuple[Any, ...]]):
    """A connection that does not wait for ever for a server that hangs: the server's own limit needs a server.

    Attributes:
        limit: Seconds for which one answer is waited for.
    """

    limit = 60.0

    def wait(self, gen: PQGen[T], *arguments: Any, **options: Any) -> T:
        """Wait for an answer.

        Raises:
            OperationalError: There was none in time. The connection is closed, since one might still come.
        """
        result: T = super().wait(self._bounded(gen), *arguments, **options)
        return result

    def _bounded(self, gen: PQGen[T]) -> PQGen[T]:
        """The same, but it ends when the time is up. psycopg tells it ten times a second that nothing has come."""
        until = time.monotonic() + self.limit
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and time.monotonic() > until:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"the server has not answered for {self.limit:g} s")
                state = gen.send(ready)
        except StopIteration as end:
            result: T = end.value
            return result


def connect(address: PostgresAddress, timeouts: Timeouts) -> BoundedConnection:
    """Connect to the database, with the store's schema as the one that names are looked up in.

    The connection is in autocommit mode, and works through poolers that keep a session's connection (PgBouncer:
    `pool_mode = session`).

    Args:
        address: Where.
        timeouts: How long the server may take.

    Raises:
        psycopg.Error: There is no connection: nobody listens there, the password is wrong, ...
        StoreError: The database's encoding cannot hold all text.
    """
    parameters = {
        **_KEPT_ALIVE,
        "tcp_user_timeout": _millis(timeouts.statement),
        "application_name": "reamon",
        "connect_timeout": max(round(timeouts.connect), 2),  # libpq knows none that is shorter
        **address.parameters,
        "client_encoding": "utf8",  # whatever the application's own connections use
    }
    connection = BoundedConnection.connect(**parameters, autocommit=True)
    try:
        connection.limit = timeouts.statement + _GRACE
        limit = _millis(timeouts.statement)
        connection.execute(
            # The limit comes first: the database's own, which may be short, then holds for no other statement.
            f'SET statement_timeout = {limit}; SET search_path TO "{address.schema}"; SET lock_timeout = {limit};'
            f" SET idle_in_transaction_session_timeout = {limit}; SET timezone = 'UTC';"
            # Totals are added up from what others committed before the statement, not before the transaction:
            " SET default_transaction_isolation = 'read committed';"
            # What is acknowledged survives a crash of the server:
            " SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        _see_that_it_holds_all_text(connection, address)
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def impatient(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Wait no longer than a second for anybody's lock. After an error it stays so: the connection is not used again.

    Raises:
        LockNotAvailable: Somebody has locked a table, and keeps it.
    """
    usual = connection.execute("SELECT current_setting('lock_timeout')").fetchone()
    connection.execute(f"SET lock_timeout = {_IMPATIENCE}")
    yield
    connection.execute("SELECT set_config('lock_timeout', %s, false)", usual)


def _see_that_it_holds_all_text(connection: BoundedConnection, address: PostgresAddress) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StoreError(
            f"the database {address.place} has the encoding {encoding}, which cannot hold all text: "
            "give the store one that was made with ENCODING 'UTF8'"
        )


def _millis(seconds: float) -> int:
    return max(round(seconds * 1000), 1)
