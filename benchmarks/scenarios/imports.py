"""The import, against that of the tracer of OpenTelemetry's SDK; bytecode compiled, in a bare interpreter.

Some packages import themselves lazily, so that `import x` says little: the others are asked for the names that every
user of them needs. `import reamon` brings all of tracing; a process that also configures pays the second row.
"""

import json
import subprocess
import sys
from pathlib import Path

from benchmarks import harness, tracers
from benchmarks.harness import Figures
from benchmarks.promises import Outcome, Promise, Table

STATEMENTS = {
    "reamon": "import reamon",
    "reamon_configure": "from reamon import configure",
    "opentelemetry": "from opentelemetry.sdk.trace import TracerProvider",
    "langsmith": "from langsmith import Client, traceable",
    "logfire": "from logfire import configure, instrument",
    "langfuse": "from langfuse import Langfuse, observe",
}
HEAVY = ("pydantic", "pydantic_settings", "sqlmodel", "sqlalchemy", "alembic", "structlog", "rich", "langsmith")
REPEATS = 3
"""An import is short and much of its time is the machine's, so that each round of a run counts three times."""

TIMED = """
import sys, time
before, begun = set(sys.modules), time.perf_counter()
{statement}
took, brought = time.perf_counter() - begun, set(sys.modules) - before
import json
print(json.dumps([took * 1e3, sorted(brought)]))
"""


def measure(subject: str, home: Path) -> Figures:
    """Milliseconds that the import takes, and how many modules it brings, heavy ones apart."""
    code = TIMED.format(statement=STATEMENTS[subject])
    run = subprocess.run([sys.executable, "-c", code], cwd=home, capture_output=True, text=True, check=True)
    took, brought = json.loads(run.stdout)
    return {"import": took, "modules": len(brought), "heavy": sum(name in HEAVY for name in brought)}


def run(rounds: int) -> Outcome:
    """Compare the imports of every tracer that is installed."""
    subjects = ["reamon", "reamon_configure", *(name for name in tracers.installed() if name in STATEMENTS)]
    figures = harness.measure("imports", subjects, rounds * REPEATS)
    ours, otel = figures["reamon"], figures["opentelemetry"]
    table = Table(
        "The import",
        ("ms", "x OpenTelemetry", "modules"),
        {name: (row["import"], row["import"] / otel["import"], row["modules"]) for name, row in figures.items()},
    )
    return Outcome(
        table,
        (
            Promise("imports", "import, against OpenTelemetry's tracer SDK", ours["import"] / otel["import"], 1.3, "x"),
            Promise("imports", "heavy modules that importing reamon brings", ours["heavy"], 0, ""),
        ),
    )
