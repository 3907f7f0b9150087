"""Disks that are full, locked or forbidden: nothing is raised, nothing is lost that fits, all is counted."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import reamon
from reamon.exporters import SQLiteExporter
from support.exporters import wait_until
from support.scripts import run
from support.store_reading import is_sound, stored_names


@reamon.trace_workflow
def turn(text: str = "x" * 1000) -> str:
    return text


def test_a_database_that_is_locked_for_a_while_gets_everything_afterwards(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "reamon.db"
    exporter = SQLiteExporter(path, busy_timeout=0.05)
    reamon.configure(exporters=[exporter], handle_sigterm=False, retry_cap=0.1)
    turn()
    assert reamon.flush(20)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(100):
            turn()
        assert not reamon.flush(0.3)
        assert reamon.stats().lanes["sqlite"].state == "failing"
        assert reamon.flush(20, until="durable"), "spilled"
        assert reamon.stats().spooled == {"sqlite": 100}
    assert reamon.flush(20)
    assert stored_names(path) == ["turn"] * 101
    assert "database is locked" in caplog.text
    assert len([record for record in caplog.records if record.levelno >= logging.WARNING]) == 1


def test_a_database_locked_at_the_exit_gets_everything_at_the_next_start(tmp_path: Path) -> None:
    script = """
    import reamon
    from reamon.exporters import SQLiteExporter
    reamon.configure(exporters=[SQLiteExporter(".reamon/reamon.db", busy_timeout=0.05)], shutdown_timeout=3)
    for _ in range(10):
        with reamon.trace_workflow("turn"):
            pass
    """
    run(tmp_path, script)
    path = tmp_path / ".reamon" / "reamon.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        run(tmp_path, script)
    assert stored_names(path) == ["turn"] * 10
    run(tmp_path, script)
    assert stored_names(path) == ["turn"] * 30


@pytest.mark.slow
def test_a_disk_that_is_full_and_then_freed(tmp_path: Path) -> None:
    run(
        tmp_path,
        """
        import resource, signal, time
        import reamon

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        reamon.configure(retry_cap=0.2, max_lane_bytes=200_000)

        def turn():
            with reamon.trace_workflow("turn") as span:
                span.set_attribute("text", "x" * 1000)

        turn()
        assert reamon.flush()
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        for _ in range(2_000):
            turn()
        assert not reamon.flush(1)
        stats = reamon.stats()
        assert stats.lanes["sqlite"].state in ("failing", "open")
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        assert reamon.flush(20)
        stats = reamon.stats()
        assert stats.recorded == 2_001 == stats.exported["sqlite"] + sum(stats.dropped.values()), stats
        assert stats.internal_errors == 0
        open("exported", "w").write(str(stats.exported["sqlite"]))
        """,
    )
    path = tmp_path / ".reamon" / "reamon.db"
    assert is_sound(path)
    assert stored_names(path) == ["turn"] * int((tmp_path / "exported").read_text())


def test_a_home_that_cannot_be_written_is_reported_and_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "file"
    home.touch()
    reamon.configure(home=home, exporters=["sqlite", "memory"], handle_sigterm=False, retry_cap=0.05)
    assert turn("x") == "x"
    wait_until(lambda: reamon.stats().exported["memory"] == 1)
    stats = reamon.stats()
    assert stats.pending == {"sqlite": 1, "memory": 0}
    assert not reamon.shutdown(0.5)
    assert "sqlite_not_ready" in caplog.text
    assert "outbox_unwritable" in caplog.text
