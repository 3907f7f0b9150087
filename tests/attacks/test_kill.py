"""kill -9 at random moments: what had finished is stored, the store is sound, what was running is `interrupted`."""

import json
import random
import signal
import time
from pathlib import Path

import pytest

from support.exporters import wait_until
from support.scripts import run, start
from support.store_reading import is_sound, stored_names, workflow_statuses

pytestmark = pytest.mark.slow

WORKLOAD = """
import sys, time
import reamon
from reamon.exporters import JSONLExporter, SQLiteExporter

class Remote:
    name = "remote"
    def export(self, batch):
        raise ConnectionError("down for the whole test")

reamon.configure(exporters=["sqlite", "jsonl", Remote()])
log = open("finished", "a", buffering=1)
number = 0
while True:
    number += 1
    with reamon.trace_workflow(f"turn {number}"):
        with reamon.trace_agent(f"agent {number}"):
            time.sleep(0.001)
    log.write(f"{time.time()} {number}\\n")
    if number % 20 == 0:
        with reamon.trace_workflow(f"long {number}"):
            print("ready", flush=True)
            time.sleep(0.3)
"""

REPLAY = """
import reamon

class Remote:
    name = "remote"
    def export(self, batch):
        with open("delivered", "a") as file:
            file.writelines(f"{span.name}\\n" for span in batch)

reamon.configure(exporters=["sqlite", "jsonl", Remote()])
assert reamon.flush(30)
"""


@pytest.mark.parametrize("attempt", range(4))
def test_killed_at_a_random_moment(tmp_path: Path, attempt: int) -> None:
    process = start(tmp_path, WORKLOAD)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()[1]
    time.sleep(random.uniform(0.5, 1.5))
    process.send_signal(signal.SIGKILL)
    killed = time.time()
    process.communicate()

    finished = [line.split() for line in (tmp_path / "finished").read_text().splitlines()]
    safe = {
        number for moment, number in (entry for entry in finished if len(entry) == 2) if float(moment) < killed - 0.5
    }
    assert safe
    expected = {f"turn {number}" for number in safe} | {f"agent {number}" for number in safe}
    database = tmp_path / ".reamon" / "reamon.db"
    assert is_sound(database)
    assert expected <= set(stored_names(database))

    run(tmp_path, REPLAY)
    assert expected <= set((tmp_path / "delivered").read_text().splitlines()), "the remote lane had written ahead"
    lines = (tmp_path / ".reamon" / "spans.jsonl").read_text().splitlines()
    assert expected <= {json.loads(line)["name"] for line in lines}
    assert is_sound(database)
    statuses = workflow_statuses(database)
    assert "running" not in statuses.values()
    for name, status in statuses.items():
        assert status == "completed" or name not in expected, name


def test_the_workflow_in_flight_is_interrupted_after_the_next_start(tmp_path: Path) -> None:
    process = start(
        tmp_path,
        """
import time
import reamon

reamon.configure()
with reamon.trace_workflow("in flight"):
    time.sleep(60)
""",
    )
    database = tmp_path / ".reamon" / "reamon.db"
    try:
        wait_until(lambda: database.exists() and _statuses(database) == {"in flight": "running"}, timeout=30)
        run(tmp_path, "import reamon\nreamon.configure()")
        assert workflow_statuses(database) == {"in flight": "running"}, "its process lives"
    finally:
        process.kill()
        process.communicate()
    run(tmp_path, "import reamon\nreamon.configure()")
    assert workflow_statuses(database) == {"in flight": "interrupted"}


def _statuses(database: Path) -> dict[str, str]:
    import sqlite3

    try:
        return workflow_statuses(database)
    except sqlite3.OperationalError:  # its tables are being made
        return {}
