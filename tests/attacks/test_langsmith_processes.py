"""LangSmith and processes that die, fork and share: no run is lost, and none is stored twice."""

import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from support.exporters import wait_until
from support.langsmith_server import Fault, LangSmithServer
from support.scripts import run, start

pytestmark = pytest.mark.slow

KEY = "lsv2_pt_0123456789abcdef"

APPLICATION = """
import os, sys, time
import reamon
from reamon.exporters import LangSmithExporter

exporter = LangSmithExporter({key!r}, {url!r}, "calls", flush_interval=0.02, read_timeout=1.0)
reamon.configure(exporters=[exporter], retry_cap=0.2, breaker_rest=0.2, claim_interval=0.2)

def turns(count, prefix="turn"):
    for number in range(count):
        with reamon.trace_workflow(f"{{prefix}} {{number}}", call_id="call 1"):
            with reamon.trace_agent("agent"):
                pass
"""


def application(server: LangSmithServer, *then: str) -> str:
    return "\n".join([APPLICATION.format(key=KEY, url=server.url), *then])


def check(server: LangSmithServer, runs: int) -> None:
    assert len(server.runs) == runs
    assert set(server.writes.values()) == {1}


def test_killed_in_an_outage_everything_arrives_after_the_next_start(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.fault = Fault.UNAVAILABLE
        process = start(
            tmp_path,
            application(
                server, "turns(500)", "reamon.flush(5, until='durable')", "print('done', flush=True)", "time.sleep(60)"
            ),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n", process.communicate()[1]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        server.fault = Fault.NONE
        run(
            tmp_path,
            application(server, "assert reamon.flush(30)", "assert reamon.stats().claimed == {'langsmith': 1000}"),
        )
        check(server, 1000)


@pytest.mark.parametrize("attempt", range(3))
def test_killed_while_it_delivers(tmp_path: Path, attempt: int) -> None:
    with LangSmithServer(api_key=KEY, mixed_conflict=["reject_all", "ignore_old"][attempt % 2]) as server:
        process = start(
            tmp_path,
            application(server, "turns(500)", "reamon.flush(0.0)", "print('done', flush=True)", "time.sleep(60)"),
        )
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n", process.communicate()[1]
        wait_until(lambda: len(server.runs) > 200 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        already = len(server.runs)
        run(tmp_path, application(server, "assert reamon.flush(30)"))
        assert len(server.runs) >= already
        assert set(server.writes.values()) == {1}
        assert len(server.runs) >= 990, "all but what was younger than the flush interval"


def test_a_process_that_lives_delivers_what_a_dead_one_left(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.fault = Fault.UNAVAILABLE
        run(tmp_path, application(server, "turns(50)", "reamon.flush(5, until='durable')", "os._exit(9)"), returncode=9)
        living = start(tmp_path, application(server, "turns(1, 'living')", "time.sleep(60)"))
        server.fault = Fault.NONE
        wait_until(lambda: len(server.runs) == 102)
        living.kill()
        living.communicate()
        check(server, 102)


def test_two_processes_share_an_outbox_in_an_outage(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.fault = Fault.UNAVAILABLE
        both = [
            start(tmp_path, application(server, f"turns(200, '{name}')", "time.sleep(2)", "assert reamon.flush(30)"))
            for name in ("one", "two")
        ]
        time.sleep(1.5)
        server.fault = Fault.NONE
        for process in both:
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors
        check(server, 800)


def test_sixteen_processes_at_once(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        processes = [
            start(tmp_path, application(server, f"turns(50, 'process {number}')", "assert reamon.flush(50)"))
            for number in range(16)
        ]
        for process in processes:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
        check(server, 1600)


def test_a_forked_child_delivers_its_own_runs_and_the_parent_its_own(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        run(
            tmp_path,
            application(
                server,
                "turns(20, 'parent')",
                "assert reamon.flush(20)",
                "turns(20, 'parent again')",
                "child = os.fork()",
                "turns(20, 'child' if not child else 'after')",
                "assert reamon.flush(20)",
                "if child:",
                "    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0",
                "else:",
                "    os._exit(0)",
            ),
        )
        check(server, 160)


def test_an_exit_during_a_hang_is_bounded_and_loses_nothing(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.fault = Fault.HANG
        since = time.monotonic()
        run(tmp_path, application(server, "turns(500)"))
        assert time.monotonic() - since < 15, "imports, and a shutdown of at most five seconds"
        server.fault = Fault.NONE
        run(tmp_path, application(server, "assert reamon.flush(30)"))
        check(server, 1000)


def test_a_hundred_thousand_spans_while_it_is_down(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.fault = Fault.UNAVAILABLE
        printed = run(
            tmp_path,
            application(
                server,
                "import resource",
                "base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss",
                "for number in range(10_000):",
                "    with reamon.trace_workflow('turn') as root:",
                "        for _ in range(9):",
                "            with reamon.trace_step('step') as step:",
                "                step.set_input('x' * 1000)",
                "reamon.flush(20, until='durable')",
                "stats = reamon.stats()",
                "assert stats.spooled == {'langsmith': 100_000}, stats",
                "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - base) // 1024)",
                "reamon.shutdown(2)",
            ),
        )
        assert int(printed) < 150, "megabytes"
        server.fault = Fault.NONE
        run(tmp_path, application(server, "assert reamon.flush(55)", "assert not reamon.stats().dropped"))
        check(server, 100_000)


def test_a_backlog_of_more_than_a_day_is_kept_and_told(tmp_path: Path) -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.fault = Fault.UNAVAILABLE
        run(
            tmp_path,
            application(
                server,
                "yesterday = time.time() - 25 * 3600",
                "for number in range(150):",
                "    reamon.record_span('step', f'old {number}', yesterday, yesterday + 1)",
                "turns(10)",
                "reamon.flush(5, until='durable')",
                "os._exit(9)",
            ),
            returncode=9,
        )
        server.fault = Fault.NONE
        run(tmp_path, application(server, "assert reamon.flush(30)"))
        check(server, 20)
        assert server.violations == []
    with closing(sqlite3.connect(tmp_path / ".reamon" / "outbox.sqlite")) as connection:
        kept = connection.execute("SELECT counted_as, sum(spans) FROM letters GROUP BY 1").fetchall()
    assert kept == [("too_old", 150)]
