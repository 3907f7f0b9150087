"""What the spans take that cannot leave: 100,000 of 1 KB, and an exporter that never returns."""

import resource
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import reamon
from benchmarks import harness
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Promise, Table
from reamon import Span
from reamon.pipeline import Stats

SPANS = 100_000
WARM_UP = 100
REST = 0.5
PAYLOAD = {"text": "x" * 1000}
MAX_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


class Stuck:
    """Accepts its first batch and never returns from it."""

    name = "stuck"
    local = True

    def export(self, batch: Sequence[Span]) -> None:
        threading.Event().wait()


def measure(subject: str, home: Path) -> Figures:
    """Megabytes above the base, and the spans that `stats()` cannot account for."""
    reamon.configure(exporters=[Stuck()])

    @reamon.trace_step(capture="input")
    def record(payload: dict[str, str]) -> None:
        """Nothing but the span."""

    for _ in range(WARM_UP):
        record(PAYLOAD)
    base = _peak()
    for _ in range(SPANS):
        record(PAYLOAD)
    stats = _at_rest()
    above = _peak() - base
    known = sum(
        map(sum, (stats.exported.values(), stats.pending.values(), stats.spooled.values(), stats.dropped.values()))
    )
    reamon.shutdown(timeout=0.1)
    return {
        "above": above / 1e6,
        "unaccounted": SPANS + WARM_UP - known,
        "pending": sum(stats.pending.values()),
        "spooled": sum(stats.spooled.values()),
        "dropped": sum(stats.dropped.values()),
    }


def run(rounds: int) -> Outcome:
    """Measure reamon alone."""
    row = harness.measure("memory", ["reamon"], rounds)["reamon"]
    table = Table(
        "100,000 finished spans of 1 KB while the exporter is stuck",
        ("MB above the base", "in memory", "on disk", "dropped and counted", "unaccounted"),
        {"reamon": (row["above"], row["pending"], row["spooled"], row["dropped"], row["unaccounted"])},
    )
    return Outcome(
        table,
        (
            Promise("memory", "100,000 spans behind a stuck exporter, above the base", row["above"], 150.0, "MB"),
            Promise("memory", "spans that stats() cannot account for", abs(row["unaccounted"]), 0, ""),
        ),
    )


def _at_rest() -> Stats:
    """The figures once the worker has handed everything on."""
    before, now = None, reamon.stats()
    while now != before:
        time.sleep(REST)
        before, now = now, reamon.stats()
    return now


def _peak() -> float:
    """The most memory that this process has held so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAX_RSS_UNIT
