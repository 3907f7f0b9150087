"""Attacks on delivery: hostile answers, hangs in every place, forks at the worst moment."""

import logging
import shutil
import signal
import sqlite3
import time
from pathlib import Path

import pytest

import reamon
from reamon.errors import Paused, Rejected
from reamon.exporters import LangSmithExporter
from support.exporters import Failing, Sink, wait_until
from support.langsmith_server import Fault, LangSmithServer
from support.scripts import run, start

KEY = "lsv2_pt_0123456789abcdef"
NO_TEXT = "half of a pair: \ud800"
QUICK = {"handle_sigterm": False, "retry_cap": 0.1, "breaker_rest": 0.1}


def record(name: str = "turn") -> None:
    with reamon.trace_workflow(name):
        pass


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError(NO_TEXT),
        Paused(NO_TEXT, NO_TEXT),
    ],
    ids=["failed", "paused"],
)
def test_an_error_whose_words_are_no_text_does_not_end_the_lane(error: Exception) -> None:
    failing = Failing(error)
    sink = Sink(local=False, before=failing)
    reamon.configure(exporters=[sink], **QUICK)
    record()
    wait_until(lambda: reamon.stats().lanes["sink"].failures)
    failing.mend()
    assert reamon.flush(3.0)
    assert sink.names == ["turn"]


def test_a_logging_handler_of_the_host_that_raises_does_not_end_the_lane() -> None:
    class Raising(logging.Handler):
        def emit(self, line: logging.LogRecord) -> None:
            raise ValueError(line.getMessage())

    Path("file").touch()
    failing = Failing()
    sink = Sink(local=False, before=failing)
    handler = Raising()
    logging.getLogger("reamon").addHandler(handler)
    try:
        reamon.configure(exporters=[sink], home="file", **QUICK)
        record()
        wait_until(lambda: reamon.stats().lanes["sink"].failures)
        failing.mend()
        assert reamon.flush(5.0)
    finally:
        logging.getLogger("reamon").removeHandler(handler)
    assert sink.names == ["turn"]


def test_a_refusal_whose_words_are_no_text_makes_a_dead_letter() -> None:
    reamon.configure(exporters=[Sink(local=False, before=Failing(Rejected(NO_TEXT)))], **QUICK)
    record()
    assert reamon.flush(3.0)
    assert reamon.stats().dropped == {"rejected": 1}


@pytest.mark.slow
def test_an_outbox_that_is_deleted_while_it_is_used_loses_nothing_that_comes_later() -> None:
    failing = Failing()
    reamon.configure(exporters=[Sink(local=False, before=failing)], **QUICK)
    record("before")
    assert reamon.flush(5.0, until="durable")
    shutil.rmtree(".reamon")
    record("after")
    assert reamon.shutdown(1.0)
    sink = Sink(local=False)
    reamon.configure(exporters=[sink], **QUICK)
    assert reamon.flush(5.0)
    assert "after" in sink.names


PRELUDE = """
import asyncio, os, signal, sys, threading, time
import reamon

class Hanging:
    name = "crm"
    def export(self, batch):
        time.sleep(3600)

class Down:
    name = "crm"
    def export(self, batch):
        raise ConnectionError

def work(name="turn"):
    with reamon.trace_workflow(name):
        pass

"""


