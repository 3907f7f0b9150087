"""The pruner: a running application keeps its store within the limits, if it was told to."""

import logging
import sqlite3
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import reamon
from reamon.exporters import MemoryExporter, PostgresExporter, SQLiteExporter
from reamon.runtime.pruner import Pruner, stores_of
from reamon.store.limits import Limits
from support.scripts import run
from support.stores import START, stored, turn

DAY = 24 * 3600.0
MONTHS_LATER = datetime.fromtimestamp(START / 1e9 + 90 * DAY, UTC).timestamp()
NEVER = threading.Event()


class Time:
    """A clock that goes on when somebody waits, and says stop after some waits."""

    def __init__(self, waits: int = 1) -> None:
        self.now = MONTHS_LATER
        self.slept: list[float] = []
        self._waits = waits

    def __call__(self) -> float:
        return self.now

    def wait(self, event: threading.Event, seconds: float) -> bool:
        self.slept.append(seconds)
        self.now += seconds
        return len(self.slept) > self._waits


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return stored(tmp_path / "calls.db", turn("old", -1500 * DAY) + turn("other", -1500 * DAY, project="west"))


def operations(store: Path) -> int:
    with closing(sqlite3.connect(store)) as connection:
        return int(connection.execute("SELECT count(*) FROM operations").fetchone()[0])


def pruner(store: Path, time: Time, every: timedelta = timedelta(days=1), project: str | None = None) -> Pruner:
    return Pruner([store], Limits(), project, every, store.parent, wait=time.wait, now=time)


def test_it_prunes_soon_after_the_start_and_says_what_went(store: Path, caplog: pytest.LogCaptureFixture) -> None:
    time = Time()
    with caplog.at_level(logging.INFO, "reamon.retention"):
        pruner(store, time).run(NEVER)
    assert operations(store) == 0
    (line,) = caplog.messages
    assert "event='pruned'" in line
    assert "operations=4" in line
    assert time.slept == [60.0, 3600.0]


def test_it_prunes_once_in_an_interval_however_many_processes_look(
    store: Path, caplog: pytest.LogCaptureFixture
) -> None:
    time = Time(waits=49)
    with caplog.at_level(logging.INFO, "reamon.retention"):
        pruner(store, time).run(NEVER)
        pruner(store, Time()).run(NEVER)
    assert len(caplog.messages) == 3  # after a minute, a day later, two days later


def test_a_project_keeps_to_itself(store: Path) -> None:
    pruner(store, Time(), project="west").run(NEVER)
    assert operations(store) == 2


def test_while_another_process_prunes_this_one_waits(store: Path) -> None:
    source = f"""
        import threading
        from datetime import timedelta
        from pathlib import Path
        from reamon.runtime.pruner import Pruner
        from reamon.store.limits import Limits
        store = Path({str(store)!r})
        pruner = Pruner([store], Limits(), None, timedelta(days=1), store.parent)
        print(pruner.look(store, threading.Event()))
    """
    busy = pruner(store, Time())
    with busy._turn(store) as held:
        assert held is not None
        assert run(store.parent, source).strip() == "86400.0"
        assert operations(store) == 4


def test_what_goes_wrong_is_logged_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    time = Time(waits=2)
    pruner(tmp_path / "none.db", time).run(NEVER)
    assert ["event='not_pruned'" in line and "no store at" in line for line in caplog.messages] == [True, True]


def test_one_that_was_stopped_half_way_is_not_through(store: Path) -> None:
    stopped = threading.Event()
    stopped.set()
    pruner(store, Time()).look(store, stopped)
    assert operations(store) == 4
    pruner(store, Time()).look(store, NEVER)
    assert operations(store) == 0


def test_the_stores_of_exporters_are_known(tmp_path: Path) -> None:
    url = "postgresql://ada:secret@db.example/calls"
    exporters = [SQLiteExporter(tmp_path / "a.db"), MemoryExporter(), PostgresExporter(url, schema="calls")]
    assert stores_of(exporters) == [tmp_path / "a.db", f"{url}?schema=calls"]


def test_a_database_is_that_of_the_exporter_and_not_that_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_POSTGRES__URL", "postgresql://other.example/accounts")
    assert stores_of([PostgresExporter("postgresql://db.example/calls")]) == ["postgresql://db.example/calls"]
    assert stores_of([PostgresExporter()]) == ["postgresql://other.example/accounts"]


def pruning_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "reamon-pruner"]


def test_an_application_prunes_only_where_it_is_told_how_often() -> None:
    reamon.configure()
    assert pruning_threads() == []
    reamon.configure(retention={"every": "24h"})
    (thread,) = pruning_threads()
    assert thread.daemon
    reamon.shutdown()
    thread.join(5.0)
    assert not thread.is_alive()


def test_limits_that_make_no_sense_are_refused_at_the_start() -> None:
    with pytest.raises(reamon.ConfigurationError, match="keep costs at least as long as detail"):
        reamon.configure(retention={"every": "24h", "costs": "1d"})


def test_a_forked_child_goes_on_with_a_thread_of_its_own(tmp_path: Path) -> None:
    source = """
        import os, threading
        import reamon
        reamon.configure(retention={"every": "24h"})
        child = os.fork()
        if child == 0:
            os._exit(7 if any(thread.name == "reamon-pruner" for thread in threading.enumerate()) else 1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert run(tmp_path, source).strip() == "7"
