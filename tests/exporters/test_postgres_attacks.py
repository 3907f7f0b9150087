"""PostgreSQL killed, stopped and away while spans are recorded: none is lost, and none is there twice."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import reamon
from reamon.exporters import PostgresExporter
from reamon.model import CostData
from reamon.model.ids import uuid7
from reamon.testing import make_span
from support.exporters import wait_until
from support.postgres import PostgresServer, postgres_database, postgres_server, read

pytestmark = pytest.mark.slow

CALLS = 3
COST = Decimal("0.000000000007")


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


def configure(url: str, home: Path, **options: object) -> None:
    reamon.configure(
        exporters="postgres",
        postgres={"url": url, "connect_timeout": 1, "statement_timeout": 1, **options},
        home=home,
        retry_cap=0.5,
        breaker_rest=0.5,
        batch_size=100,
    )


def turn(number: int) -> None:
    """Record five spans: a turn, an agent in it, and what that called."""
    with reamon.trace_workflow("turn", call_id=f"call-{number}"), reamon.trace_agent("qualify"):
        for _ in range(CALLS):
            with reamon.trace_llm("chat") as span:
                span.record_cost(COST, cost_type="llm")


def check(url: str, turns: int) -> None:
    """All is there, once, and adds up."""
    assert read(url, "SELECT count(*), count(DISTINCT trace_id) FROM workflow_traces") == [(turns, turns)]
    assert read(url, "SELECT DISTINCT status FROM workflow_traces") == ["completed"]
    assert read(url, "SELECT count(*), count(DISTINCT span_id) FROM agent_executions") == [(turns, turns)]
    assert read(url, "SELECT count(*), count(DISTINCT span_id) FROM operations") == [(turns * CALLS, turns * CALLS)]
    assert read(url, "SELECT count(*) FROM cost_details") == [turns * CALLS]
    assert read(url, "SELECT DISTINCT total_cost, cost_status FROM workflow_traces") == [(CALLS * COST, "complete")]
    assert read(url, "SELECT DISTINCT cost FROM agent_executions") == [CALLS * COST]


class Load:
    """Records turns from a thread until it is told to stop."""

    def __init__(self) -> None:
        self.turns = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(0.002):
            turn(self.turns)
            self.turns += 1

    def goes_on(self, turns: int) -> None:
        """Wait for some more turns to be recorded."""
        until = self.turns + turns
        wait_until(lambda: self.turns >= until)

    def stop(self) -> int:
        """Stop. Returns how many turns it recorded."""
        self._stopped.set()
        self._thread.join()
        return self.turns


@pytest.mark.parametrize("end", ["kill -9", "immediate", "fast"])
def test_a_server_that_dies_and_comes_back_under_load_has_every_span_once(
    server: PostgresServer, tmp_path: Path, end: str
) -> None:
    configure(server.url, tmp_path / "home")
    load = Load()
    for _ in range(3):
        load.goes_on(150)
        server.kill() if end == "kill -9" else server.stop(end)
        load.goes_on(100)
        server.start()
    turns = load.stop()
    assert reamon.flush(60.0)
    stats = reamon.stats()
    assert (stats.exported["postgres"], sum(stats.dropped.values())) == (stats.recorded, 0)
    check(server.url, turns)


def test_a_server_that_hangs_costs_nothing_once_it_goes_on(server: PostgresServer, tmp_path: Path) -> None:
    configure(server.url, tmp_path / "home")
    load = Load()
    load.goes_on(100)
    server.signal(signal.SIGSTOP)
    try:
        load.goes_on(100)
        wait_until(lambda: reamon.stats().lanes["postgres"].state != "ok", timeout=60)
    finally:
        server.signal(signal.SIGCONT)
    load.goes_on(50)
    turns = load.stop()
    assert reamon.flush(60.0)
    check(server.url, turns)


def test_shutdown_is_bounded_while_the_server_hangs_and_what_is_left_is_delivered_later(
    server: PostgresServer, tmp_path: Path
) -> None:
    configure(server.url, tmp_path / "home")
    turn(0)
    assert reamon.flush(20.0)
    server.signal(signal.SIGSTOP)
    try:
        turn(1)
        begun = time.monotonic()
        assert reamon.shutdown(1.0)  # on disk
        assert time.monotonic() - begun < 3.0
    finally:
        server.signal(signal.SIGCONT)
    configure(server.url, tmp_path / "home")
    wait_until(lambda: read(server.url, "SELECT count(*) FROM workflow_traces") == [2], timeout=60)
    assert reamon.flush(20.0)
    check(server.url, 2)


def test_a_database_that_is_down_from_the_start_gets_all_of_it_when_it_is_there(
    server: PostgresServer, tmp_path: Path
) -> None:
    server.stop("fast")
    code = f"""
import reamon
reamon.configure(exporters="postgres", postgres={{"url": {server.url!r}, "connect_timeout": 1}}, home="home")
for number in range(50):
    with reamon.trace_workflow("turn", call_id=f"call-{{number}}"), reamon.trace_agent("qualify"):
        for _ in range({CALLS}):
            with reamon.trace_llm("chat") as span:
                span.record_cost("{COST:f}", cost_type="llm")
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, timeout=60, check=False).returncode == 0
    server.start()
    configure(server.url, tmp_path / "home")
    assert reamon.flush(60.0)
    check(server.url, 50)


def test_processes_that_write_at_once_and_share_a_trace_leave_exact_totals() -> None:
    shared = make_span("shared turn", "workflow")
    with postgres_database() as url:
        context = multiprocessing.get_context("spawn")
        arguments = [(url, shared.trace_id, number) for number in range(8)]
        others = [context.Process(target=_write, args=one) for one in arguments]
        for other in others:
            other.start()
        exporter = PostgresExporter(url)
        exporter.open()
        exporter.export([shared])
        for other in others:
            other.join(240)
        assert [other.exitcode for other in others] == [0] * 8
        exporter.shutdown(5.0)
        assert read(url, "SELECT count(*), count(DISTINCT trace_id) FROM workflow_traces") == [(801, 801)]
        assert read(url, "SELECT total_cost FROM workflow_traces WHERE trace_id = %s", shared.trace_id) == [800 * COST]
        assert read(url, "SELECT DISTINCT total_cost FROM workflow_traces WHERE trace_id <> %s", shared.trace_id) == [
            COST
        ]
        assert read(url, "SELECT count(*), count(DISTINCT span_id) FROM operations") == [(1600, 1600)]


def _write(url: str, shared: str, number: int) -> None:
    """One of the processes: turns of its own, and one call after the other of the turn that all share."""

    def new_id() -> str:
        return uuid7(time.time_ns(), int.from_bytes(os.urandom(8), "big") >> 2)

    exporter = PostgresExporter(url)
    exporter.open()
    costs = (CostData(cost_type="llm", amount=COST, price_version="1"),)
    for _ in range(20):
        batch = []
        for _ in range(5):
            own = make_span("turn", "workflow", span_id=new_id())
            batch += [own, make_span("chat", "llm", span_id=new_id(), parent=own, costs=costs)]
            batch.append(make_span("chat", "llm", span_id=new_id(), trace_id=shared, parent_id=shared, costs=costs))
        while True:
            try:
                exporter.export(batch)
                break
            except Exception as error:
                print(number, error, file=sys.stderr)
    exporter.shutdown(5.0)