@pytest.mark.slow
def test_a_fork_while_a_lane_imports_what_it_logs_with(tmp_path: Path) -> None:
    """The import of structlog takes a while, and begins with a lane's first trouble."""
    printed = run(
        tmp_path,
        PRELUDE
        + """
reamon.configure(exporters=[Down()], flush_interval=0.01, shutdown_timeout=1)
work()
while "structlog" not in sys.modules:
    time.sleep(0)
child = os.fork()
if child == 0:
    signal.alarm(20)
    work("child")
    reamon.flush(0.5)
    from reamon.guard import log
    log("reamon", 40, "the_child_can_log")
    sys.exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
    )
    assert printed == "0\n"


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, 0.1, 0.3])
def test_a_fork_while_the_sdk_is_imported(tmp_path: Path, moment: float) -> None:
    with LangSmithServer(api_key=KEY) as server:
        run(
            tmp_path,
            PRELUDE
            + f"""
from reamon.exporters import LangSmithExporter
reamon.configure(exporters=[LangSmithExporter({KEY!r}, {server.url!r}, flush_interval=0.01)])
work()
time.sleep({moment})
child = os.fork()
work()
assert reamon.flush(30)
if child:
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
""",
        )
        assert sorted(server.writes.values()) == [1, 1, 1]


@pytest.mark.slow
def test_children_forked_at_any_moment_while_requests_are_on_their_way(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        process = start(
            tmp_path,
            PRELUDE
            + f"""
from reamon.exporters import LangSmithExporter
exporter = LangSmithExporter({KEY!r}, {server.url!r}, flush_interval=0.01, read_timeout=1.0)
reamon.configure(exporters=[exporter], retry_cap=0.2, breaker_rest=0.2)
over = threading.Event()
counts = []

def keep_working():
    while not over.is_set():
        short = threading.Thread(target=work)
        short.start()
        short.join()
        counts.append(1)
        time.sleep(0.003)

thread = threading.Thread(target=keep_working)
thread.start()
children = []
for _ in range(16):
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        work("child")
        os._exit(0 if reamon.flush(20) else 1)
    children.append(child)
    time.sleep(0.05)
over.set()
thread.join()
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
assert not any(codes), codes
assert reamon.flush(20)
print(len(counts) + len(children))
""",
        )
        for fault in (Fault.SLOW, Fault.UNAVAILABLE, Fault.LOSE_ANSWER, Fault.NONE):
            server.fault = fault
            time.sleep(0.4)
        printed, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert len(server.runs) == int(printed)
        assert set(server.writes.values()) == {1}


@pytest.mark.slow
def test_an_outbox_that_somebody_else_locks_for_a_while_costs_nothing() -> None:
    with LangSmithServer(api_key=KEY) as server:
        exporter = LangSmithExporter(KEY, server.url, flush_interval=0.01)
        reamon.configure(exporters=[exporter], **QUICK)
        record()
        assert reamon.flush(10.0)
        other = sqlite3.connect(".reamon/outbox.sqlite", isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        slowest = 0.0
        for _ in range(100):
            begun = time.monotonic()
            record()
            slowest = max(slowest, time.monotonic() - begun)
            time.sleep(0.02)
        other.close()
        assert slowest < 0.2
        assert reamon.flush(10.0)
        stats = reamon.stats()
        assert (stats.exported, stats.dropped) == ({"langsmith": 101}, {})
        assert sorted(server.writes.values()) == [1] * 101


@pytest.mark.slow
def test_the_exit_is_bounded_while_another_thread_waits_for_an_exporter_to_open(tmp_path: Path) -> None:
    begun = time.monotonic()
    run(
        tmp_path,
        PRELUDE
        + """
class NeverOpen(Hanging):
    def open(self):
        time.sleep(3600)

reamon.configure(exporters=[Down()], shutdown_timeout=1)
again = {"exporters": [NeverOpen()], "shutdown_timeout": 1}
threading.Thread(target=reamon.configure, kwargs=again, daemon=True).start()
time.sleep(0.5)
""",
    )
    assert time.monotonic() - begun < 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "hang",
    [
        pytest.param("time.sleep(3600)", id="a_block"),
        pytest.param("await asyncio.sleep(3600)", id="an_await"),
        pytest.param("await asyncio.to_thread(time.sleep, 20)", id="a_thread"),
    ],
)
def test_the_exit_is_bounded_while_an_async_exporter_hangs(tmp_path: Path, hang: str) -> None:
    begun = time.monotonic()
    run(
        tmp_path,
        PRELUDE
        + f"""
class Async:
    name = "async"
    async def export(self, batch):
        {hang}

reamon.configure(exporters=[Async()], shutdown_timeout=1)
work()
time.sleep(0.5)
""",
    )
    assert time.monotonic() - begun < 15


@pytest.mark.slow
def test_the_exit_is_bounded_with_memory_full_of_what_a_local_exporter_does_not_take(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        PRELUDE
        + """
Hanging.local = True
reamon.configure(exporters=[Hanging()], max_lane_bytes=200_000_000)
for _ in range(4000):
    with reamon.trace_workflow("turn") as span:
        span.set_input("x" * 20_000)
begun = time.monotonic()
assert reamon.shutdown(5.0)
print(time.monotonic() - begun)
assert reamon.stats().spooled == {"crm": 4000}
""",
    )
    assert float(printed) < 5.25


@pytest.mark.slow
def test_the_exit_is_bounded_while_the_disk_hangs(tmp_path: Path) -> None:
    printed = run(
        tmp_path,
        PRELUDE
        + """
from reamon.pipeline import Outbox

def hang(self, *_):
    with self.at_work:
        time.sleep(10)

Outbox.write = hang
reamon.configure(exporters=[Down()], flush_interval=0.01)
work()
time.sleep(0.3)
begun = time.monotonic()
reamon.shutdown(1.0)
print(time.monotonic() - begun)
os._exit(0)
""",
    )
    assert float(printed) < 3


@pytest.mark.slow
def test_sigterm_while_one_runtime_replaces_another_takes_one_timeout(tmp_path: Path) -> None:
    process = start(
        tmp_path,
        PRELUDE
        + """
class AlsoHanging(Hanging):
    name = "mail"

reamon.configure(exporters=[Hanging()], shutdown_timeout=3)
work()
threading.Timer(0.5, lambda: (work(), print("ready", flush=True))).start()
reamon.configure(exporters=[AlsoHanging()], shutdown_timeout=3)
""",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - begun < 4


def test_the_key_is_in_no_log_line_and_in_no_view_of_anything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(1)
    with LangSmithServer(api_key=KEY) as server:
        exporter = LangSmithExporter(KEY, server.url, flush_interval=0.01, read_timeout=0.2)
        runtime = reamon.configure(exporters=[exporter], langsmith={"api_key": KEY}, **QUICK)
        views = []
        for fault in (Fault.UNAUTHORIZED, Fault.INVALID, Fault.REDIRECT, Fault.DROP, Fault.HANG):
            server.fault = fault
            record()
            reamon.flush(0.3)
            views.append(repr(reamon.stats()))
        settings = runtime.settings
        views += [repr(settings), str(settings.model_dump()), settings.model_dump_json(), repr(exporter)]
        reamon.shutdown(0.5)
    assert KEY not in caplog.text + "".join(views)
    assert KEY.encode() not in b"".join(path.read_bytes() for path in Path(".reamon").rglob("*") if path.is_file())
