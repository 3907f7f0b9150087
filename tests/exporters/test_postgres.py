"""The PostgreSQL exporter: conformance, trouble with the server, several processes, and workflows that died."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

import reamon
from reamon import processes
from reamon.errors import ConfigurationError, Paused, Rejected, RetryAfter, StoreError
from reamon.exporters import PostgresExporter
from reamon.exporters._postgres_errors import explained
from reamon.model import Payload, Span, SpanStatus
from reamon.protocols import Exporter
from reamon.store.migrate import upgrade
from reamon.store.versions import VERSION_TABLE
from reamon.testing import check_exporter, make_span
from support.exporters import wait_until
from support.postgres import POSTGRES_URL, connected, hang_up, make_tables, postgres_schema, read, with_database

PRELUDE = """
import os, sys, time
from reamon import processes
from reamon.exporters import PostgresExporter
from reamon.model.ids import uuid7
from reamon.testing import make_span

def turn(status="ok"):
    span_id = uuid7(time.time_ns(), int.from_bytes(os.urandom(8), "big") >> 2)
    return make_span("turn", "workflow", span_id=span_id, process_id=processes.current_id(), status=status)

exporter = PostgresExporter(os.environ["STORE"])
exporter.open()
"""
"""What other processes in these tests begin with."""


@pytest.fixture
def empty_url() -> Iterator[str]:
    """The URL of a schema that is not there yet."""
    with postgres_schema() as url:
        yield url


@pytest.fixture
def url(empty_url: str) -> str:
    """The URL of a schema with the store's tables."""
    make_tables(empty_url)
    return empty_url


@contextmanager
def opened(url: str, **options: Any) -> Iterator[PostgresExporter]:
    exporter = PostgresExporter(url, **options)
    exporter.open()
    try:
        yield exporter
    finally:
        exporter.shutdown(5.0)


def running(process_id: str | None = None) -> Span:
    return make_span("turn", "workflow", status="running", process_id=process_id or processes.current_id())


def statuses(url: str) -> list[str]:
    return sorted(read(url, "SELECT status FROM workflow_traces"))


def read_setting(exporter: PostgresExporter, name: str) -> Any:
    assert exporter._open is not None
    ((value,),) = exporter._open.connection.execute(f"SHOW {name}").fetchall()
    return value


def not_seen_for_long(url: str) -> None:
    with connected(url) as connection:
        connection.execute("UPDATE processes SET last_seen = last_seen - interval '1 hour'")


