"""The SQLite exporter: conformance, trouble with the disk, several processes, and workflows that died."""

import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from reamon import processes
from reamon.errors import ConfigurationError, StoreError
from reamon.exporters import SQLiteExporter
from reamon.model import Span, SpanStatus
from reamon.protocols import Exporter
from reamon.testing import check_exporter, make_span

PRELUDE = """
import os, sys, time
from reamon import processes
from reamon.exporters import SQLiteExporter
from reamon.model import SpanStatus
from reamon.model.ids import uuid7
from reamon.testing import make_span

def turn(status="ok"):
    span_id = uuid7(time.time_ns(), int.from_bytes(os.urandom(8), "big") >> 2)
    return make_span("turn", "workflow", span_id=span_id, process_id=processes.current_id(), status=status)

exporter = SQLiteExporter("store.db")
exporter.open()
"""
"""What other processes in these tests begin with; they run in the test's directory."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[SQLiteExporter]:
    exporter = SQLiteExporter(path, **options)
    exporter.open()
    try:
        yield exporter
    finally:
        exporter.shutdown(1.0)


def running(process_id: str | None = None) -> Span:
    return make_span("turn", "workflow", status="running", process_id=process_id or processes.current_id())


def read(path: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(sql).fetchall()
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


def statuses(path: Path) -> list[str]:
    return sorted(read(path, "SELECT status FROM workflow_traces"))


def start(code: str, directory: Path) -> "subprocess.Popen[str]":
    """Another process; it is ready once it has printed a line."""
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


# The contract


def test_it_keeps_the_contract_and_stores_each_span_once(path: Path) -> None:
    def read_back() -> list[str]:
        return [
            *read(path, "SELECT span_id FROM agent_executions UNION ALL SELECT span_id FROM operations"),
            *read(path, "SELECT trace_id FROM workflow_traces WHERE kind = 'workflow' AND status <> 'running'"),
        ]

    check_exporter(lambda: SQLiteExporter(path), read_back=read_back, exactly_once=True)


def test_it_is_local_and_says_where_it_writes(path: Path) -> None:
    exporter = SQLiteExporter(path, name="traces")
    assert isinstance(exporter, Exporter)
    assert (exporter.name, exporter.local, exporter.destination) == ("traces", True, f"sqlite:{path}")


def test_without_a_path_it_writes_to_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert SQLiteExporter().path == tmp_path / ".reamon" / "reamon.db"
    monkeypatch.setenv("REAMON_HOME", str(tmp_path / "home"))
    assert SQLiteExporter().path == tmp_path / "home" / "reamon.db"


def test_spans_can_be_queried_as_soon_as_export_returns(path: Path) -> None:
    with opened(path) as exporter:
        exporter.export([make_span("turn", "workflow")])
        assert statuses(path) == ["completed"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"synchronous": "OFF"}, "synchronous='OFF' must be 'NORMAL' or 'FULL'"),
        ({"busy_timeout": 0}, "busy_timeout=0 must be more than 0 seconds"),
        ({"busy_timeout": float("nan")}, "busy_timeout=nan must be more than 0 seconds"),
        ({"path": ":memory:"}, "to keep spans in memory use MemoryExporter"),
    ],
)
def test_a_bad_argument_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        SQLiteExporter(**options)


def test_a_path_that_is_a_directory_is_refused_at_open(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a directory; give the path of a file in it"):
        SQLiteExporter(tmp_path).open()


def test_a_file_that_is_no_database_is_refused_at_open(path: Path) -> None:
    path.write_text("remember the milk " * 100)
    with pytest.raises(StoreError, match="is not an SQLite database"):
        SQLiteExporter(path).open()


# Trouble with the disk


def test_a_locked_file_is_no_error_at_open_and_written_once_it_is_free(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        exporter = SQLiteExporter(path, busy_timeout=0.05)
        exporter.open()
        assert "sqlite_not_ready" in caplog.text
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            exporter.export([make_span("turn", "workflow")])
        other.execute("ROLLBACK")
    exporter.export([make_span("turn", "workflow")])
    assert statuses(path) == ["completed"]
    exporter.shutdown(1.0)


def test_a_lock_that_comes_later_costs_no_span_and_no_connection(path: Path) -> None:
    turn = make_span("turn", "workflow")
    with opened(path, busy_timeout=0.05) as exporter, closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            exporter.export([turn])
        other.execute("ROLLBACK")
        exporter.export([turn])
        assert statuses(path) == ["completed"]


def test_a_directory_that_cannot_be_made_is_no_error_at_open(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    blocked.write_text("a file where a directory should be")
    exporter = SQLiteExporter(blocked / "store.db")
    exporter.open()
    with pytest.raises(OSError, match="blocked"):
        exporter.export([make_span()])
    blocked.unlink()
    exporter.export([make_span("turn", "workflow")])
    assert statuses(blocked / "store.db") == ["completed"]
    exporter.shutdown(1.0)


@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_was_removed_or_replaced_is_made_anew(path: Path, replaced: bool) -> None:
    with opened(path) as exporter:
        exporter.export([make_span("lost", "workflow")])
        for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
            path.with_name(name).unlink()
        if replaced:
            with opened(path) as another:
                another.export([make_span("another", "workflow")])
        exporter.export([make_span("kept", "workflow")])
        names = read(path, "SELECT workflow_name FROM workflow_traces ORDER BY id")
    assert names == (["another", "kept"] if replaced else ["kept"])


def test_a_connection_that_breaks_is_opened_anew(path: Path) -> None:
    with opened(path) as exporter:
        exporter.export([make_span("turn", "workflow")])
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("ALTER TABLE workflow_traces RENAME TO hidden")
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                exporter.export([make_span("turn", "workflow")])
            other.execute("ALTER TABLE hidden RENAME TO workflow_traces")
        exporter.export([make_span("turn", "workflow")])
        assert statuses(path) == ["completed"] * 2


def test_after_shutdown_the_file_stands_alone_and_its_log_is_gone(path: Path) -> None:
    with opened(path) as exporter:
        exporter.export([make_span("turn", "workflow")])
        exporter.started([running()])
    exporter.shutdown(1.0)
    assert not path.with_name("store.db-wal").exists()


# Several at once


def test_threads_with_an_exporter_each_write_one_file_at_once(path: Path) -> None:
    begin = threading.Barrier(8)

    def write(count: int) -> list[str]:
        spans = [make_span("step", "step", parent=make_span()) for _ in range(count)]
        begin.wait()
        with opened(path, busy_timeout=30) as exporter:
            for position in range(0, count, 25):
                exporter.export(spans[position : position + 25])
        return [span.span_id for span in spans]

    with ThreadPoolExecutor(8) as pool:
        written = [span_id for ids in pool.map(write, [200] * 8) for span_id in ids]
    assert sorted(read(path, "SELECT span_id FROM operations")) == sorted(written)


@pytest.mark.slow
def test_processes_make_and_write_one_file_at_once_and_every_span_is_there_once(path: Path) -> None:
    code = """
