"""SIGTERM: everything on disk, and an end as if we were not there; a host's own handler stays."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.scripts import start
from support.store_reading import stored_names

pytestmark = pytest.mark.slow

PRELUDE = """
import os, signal, sys, threading, time
import reamon

class Hanging:
    name = "crm"
    def export(self, batch):
        time.sleep(3600)

"""


def ended(directory: Path, source: str, *signals: signal.Signals, timeout: float = 30) -> "subprocess.Popen[str]":
    """Start a script, send signals when it has said that it is ready, and wait for its end."""
    process = start(directory, PRELUDE + source)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    for number in signals:
        process.send_signal(number)
    process.wait(timeout)
    return process


def test_spans_are_stored_and_the_process_ends_by_the_signal(tmp_path: Path) -> None:
    process = ended(
        tmp_path,
        """
reamon.configure(flush_interval=60)
with reamon.trace_workflow("done"):
    pass
print("ready", flush=True)
time.sleep(60)
""",
        signal.SIGTERM,
    )
    assert process.returncode == -signal.SIGTERM
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["done"]
    assert process.stderr is not None
    assert process.stderr.read() == ""


def test_a_hosts_handler_is_called_and_ours_is_not(tmp_path: Path) -> None:
    process = ended(
        tmp_path,
        """
def mine(number, frame):
    print("mine", flush=True)
    sys.exit(7)

signal.signal(signal.SIGTERM, mine)
reamon.configure()
with reamon.trace_workflow("done"):
    pass
print("ready", flush=True)
time.sleep(60)
""",
        signal.SIGTERM,
    )
    assert process.returncode == 7
    assert process.stdout is not None
    assert process.stdout.read() == "mine\n"
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["done"]


def test_an_exporter_that_hangs_does_not_hold_it_up(tmp_path: Path) -> None:
    begun = time.monotonic()
    process = ended(
        tmp_path,
        """
reamon.configure(exporters=["sqlite", Hanging()], shutdown_timeout=1)
with reamon.trace_workflow("done"):
    pass
print("ready", flush=True)
time.sleep(60)
""",
        signal.SIGTERM,
    )
    assert process.returncode == -signal.SIGTERM
    assert time.monotonic() - begun < 20
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["done"]


def test_in_the_middle_of_a_shutdown_it_finishes_what_that_had_begun(tmp_path: Path) -> None:
    process = ended(
        tmp_path,
        """
class Slow:
    name = "slow"
    local = True
    def export(self, batch):
        time.sleep(0.7)
        with open("delivered", "a") as file:
            file.writelines(span.name + "\\\\n" for span in batch)

reamon.configure(exporters=[Slow()])
with reamon.trace_workflow("done"):
    pass
threading.Timer(0.2, lambda: print("ready", flush=True)).start()
reamon.shutdown(20)
time.sleep(60)
""".replace("\\\\n", "\\n"),
        signal.SIGTERM,
    )
    assert process.returncode == -signal.SIGTERM
    assert (tmp_path / "delivered").read_text() == "done\n"


@pytest.mark.parametrize("attempt", range(5))
def test_in_the_middle_of_recording_it_comes_to_an_end(tmp_path: Path, attempt: int) -> None:
    process = ended(
        tmp_path,
        f"""
reamon.configure(flush_interval=0.002, shutdown_timeout=5)
end = time.monotonic() + 0.05 * {attempt}
print("ready", flush=True)
while True:
    with reamon.trace_workflow("turn"):
        with reamon.trace_step("step"):
            pass
    if time.monotonic() > end:
        reamon.flush(0.001)
""",
        signal.SIGTERM,
    )
    assert process.returncode == -signal.SIGTERM
    names = stored_names(tmp_path / ".reamon" / "reamon.db")
    assert abs(names.count("turn") - names.count("step")) <= 1


def test_an_asyncio_application_is_ended_too(tmp_path: Path) -> None:
    process = ended(
        tmp_path,
        """
import asyncio

@reamon.trace_workflow
async def turn():
    await asyncio.sleep(0)

async def main():
    await turn()
    print("ready", flush=True)
    await asyncio.sleep(60)

reamon.configure(flush_interval=60)
asyncio.run(main())
""",
        signal.SIGTERM,
    )
    assert process.returncode == -signal.SIGTERM
    assert stored_names(tmp_path / ".reamon" / "reamon.db") == ["turn"]