def start(code: str, url: str) -> "subprocess.Popen[str]":
    """Another process; it is ready once it has printed a line."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code],
        env={**os.environ, "STORE": url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# The contract


def test_it_keeps_the_contract_and_stores_each_span_once(empty_url: str) -> None:
    def read_back() -> list[str]:
        return [
            *read(empty_url, "SELECT span_id FROM agent_executions UNION ALL SELECT span_id FROM operations"),
            *read(empty_url, "SELECT trace_id FROM workflow_traces WHERE kind = 'workflow' AND status <> 'running'"),
        ]

    check_exporter(lambda: PostgresExporter(empty_url), read_back=read_back, exactly_once=True)


def test_it_is_remote_and_its_destination_says_neither_user_nor_password() -> None:
    exporter = PostgresExporter("postgresql://ada:secret@db.example/calls", schema="voice", name="store")
    assert isinstance(exporter, Exporter)
    assert not hasattr(exporter, "local")
    assert exporter.destination == "postgres db.example:5432/calls/voice"
    assert repr(exporter) == "PostgresExporter('db.example:5432/calls/voice', name='store')"
    other = PostgresExporter(SecretStr("postgres://bob:other@db.example:5432/calls?schema=voice"))
    assert other.destination == exporter.destination


def test_what_is_not_given_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_POSTGRES__URL", "postgresql://ada:secret@db.example/calls")
    monkeypatch.setenv("REAMON_POSTGRES__SCHEMA", "voice")
    assert PostgresExporter().destination == "postgres db.example:5432/calls/voice"
    assert PostgresExporter(schema="other").destination == "postgres db.example:5432/calls/other"


def test_without_an_address_it_says_which_setting_is_missing() -> None:
    with pytest.raises(ConfigurationError, match="set REAMON_POSTGRES__URL"):
        PostgresExporter()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connect_timeout": 0}, r"postgres\.connect_timeout = 0: it has to be a number more than 0"),
        ({"statement_timeout": float("nan")}, r"postgres\.statement_timeout"),
        ({"dead_after": 0.5}, r"postgres\.dead_after = 0\.5: it has to be a number at least 1"),
        ({"schema": "No Schema"}, "the schema 'No Schema' cannot be used"),
    ],
)
def test_a_bad_argument_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        PostgresExporter("postgresql://localhost/calls", **options)


def test_configured_by_name_it_delivers_what_was_recorded(empty_url: str) -> None:
    reamon.configure(exporters="postgres", postgres={"url": empty_url})
    with reamon.trace_workflow("turn", call_id="call-1"), reamon.trace_tool("look up"):
        pass
    assert reamon.flush(20.0)
    assert read(empty_url, "SELECT call_id, status FROM workflow_traces") == [("call-1", "completed")]
    assert read(empty_url, "SELECT name FROM operations") == ["look up"]


# Tables


def test_where_it_may_not_migrate_it_says_what_to_do_and_goes_on_once_it_is_done(empty_url: str) -> None:
    exporter = PostgresExporter(empty_url, migrate=False)
    with pytest.raises(StoreError, match="run `reamon migrate`"):
        exporter.open()
    with pytest.raises(Paused, match="run `reamon migrate`"):
        exporter.export([make_span()])
    upgrade(empty_url)
    exporter.export([make_span("turn", "workflow")])
    assert statuses(empty_url) == ["completed"]
    exporter.shutdown(1.0)


def test_tables_of_a_newer_reamon_are_refused(url: str) -> None:
    with connected(url) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(StoreError, match="upgrade reamon"):
        PostgresExporter(url).open()


def test_tables_that_vanish_are_made_again(url: str) -> None:
    with opened(url) as exporter:
        exporter.export([make_span("lost", "workflow")])
        with connected(url) as connection:
            connection.execute(f"DROP SCHEMA {url.rpartition('=')[2]} CASCADE")
        with pytest.raises(psycopg.Error):
            exporter.export([make_span("turn", "workflow")])
        exporter.export([make_span("turn", "workflow")])
        assert statuses(url) == ["completed"]


# Trouble with the server


def test_a_server_that_is_down_is_no_error_at_open(caplog: pytest.LogCaptureFixture) -> None:
    with opened("postgresql://127.0.0.1:1/calls") as exporter:
        assert "postgres_not_ready" in caplog.text
        with pytest.raises(psycopg.OperationalError, match="refused"):
            exporter.export([make_span()])


def test_a_connection_that_was_ended_is_opened_anew(url: str) -> None:
    turn = make_span("turn", "workflow")
    with opened(url) as exporter:
        exporter.export([make_span("before", "workflow")])
        assert exporter._open is not None
        with connected(url) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", (exporter._open.connection.info.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            exporter.export([turn])
        exporter.export([turn])
        assert statuses(url) == ["completed"] * 2


def test_a_lock_costs_a_batch_its_turn_and_not_the_connection(url: str) -> None:
    with opened(url, statement_timeout=1.0) as exporter:
        assert exporter._open is not None
        first = exporter._open.connection
        with connected(url) as other, other.transaction():
            other.execute("LOCK TABLE workflow_traces IN ACCESS EXCLUSIVE MODE")
            with pytest.raises((psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled)):
                exporter.export([make_span("turn", "workflow")])
        exporter.export([make_span("turn", "workflow")])
        assert exporter._open.connection is first


@pytest.mark.parametrize("table", ["workflow_traces", "operations", "processes"])
def test_a_table_that_somebody_has_locked_does_not_hold_up_the_start(
    url: str, table: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reamon.store.postgres.connection._IMPATIENCE", 20)
    monkeypatch.setattr("reamon.store.postgres.partitions._MAKING_WAITS", "20ms")
    exporter = PostgresExporter(url, statement_timeout=3600)  # what it would wait for a lock otherwise
    with connected(url) as human, human.transaction():
        human.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        exporter.open()
    assert "LockNotAvailable" in caplog.text
    exporter.export([make_span("turn", "workflow")])
    assert statuses(url) == ["completed"]
    assert read_setting(exporter, "lock_timeout") == "1h"
    exporter.shutdown(1.0)


def test_a_server_that_accepts_and_never_answers_holds_nobody_for_long() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        exporter = PostgresExporter(f"postgresql://127.0.0.1:{server.getsockname()[1]}/calls", connect_timeout=0.1)
        with pytest.raises(psycopg.errors.ConnectionTimeout):
            exporter.export([make_span()])
        exporter.shutdown(0.1)


def test_a_missing_database_pauses_the_lane(url: str) -> None:
    exporter = PostgresExporter(with_database(POSTGRES_URL, "no_such_database_here"))
    with pytest.raises(Paused, match="create the database"):
        exporter.export([make_span()])
    exporter.shutdown(0.1)


def test_a_role_without_permission_pauses_the_lane(url: str) -> None:
    role = f"{url.rpartition('=')[2]}_stranger"
    with psycopg.connect(POSTGRES_URL, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {role} LOGIN")
        try:
            exporter = PostgresExporter(url.replace("postgres@", f"{role}@"))
            with pytest.raises(Paused, match=r"permission denied .*; grant the user what it needs"):
                exporter.export([make_span()])
            exporter.shutdown(0.1)
        finally:
            owner.execute(f"DROP ROLE {role}")


def test_a_table_of_the_applications_that_has_our_name_pauses_the_lane(empty_url: str) -> None:
    with connected(empty_url) as owner:
        schema = empty_url.rpartition("=")[2]
        owner.execute(f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.operations (surgeon text)")
    exporter = PostgresExporter(empty_url)
    with pytest.raises(Paused, match=r'"operations" already exists.*give the store a schema of its own'):
        exporter.export([make_span()])
    exporter.shutdown(0.1)


def test_a_session_that_a_pooler_hands_on_as_it_was_pauses_the_lane(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(url) as exporter, monkeypatch.context() as patch:
        assert exporter._open is not None
        patch.setattr("reamon.store.postgres.connection.connect", lambda *_: used)
        used = exporter._open.connection
        with pytest.raises(Paused, match=r"staged_operations.*set pool_mode = session"):
            PostgresExporter(url).export([make_span()])


def test_a_read_only_server_pauses_the_lane(url: str) -> None:
    options = "&options=-c%20default_transaction_read_only%3Don"
    with opened(f"{url}{options}") as exporter, pytest.raises(Paused, match="address of the primary server"):
        exporter.export([make_span()])


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('FATAL:  password authentication failed for user "ada"', Paused),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', Paused),
        ('FATAL:  role "ada" does not exist', Paused),
        ('FATAL:  database "calls" does not exist', Paused),
        ("FATAL:  sorry, too many clients already", RetryAfter),
        ("FATAL:  remaining connection slots are reserved", RetryAfter),
        ("FATAL:  the database system is starting up", RetryAfter),
        ("connection refused", psycopg.OperationalError),
    ],
)
def test_a_refused_connection_is_told_apart_by_what_is_said(said: str, told: type[Exception]) -> None:
    assert isinstance(explained(psycopg.OperationalError(f"connection failed: {said}")), told)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (psycopg.errors.TooManyConnections, RetryAfter),
        (psycopg.errors.InsufficientPrivilege, Paused),
        (psycopg.errors.ReadOnlySqlTransaction, Paused),
        (psycopg.errors.DuplicateTable, Paused),
        (psycopg.errors.DiskFull, psycopg.errors.DiskFull),
        (psycopg.errors.DeadlockDetected, psycopg.errors.DeadlockDetected),
        (psycopg.errors.AdminShutdown, psycopg.errors.AdminShutdown),
    ],
)
def test_an_error_is_told_by_its_code(error: type[psycopg.Error], told: type[Exception]) -> None:
    assert isinstance(explained(error("what happened")), told)


def test_a_span_that_can_never_be_stored_is_rejected_and_the_connection_stays(url: str) -> None:
    good, bad = make_span("step", "step", parent=make_span()), make_span("bad", "step", input=Payload(b"{"))
    with opened(url) as exporter:
        with pytest.raises(Rejected) as refusal:
            exporter.export([good, bad])
        assert refusal.value.span_ids == (bad.span_id,)
        assert read(url, "SELECT span_id FROM operations") == [good.span_id]


# Several at once


def test_threads_with_an_exporter_each_write_one_store_at_once(url: str) -> None:
    begin = threading.Barrier(4)

    def write(count: int) -> list[str]:
        spans = [make_span("step", "step", parent=make_span()) for _ in range(count)]
        begin.wait()
        with opened(url) as exporter:
            for position in range(0, count, 25):
                exporter.export(spans[position : position + 25])
        return [span.span_id for span in spans]

    with ThreadPoolExecutor(4) as pool:
        written = [span_id for ids in pool.map(write, [100] * 4) for span_id in ids]
    assert sorted(read(url, "SELECT span_id FROM operations")) == sorted(written)


# Workflows that died with their process


def test_what_a_dead_process_had_running_is_interrupted_by_the_next_start(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = start("exporter.started([turn('running')]); print('ready', flush=True); time.sleep(60)", url)
    try:
        assert first_line(other) == "ready"
        not_seen_for_long(url)
        with opened(url):
            assert statuses(url) == ["running"]
    finally:
        other.kill()
        other.communicate()
    with opened(url, dead_after=1.0) as exporter:
        wait_until(lambda: exporter._beat() or statuses(url) == ["interrupted"])
    assert "event='workflows_interrupted' workflows=1 processes=1" in caplog.text
    assert read(url, "SELECT * FROM processes") == []


def test_a_running_exporter_notices_a_death_by_itself(url: str) -> None:
    with opened(url, dead_after=1.0) as exporter:
        exporter.started([running(), running("dead")])
        wait_until(lambda: statuses(url) == ["interrupted", "running"])


def test_a_process_shows_itself_while_it_has_workflows_running_and_withdraws_after_them(url: str) -> None:
    turn = running()
    with opened(url) as exporter:
        assert read(url, "SELECT * FROM processes") == []
        exporter.started([turn])
        assert read(url, "SELECT process_id FROM processes") == [processes.current_id()]
    assert read(url, "SELECT process_id FROM processes") == [processes.current_id()]  # it is not over
    with opened(url) as exporter:
        assert statuses(url) == ["running"]
        exporter.export([turn.replace(status=SpanStatus.OK, end_ns=turn.start_ns)])
    assert read(url, "SELECT process_id FROM processes") == []
    assert statuses(url) == ["completed"]


def test_a_process_that_lost_its_connection_shows_itself_again(url: str) -> None:
    with opened(url) as exporter:
        exporter.started([running()])
        assert exporter._open is not None
        hang_up(exporter._open.connection)
        with pytest.raises(psycopg.OperationalError):
            exporter.export([make_span()])
        exporter.export([make_span()])
        not_seen_for_long(url)
        with connected(url) as connection:
            held = connection.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = %s",
                (exporter._open.connection.info.backend_pid,),
            ).fetchone()
        assert held == (1,)


def test_after_an_outage_the_living_get_time_to_come_back(url: str) -> None:
    with opened(url) as exporter:
        exporter.started([running("another")])
        assert exporter._open is not None
        hang_up(exporter._open.connection)
        with pytest.raises(psycopg.OperationalError):
            exporter.export([make_span()])
        exporter.export([make_span("turn", "workflow")])
        exporter._beat()
        assert statuses(url) == ["completed", "running"]
        exporter._settles_at = 0.0  # the time is over
        exporter._beat()
        assert statuses(url) == ["completed", "interrupted"]


def test_a_beat_that_waited_for_the_shutdown_does_not_open_what_was_closed(url: str) -> None:
    with opened(url) as exporter:
        beat = threading.Thread(target=exporter._beat)
        with exporter._lock:
            beat.start()
            exporter._pulse.stop()
            exporter._close()
        beat.join()
        assert exporter._open is None


# Forks


def test_a_forked_child_uses_a_connection_and_a_life_sign_of_its_own(url: str) -> None:
    code = """