for _ in range(40):
    exporter.export([turn() for _ in range(25)])
exporter.shutdown(1.0)
"""
    others = [start(code, path.parent) for _ in range(8)]
    assert [other.wait(60) for other in others] == [0] * 8
    assert read(path, "SELECT COUNT(*), COUNT(DISTINCT trace_id) FROM workflow_traces") == [(8000, 8000)]
    assert read(path, "PRAGMA integrity_check") == ["ok"]


# Workflows that died with their process


def test_what_a_killed_process_had_running_is_interrupted_but_not_while_it_lives(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = start("exporter.started([turn('running')]); print('ready', flush=True); time.sleep(60)", path.parent)
    try:
        assert first_line(other) == "ready"
        with opened(path):
            assert statuses(path) == ["running"]
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate()
    with opened(path):
        assert statuses(path) == ["interrupted"]
    assert "event='workflows_interrupted' workflows=1 processes=1" in caplog.text
    assert list(path.with_name("store.db-processes").iterdir()) == []


def test_a_process_that_ended_with_its_workflow_running_leaves_it_to_the_next_start(path: Path) -> None:
    other = start("exporter.started([turn('running')]); exporter.shutdown(1.0)", path.parent)
    other.communicate()
    assert statuses(path) == ["running"]
    with opened(path):
        assert statuses(path) == ["interrupted"]


def test_workflows_of_this_process_survive_a_change_of_exporters(path: Path) -> None:
    turn = running()
    with opened(path) as exporter:
        exporter.started([turn])
    with opened(path) as exporter:
        assert statuses(path) == ["running"]
        exporter.export([turn.replace(status=SpanStatus.OK, end_ns=turn.start_ns)])
    assert statuses(path) == ["completed"]


def test_a_workflow_of_no_known_process_is_left_alone(path: Path) -> None:
    with opened(path) as exporter:
        exporter.started([running().replace(process_id=None)])
    with opened(path):
        assert statuses(path) == ["running"]


# Forks


def test_a_forked_child_uses_a_connection_and_a_life_sign_of_its_own(path: Path) -> None:
    code = """
exporter.started([turn("running")])
inherited = exporter._file.connection
child = os.fork()
if child == 0:
    processes.renew()
    exporter.after_fork()
    exporter.started([turn("running")])
    exporter.export([turn()])
    assert exporter._file.connection is not inherited
    exporter.shutdown(1.0)
    sys.exit(0)  # and so the interpreter ends, with all that it does to objects that are left
_, status = os.waitpid(child, 0)
assert status == 0, status
exporter.export([turn()])
print("ready", flush=True)
sys.stdin.read()
"""
    parent = start(code, path.parent)
    assert first_line(parent) == "ready"
    with opened(path):  # the parent lives, its child does not
        assert statuses(path) == ["completed", "completed", "interrupted", "running"]
    parent.communicate()
    assert parent.returncode == 0
    assert read(path, "PRAGMA integrity_check") == ["ok"]


def test_a_fork_while_a_batch_is_being_written_leaves_no_lock_behind(path: Path) -> None:
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
    assert start(code, path.parent).wait(30) == 0
    assert statuses(path) == ["completed"]
