"""Opening a store: new, current, older, newer, and by many at once."""

import json
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from reamon.errors import StoreError
from reamon.store.sqlite import connect, default_path, schema_version
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "somewhere" / "store.db"


def pragma(connection: sqlite3.Connection, name: str) -> object:
    return connection.execute(f"PRAGMA {name}").fetchone()[0]


def set_version(path: Path, version: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (version,))


def test_a_new_store_is_made_with_its_directory_and_ready_to_be_written_to(path: Path) -> None:
    with closing(connect(path)) as connection:
        assert schema_version(connection) == SCHEMA_VERSION
        assert pragma(connection, "journal_mode") == "wal"
        assert pragma(connection, "page_size") == 16384
        assert pragma(connection, "synchronous") == 1


def test_full_synchronous_can_be_asked_for(path: Path) -> None:
    with closing(connect(path, synchronous="FULL")) as connection:
        assert pragma(connection, "synchronous") == 2


def test_opening_a_current_store_writes_nothing(path: Path) -> None:
    connect(path).close()
    before = path.read_bytes()
    connect(path).close()
    assert path.read_bytes() == before


def test_a_store_of_a_newer_reamon_is_refused_and_left_alone(path: Path) -> None:
    connect(path).close()
    set_version(path, "9999")
    with pytest.raises(StoreError, match=r"written by a newer reamon \(schema 9999.*upgrade reamon"):
        connect(path)


def test_a_version_that_is_no_number_is_taken_for_a_newer_one(path: Path) -> None:
    connect(path).close()
    set_version(path, "ae1027a6acf")
    with pytest.raises(StoreError, match="newer reamon"):
        connect(path)


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("remember the milk " * 100)
    with pytest.raises(StoreError, match="is not an SQLite database: give the store another path"):
        connect(notes)
    assert notes.read_text().startswith("remember the milk")


def test_a_hosts_database_gets_our_tables_beside_its_own(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as host:
        host.execute("CREATE TABLE leads (name TEXT)")
    with closing(connect(path)) as connection:
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert names >= {"leads", "workflow_traces"}


def test_the_wait_for_a_lock_ends(path: Path) -> None:
    connect(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            connect(path, busy_timeout=0.05)


def test_many_may_make_the_same_store_at_once(path: Path) -> None:
    start = threading.Barrier(16)

    def make() -> str | None:
        start.wait()
        with closing(connect(path, busy_timeout=30)) as connection:
            return schema_version(connection)

    with ThreadPoolExecutor(16) as pool:
        versions = [made.result() for made in [pool.submit(make) for _ in range(16)]]
    assert versions == [SCHEMA_VERSION] * 16


def test_a_creation_that_fails_leaves_nothing_half_made(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as host:
        host.execute("CREATE TABLE workflow_traces (mine TEXT)")  # the last table that is made
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        connect(path)
    with closing(sqlite3.connect(path)) as host:
        assert host.execute("SELECT name FROM sqlite_master").fetchall() == [("workflow_traces",)]


def test_writing_a_new_store_imports_no_sqlalchemy(tmp_path: Path) -> None:
    script = """
import json, sys
from reamon.exporters.sqlite import SQLiteExporter
exporter = SQLiteExporter("store.db")
exporter.open()
exporter.shutdown(1.0)
SQLiteExporter("store.db").open()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    heavy = {"sqlalchemy", "sqlmodel", "alembic", "pydantic", "structlog", "asyncio"}
    assert heavy.isdisjoint(json.loads(done.stdout))


def test_the_store_is_at_home_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_path() == Path(".reamon/reamon.db")
    monkeypatch.setenv("REAMON_HOME", "/srv/traces")
    assert default_path() == Path("/srv/traces/reamon.db")