exporter.started([turn("running")])
inherited = exporter._open.connection
child = os.fork()
if child == 0:
    processes.renew()
    exporter.after_fork()
    exporter.started([turn("running")])
    exporter.export([turn()])
    assert exporter._open.connection is not inherited
    exporter.shutdown(1.0)
    sys.exit(0)  # and so the interpreter ends, with all that it does to objects that are left
_, status = os.waitpid(child, 0)
assert status == 0, status
exporter.export([turn()])
print("ready", flush=True)
sys.stdin.read()
"""
    parent = start(code, url)
    assert first_line(parent) == "ready"
    not_seen_for_long(url)
    with opened(url, dead_after=1.0):  # the parent lives, its child does not
        assert statuses(url) == ["completed", "completed", "interrupted", "running"]
    parent.communicate()
    assert parent.returncode == 0


def test_a_child_may_inherit_a_connection_that_is_closed(url: str) -> None:
    with opened(url) as exporter:
        assert exporter._open is not None
        exporter._open.connection.close()
        exporter.after_fork()
        exporter.export([make_span("turn", "workflow")])
        assert statuses(url) == ["completed"]


def test_a_parent_that_is_killed_is_dead_though_its_child_lives(url: str) -> None:
    code = """
exporter.started([turn("running")])
if os.fork() == 0:
    processes.renew()
    exporter.after_fork()
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
time.sleep(60)
"""
    parent = start(code, url)
    assert first_line(parent) == "ready"
    parent.kill()
    parent.wait()
    not_seen_for_long(url)
    with opened(url, dead_after=1.0) as exporter:
        wait_until(lambda: exporter._beat() or statuses(url) == ["interrupted"])
    parent.communicate()


def test_a_fork_while_a_batch_is_being_written_leaves_no_lock_behind(url: str) -> None:
    code = """
with exporter._lock:  # as if another thread were in the middle of it
    child = os.fork()
    if child == 0:
        exporter.after_fork()
        exporter.export([turn()])
        os._exit(0)
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status))
"""
    assert start(code, url).wait(60) == 0
    assert statuses(url) == ["completed"]


def test_nothing_is_imported_from_sqlalchemy_to_write_to_a_store_that_is_there(url: str, tmp_path: Path) -> None:
    code = "exporter.export([turn()]); print(sorted({'sqlalchemy', 'sqlmodel', 'alembic'} & set(sys.modules)))"
    assert first_line(start(code, url)) == "[]"
