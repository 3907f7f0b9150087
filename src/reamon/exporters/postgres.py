"""PostgreSQL: the store for many processes, on any number of machines."""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import SecretStr

from reamon import processes
from reamon.errors import ConfigurationError, MissingExtraError, Paused, StoreError
from reamon.exporters._pulse import Pulse
from reamon.guard import describe, log
from reamon.model import Span
from reamon.settings import PostgresSettings
from reamon.store.postgres.urls import parse_url

if TYPE_CHECKING:
    from reamon.store.postgres.connection import BoundedConnection
    from reamon.store.postgres.life import LifeSigns
    from reamon.store.postgres.writer import PostgresWriter

_LOGGER: Final = "reamon.exporters"
_BEATS: Final = 6  # signs of life within the time after which a process counts as dead


class PostgresExporter:
    """Writes spans to PostgreSQL, where they can be queried as soon as a batch is acknowledged.

    Any number of processes may write to one database. Each batch is one transaction. What cannot be delivered waits in
    the outbox, so a database that is down loses nothing. A workflow is stored when it starts; if its process dies,
    another one marks it `interrupted`, whatever machine it was on.

    What is not given is read from the environment (`REAMON_POSTGRES__URL`, ...), else it has its default.

    Args:
        url: The database: `postgresql://user:password@host:5432/database`. What it leaves open comes from `PGHOST`,
            `PGPASSWORD`, `~/.pgpass` and so on.
        schema: The schema of the tables, `reamon` if neither this nor the URL (`?schema=`) names one.
        migrate: Whether the tables are made and migrated where needed. If not, `reamon migrate` has to do it.
        connect_timeout: Seconds to wait for a connection.
        statement_timeout: Seconds that one statement may take, waiting for locks included.
        dead_after: Seconds for which nothing may be seen of a process before its workflows count as interrupted.
        name: Unique among the configured exporters.

    Raises:
        ConfigurationError: An argument cannot be used.
        MissingExtraError: psycopg is not installed.

    Example:
        >>> PostgresExporter("postgresql://ada:secret@db.example/calls")
        PostgresExporter('db.example:5432/calls/reamon', name='postgres')
    """

    def __init__(
        self,
        url: str | SecretStr | None = None,
        *,
        schema: str | None = None,
        migrate: bool | None = None,
        connect_timeout: float | None = None,
        statement_timeout: float | None = None,
        dead_after: float | None = None,
        name: str = "postgres",
    ) -> None:
        settings = PostgresSettings.from_environment(
            url=url,
            schema=schema,
            migrate=migrate,
            connect_timeout=connect_timeout,
            statement_timeout=statement_timeout,
            dead_after=dead_after,
        )
        if settings.url is None:
            raise ConfigurationError(
                "PostgresExporter needs the address of a database: give a URL, or set REAMON_POSTGRES__URL"
            )
        self.name = name
        self._settings = settings
        self._address = parse_url(settings.url.get_secret_value(), settings.schema)
        self._lock = threading.Lock()
        self._open: _Open | None = None
        self._has_shown_itself = False
        self._settles_at = 0.0
        self._pulse = Pulse(f"reamon-{name}-pulse", self._beat, settings.dead_after / _BEATS)

    @property
    def destination(self) -> str:
        """Where spans go. No user is part of it, so what waits on disk is delivered after a change of users, too."""
        return f"postgres {self._address.place}"

    @property
    def store_url(self) -> str | None:
        """Where the tables are, for those who keep them in order; with a password, so it is for no log."""
        return self._settings.store_url

    def open(self) -> None:
        """Make or migrate the tables, and mark what died with its process as interrupted.

        A database that cannot be reached, or does not let us in, is logged and tried again with every batch.

        Raises:
            MissingExtraError: psycopg is not installed.
            StoreError: The tables are of a newer reamon; or they are missing or older, and `migrate` is off.
        """
        psycopg = _psycopg()
        with self._lock:
            try:
                self._ready()
            except psycopg.Error as error:
                self._failed(error)
                where, why = self._address.place, describe(error).strip()
                log(_LOGGER, logging.WARNING, "postgres_not_ready", place=where, error=why, then="retried")
        self._pulse.start()

    def export(self, batch: Sequence[Span]) -> None:
        """Store finished spans in one transaction.

        Raises:
            Rejected: Some can never be stored; the others are.
            Paused: The server takes nothing until somebody changes something: a password, a permission, the tables.
            RetryAfter: The server is starting, or has no connection left.
            psycopg.Error: Nothing was stored.
        """
        self._run(lambda opened: opened.writer.write(batch))

    def started(self, batch: Sequence[Span]) -> None:
        """Store workflows that have begun, together with the sign that this process lives.

        Raises:
            Rejected: Some can never be stored; the others are.
            Paused: As with `export`.
            RetryAfter: As with `export`.
            psycopg.Error: Nothing was stored.
        """

        def store(opened: "_Open") -> None:
            if not self._has_shown_itself:
                opened.life.show(processes.current_id())
                self._has_shown_itself = True
            opened.writer.write_started(batch)

        self._run(store)

    def shutdown(self, timeout: float) -> None:
        """Close the connection. The sign of life stays while workflows of this process are unfinished.

        Args:
            timeout: Seconds that it may take.
        """
        self._pulse.stop()
        psycopg = _psycopg()
        with self._lock:
            try:
                if self._open is not None and self._has_shown_itself:
                    self._open.connection.limit = max(timeout, 0.1)
                    if not self._open.life.has_running(processes.current_id()):
                        self._open.life.withdraw(processes.current_id())
            except psycopg.Error as error:
                log(_LOGGER, logging.DEBUG, "life_sign_left", place=self._address.place, error=describe(error))
            finally:
                self._close()
                self._has_shown_itself = False

    def after_fork(self) -> None:
        """Forget the parent's connection. Only our copy of its descriptor is closed, which the parent does not notice.

        With the copy open, the server would believe after the parent's death that it still lived.
        """
        self._lock = threading.Lock()
        self._pulse.after_fork()
        self._has_shown_itself = False
        if self._open is not None:
            inherited, self._open = self._open.connection, None
            processes.abandon(inherited)
            if not inherited.closed:
                os.close(inherited.fileno())

    def _run(self, action: "Callable[[_Open], None]") -> None:
        psycopg = _psycopg()
        from reamon.exporters._postgres_errors import explained  # noqa: PLC0415 - needs psycopg

        self._pulse.start()
        with self._lock:
            try:
                action(self._ready())
            except psycopg.Error as error:
                self._failed(error)
                raise explained(error) from error
            except StoreError as error:
                raise Paused(str(error), "it is looked at again every ten seconds") from error

    def _ready(self) -> "_Open":
        """The open connection; made here if it is the first time, or if the last one broke."""
        if self._open is None:
            self._open = self._connect()
        return self._open

    def _connect(self) -> "_Open":
        from reamon.store.postgres.connection import Timeouts, connect, impatient  # noqa: PLC0415 - needs psycopg
        from reamon.store.postgres.life import LifeSigns  # noqa: PLC0415 - needs psycopg
        from reamon.store.postgres.schema import bring_up_to_date  # noqa: PLC0415 - needs psycopg
        from reamon.store.postgres.writer import PostgresWriter  # noqa: PLC0415 - needs psycopg

        settings, schema, me = self._settings, self._address.schema, processes.current_id()
        timeouts = Timeouts(connect=settings.connect_timeout, statement=settings.statement_timeout)
        connection = connect(self._address, timeouts)
        try:
            bring_up_to_date(connection, self._address, migrate=settings.migrate)
            with impatient(connection):  # a start of the application waits for this
                life = LifeSigns(connection, schema, timedelta(seconds=settings.dead_after))
                opened = _Open(connection, PostgresWriter(connection, schema), life)
                if self._has_shown_itself or life.has_running(me):  # or an exporter before this one recorded them
                    life.show(me)
                    self._has_shown_itself = True
                self._settle_the_dead(opened)
        except BaseException:
            connection.close()
            raise
        return opened

    def _beat(self) -> None:
        """Show that this process lives, and look who does not. Trouble with the server is the lane's to tell."""
        psycopg = _psycopg()
        with self._lock:
            if not self._pulse.goes_on:  # we were shut down while this waited
                return
            try:
                if self._open is None:
                    self._ready()
                    return
                if self._has_shown_itself:
                    self._open.life.see(processes.current_id())
                self._settle_the_dead(self._open)
            except psycopg.Error as error:
                self._failed(error)
            except StoreError:
                return

    def _settle_the_dead(self, opened: "_Open") -> None:
        """Mark what the dead had running. After an outage, those who live get time to come back before."""
        if time.monotonic() < self._settles_at:
            return
        workflows, dead = opened.life.settle_the_dead(processes.current_id())
        if workflows:
            where = self._address.place
            log(_LOGGER, logging.WARNING, "workflows_interrupted", workflows=workflows, processes=dead, place=where)

    def _failed(self, error: Exception) -> None:
        """Part with the connection after an error, unless that was of the moment (a lock, a full disk)."""
        if self._open is None or self._open.connection.closed or not _is_of_the_moment(error):
            self._settles_at = time.monotonic() + self._settings.dead_after
            self._close()

    def _close(self) -> None:
        if self._open is not None:
            self._open.connection.close()
            self._open = None

    def __repr__(self) -> str:
        return f"PostgresExporter({self._address.place!r}, name={self.name!r})"


class _Open(NamedTuple):
    connection: "BoundedConnection"
    writer: "PostgresWriter"
    life: "LifeSigns"


def _is_of_the_moment(error: Exception) -> bool:
    """Whether an error says nothing against the connection: a deadlock, a conflict, a lock, no room on the disk."""
    code = getattr(error, "sqlstate", None) or ""
    return code[:2] in {"40", "53"} or code in {"55P03", "57014"}


def _psycopg() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingExtraError("the exporter 'postgres'", "postgres", error.name) from error
    return psycopg
