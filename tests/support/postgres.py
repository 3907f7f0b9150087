"""PostgreSQL for tests: a schema or a database for each, and a whole server for those that kill it."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, event

from reamon.store.migrate import upgrade
from reamon.store.postgres.connection import BoundedConnection, Timeouts, connect
from reamon.store.postgres.urls import parse_url
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE

POSTGRES_URL = os.environ.get("REAMON_TEST_POSTGRES_URL") or "postgresql://postgres@127.0.0.1:5432/postgres"
"""Read at import: what the environment says does not reach a test."""

_USER = "postgres"
_QUICK = "shared_buffers=16MB max_connections=60 listen_addresses=127.0.0.1 log_min_messages=warning"


@contextmanager
def postgres_schema() -> Iterator[str]:
    """The URL of a schema that nobody else uses and that does not exist yet; it is dropped afterwards.

    Skips the test where no PostgreSQL answers.
    """
    _skip_without_postgres()
    schema = f"reamon_test_{secrets.token_hex(6)}"
    try:
        yield with_schema(POSTGRES_URL, schema)
    finally:
        with psycopg.connect(POSTGRES_URL, autocommit=True) as owner:
            owner.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")


def make_tables(url: str) -> None:
    """Make the store's tables in the schema of the URL, as a migration has made them before, in half of its time."""
    address = parse_url(url)
    with psycopg.connect(**address.parameters, autocommit=True) as owner:
        owner.execute(f"CREATE SCHEMA {address.schema}; SET search_path TO {address.schema}; {_script()}")


@cache
def _script() -> str:
    """The statements by which a migration makes the tables: what one has executed."""
    executed: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.split(maxsplit=1)[0] in {"CREATE", "ALTER", "DROP"} and "SCHEMA" not in statement:
            executed.append(statement)

    with postgres_schema() as url:
        event.listen(Engine, "before_cursor_execute", note)
        try:
            upgrade(url)
        finally:
            event.remove(Engine, "before_cursor_execute", note)
    return ";".join([*executed, f"INSERT INTO {VERSION_TABLE} VALUES ('{SCHEMA_VERSION}')"])


@contextmanager
def postgres_database() -> Iterator[str]:
    """The URL of an empty database of the test's own; it is dropped afterwards."""
    _skip_without_postgres()
    name = f"reamon_test_{secrets.token_hex(6)}"
    with psycopg.connect(POSTGRES_URL, autocommit=True) as owner:
        owner.execute(f"CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0")
        try:
            yield with_database(POSTGRES_URL, name)
        finally:
            owner.execute(f"DROP DATABASE {name} WITH (FORCE)")


def with_schema(url: str, schema: str) -> str:
    """The URL with a schema of the store's."""
    return f"{url}{'&' if '?' in url else '?'}schema={schema}"


def with_database(url: str, name: str) -> str:
    """The URL of another database of the same server."""
    parameters = {**parse_url(url).parameters, "dbname": name}
    return "postgresql:///?" + "&".join(f"{key}={value}" for key, value in parameters.items())


@contextmanager
def connected(url: str, timeouts: Timeouts | None = None) -> Iterator[BoundedConnection]:
    """A connection as the exporter has it: in the schema of the URL."""
    with connect(parse_url(url), timeouts or Timeouts()) as connection:
        yield connection


def hang_up(connection: BoundedConnection) -> None:
    """Close a connection and wait until the server has noticed, and let go of its locks."""
    pid = connection.info.backend_pid
    connection.close()
    there = "SELECT 1 FROM pg_stat_activity WHERE pid = %s"
    with psycopg.connect(POSTGRES_URL, autocommit=True) as observer:
        while observer.execute(there, (pid,)).fetchall():
            time.sleep(0.002)


def read(url: str, query: str, *parameters: Any) -> list[Any]:
    """What a query finds in the schema of the URL: rows, or values where they have one column."""
    with connected(url) as connection:
        found = connection.execute(query, parameters).fetchall()
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


class PostgresServer:
    """A PostgreSQL server of the test's own.

    Attributes:
        url: Its address.
    """

    def __init__(self, binaries: Path, directory: Path, port: int) -> None:
        self._binaries = binaries
        self._data = directory / "data"
        self._log = directory / "log"
        self._port = port
        self.url = f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
        self._run("initdb", "-D", str(self._data), "-U", _USER, "-A", "trust", "-E", "UTF8", "--locale=C")

    def start(self) -> None:
        """Start it; it answers when this returns."""
        settings = " ".join(f"-c {setting}" for setting in _QUICK.split())
        options = f"-p {self._port} -k '' {settings}"
        self._run("pg_ctl", "-D", str(self._data), "-l", str(self._log), "-w", "-t", "60", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: "immediate" is as a crash, "fast" ends all connections."""
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    def kill(self) -> None:
        """Kill all of it as a power cut would (`kill -9`)."""
        self.signal(signal.SIGKILL)
        (self._data / "postmaster.pid").unlink(missing_ok=True)  # where nobody reaps it, its number stays taken

    def signal(self, number: int) -> None:
        """Send a signal to the server and to every process of it."""
        for process in self.processes():
            try:
                os.kill(process, number)
            except ProcessLookupError:
                continue

    def processes(self) -> list[int]:
        """The server's process and its children."""
        try:
            postmaster = int((self._data / "postmaster.pid").read_text().splitlines()[0])
            children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        except FileNotFoundError:
            return []
        return [postmaster, *map(int, children)]

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", _USER, "--", *command]
        done = subprocess.run(
            command, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        if done.returncode:
            log = self._log.read_text() if self._log.exists() else ""
            raise RuntimeError(f"{program}: {done.stdout.decode(errors='replace')}\n{log[-2000:]}")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server that may be killed; it runs already. Skips the test where PostgreSQL's programs are not installed."""
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL's programs (initdb, pg_ctl) are not installed here: no server to kill")
    with tempfile.TemporaryDirectory(prefix="reamon-postgres-", ignore_cleanup_errors=True) as directory:
        if os.geteuid() == 0:
            shutil.chown(directory, _USER)
        server = PostgresServer(binaries, Path(directory), _free_port())
        server.start()
        try:
            yield server
        finally:
            server.kill()


@cache
def _binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    named = shutil.which("initdb")
    program = found[-1] if found else Path(named) if named else None
    return program.parent if program is not None else None


@cache
def _skip_without_postgres() -> None:
    try:
        psycopg.connect(POSTGRES_URL, connect_timeout=2).close()
    except psycopg.Error as error:
        pytest.skip(f"no PostgreSQL answers (REAMON_TEST_POSTGRES_URL): {error}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
