"""OTLP and processes that die: no span is lost."""

import signal
from pathlib import Path

import pytest

from support.otlp_server import HANG, OTLPServer, until
from support.scripts import run, start

pytestmark = pytest.mark.slow

APPLICATION = """
import os, time
import reamon
from reamon.exporters import OTLPExporter

exporter = OTLPExporter({url!r}, headers={{"api-key": "secret"}}, flush_interval=0.02, read_timeout=1.0)
reamon.configure(exporters=[exporter], retry_cap=0.2, breaker_rest=0.2, claim_interval=0.2)

def turns(count):
    for number in range(count):
        with reamon.trace_workflow(f"turn {{number}}", call_id="call 1"), reamon.trace_agent(f"agent {{number}}"):
            pass
"""

UNAVAILABLE = (503, b"", {"Retry-After": "0"})


def application(server: OTLPServer, *then: str) -> str:
    return "\n".join([APPLICATION.format(url=server.base), *then])


@pytest.mark.parametrize("fault", [UNAVAILABLE, HANG, (401, b"", {})])
def test_killed_in_an_outage_everything_arrives_after_the_next_start(tmp_path: Path, fault: object) -> None:
    with OTLPServer({"api-key": "secret"}) as server:
        server.always = fault  # type: ignore[assignment]
        then = ("turns(500)", "reamon.flush(5, until='durable')", "print('done', flush=True)", "time.sleep(60)")
        process = start(tmp_path, application(server, *then))
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n", process.communicate()[1]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert server.received == []
        server.always = None
        run(tmp_path, application(server, "assert reamon.flush(30)"))
        assert set(server.counts.values()) == {1}
        assert len(server.counts) == 1000
        assert server.violations == []
        processes = {span.resource["service.instance.id"] for span in server.received}
        assert len(processes) == 1, "the resource is that of the process that died"


@pytest.mark.parametrize("attempt", range(3))
def test_killed_while_it_delivers(tmp_path: Path, attempt: int) -> None:
    with OTLPServer({"api-key": "secret"}) as server:
        then = ("turns(500)", "reamon.flush(0.0)", "print('done', flush=True)", "time.sleep(60)")
        process = start(tmp_path, application(server, *then))
        assert process.stdout is not None
        assert process.stdout.readline() == "done\n", process.communicate()[1]
        until(lambda: len(server.received) > 200 * attempt)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        run(tmp_path, application(server, "assert reamon.flush(30)"))
        assert len(server.counts) >= 990, "all but what was younger than the flush interval"
        assert server.violations == []


def test_forked_workers_deliver_what_they_record(tmp_path: Path) -> None:
    with OTLPServer({"api-key": "secret"}) as server:
        then = """
turns(50)
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        turns(50)
        os._exit(0 if reamon.shutdown(10) else 1)
    children.append(child)
assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * 4
assert reamon.flush(10)
"""
        run(tmp_path, application(server, then))
        assert set(server.counts.values()) == {1}
        assert len(server.counts) == 500
        assert len({span.resource["service.instance.id"] for span in server.received}) == 5
