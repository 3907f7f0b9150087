"""How long `configure()` takes until SQLite is ready, on a new file and on a current one."""

import subprocess
import sys
import time
from pathlib import Path

import pydantic_settings  # noqa: F401 - imported first, so that its time is not counted

import reamon
from benchmarks import harness
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Promise, Table
from reamon.exporters import SQLiteExporter


def measure(subject: str, home: Path) -> Figures:
    """Milliseconds for the first `configure()` of a process, on a file of that state."""
    database = home / "reamon.db"
    if subject == "current file":
        _run_once(database)
    begun = time.perf_counter()
    reamon.configure(exporters=[SQLiteExporter(database)])
    took = time.perf_counter() - begun
    reamon.shutdown()
    return {"configure": took * 1e3}


def run(rounds: int) -> Outcome:
    """Measure both states."""
    figures = harness.measure("startup", ["new file", "current file"], rounds)
    table = Table(
        "configure() with SQLite, the import of pydantic-settings aside",
        ("ms",),
        {subject: (row["configure"],) for subject, row in figures.items()},
    )
    promises = tuple(
        Promise("startup", f"configure() with SQLite on a {subject}", row["configure"], 100.0, "ms")
        for subject, row in figures.items()
    )
    return Outcome(table, promises)


def _run_once(database: Path) -> None:
    """Make the file, in another process: this one's first `configure()` is the one that is timed."""
    code = "import sys, reamon, reamon.exporters as e; reamon.configure(exporters=[e.SQLiteExporter(sys.argv[1])])"
    subprocess.run([sys.executable, "-c", code, str(database)], check=True)
