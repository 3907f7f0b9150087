"""What it costs to wait for the disk: `durability="span"`, one after the other and with fifty tasks at once."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import reamon
from benchmarks import harness
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Table
from reamon.model import Span

SPANS = 500
TASKS = 50


class Remote:
    """Accepts everything, so that what is measured is the outbox."""

    name = "remote"

    def export(self, batch: Sequence[Span]) -> None:
        """Accept it."""


def measure(subject: str, home: Path) -> Figures:
    """Microseconds per span, by the clock on the wall: that is what a call waits."""
    exporter, durability = subject.split(" ")
    reamon.configure(exporters=["sqlite"] if exporter == "sqlite" else [Remote()], durability=durability)

    @reamon.trace_step
    def step(number: int) -> int:
        return number

    @reamon.trace_step
    async def awaited(number: int) -> int:
        return number

    async def task() -> None:
        for number in range(SPANS // TASKS):
            await awaited(number)

    async def tasks() -> float:
        since = time.perf_counter()
        await asyncio.gather(*(task() for _ in range(TASKS)))
        return time.perf_counter() - since

    step(0)
    since = time.perf_counter()
    for number in range(SPANS):
        step(number)
    alone = time.perf_counter() - since
    together = asyncio.run(tasks())
    reamon.shutdown()
    return {"alone": alone / SPANS * 1e6, "together": together / SPANS * 1e6}


def run(rounds: int) -> Outcome:
    """Compare the two, before a store and before an outbox. A price, and no promise."""
    subjects = [f"{exporter} {durability}" for exporter in ("sqlite", "remote") for durability in ("batch", "span")]
    figures = harness.measure("durability", subjects, rounds)
    return Outcome(
        Table(
            "Waiting for the disk: what a call takes for each span",
            ("one after the other µs", f"{TASKS} tasks at once µs"),
            {name: (row["alone"], row["together"]) for name, row in figures.items()},
        ),
        (),
    )
