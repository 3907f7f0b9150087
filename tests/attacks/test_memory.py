"""Memory: an exporter that is stuck costs disk and not memory, and nothing is lost."""

from pathlib import Path

import pytest

from support.scripts import run

pytestmark = pytest.mark.slow

SCRIPT = """
import resource, threading, time
import reamon

gate = threading.Event()
delivered = set()

class Stuck:
    name = "stuck"
    local = {local}
    def export(self, batch):
        gate.wait()
        delivered.update(span.span_id for span in batch)

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

@reamon.trace_step
def step(text):
    return None

reamon.configure(exporters=[Stuck()])
step("x")
base = resident()
peak = 0
text = "x" * 1000
for number in range(9_999):
    with reamon.trace_workflow("turn"):
        for _ in range(9):
            step(text)
    if number % 50 == 0:
        time.sleep(0.005)  # the application breathes now and then, or the queue would fill up
        peak = max(peak, resident())
for _ in range(9):
    step(text)
while reamon.stats().queue_age_seconds:
    time.sleep(0.01)
    peak = max(peak, resident())
reamon.flush(0.1)
stats = reamon.stats()
print((peak - base) // 1_000_000)
assert stats.recorded == stats.pending["stuck"] + stats.spooled["stuck"] == 100_000, stats
gate.set()
assert reamon.flush(100)
stats = reamon.stats()
assert (stats.exported, stats.dropped, len(delivered)) == ({{"stuck": 100_000}}, {{}}, 100_000), stats
"""


@pytest.mark.parametrize("local", [True, False])
def test_100_000_spans_behind_a_stuck_exporter_stay_under_150_mb_and_all_arrive(tmp_path: Path, local: bool) -> None:
    megabytes = int(run(tmp_path, SCRIPT.format(local=local)))
    assert megabytes < 150
