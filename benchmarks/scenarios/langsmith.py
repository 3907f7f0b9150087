"""What a span costs that goes to LangSmith: by its own SDK and by reamon, to the same server on this machine."""

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import harness
from benchmarks.harness import REPOSITORY, Figures
from benchmarks.promises import Outcome, Promise, Table
from benchmarks.scenarios import spans

SDK, OURS = "langsmith_service", "reamon_langsmith"
KEY = "lsv2_pt_benchmark"


def measure(subject: str, home: Path) -> Figures:
    """Microseconds per span: CPU of the calling thread, and of the whole process until the server has all of them."""
    if subject == "undecorated":
        return spans.measure(subject, home)
    with langsmith_server() as addresses:
        os.environ.update(BENCHMARK_URL=addresses["url"], BENCHMARK_KEY=KEY)
        figures = spans.measure(subject, home)
        _check(subject, addresses["control"])
    return figures


def run(rounds: int) -> Outcome:
    """Compare the two."""
    figures = harness.measure("langsmith", ["undecorated", SDK, OURS], rounds)
    base = figures.pop("undecorated")
    for row in figures.values():
        for name in row:
            row[name] -= base[name]
    sdk, ours = figures[SDK], figures[OURS]
    return Outcome(
        Table(
            "A span to LangSmith: 10 children per root, delivered to a server on this machine",
            ("caller µs", "process µs"),
            {name: (row["caller"], row["process"]) for name, row in figures.items()},
        ),
        (
            Promise(
                "langsmith", "the SDK's caller, against ours", sdk["caller"] / ours["caller"], 50, "x", at_most=False
            ),
            Promise(
                "langsmith",
                "the SDK's whole process, against ours",
                sdk["process"] / ours["process"],
                8,
                "x",
                at_most=False,
            ),
        ),
    )


@contextmanager
def langsmith_server() -> Iterator[dict[str, str]]:
    """The strict server of the tests, in a process of its own."""
    command = [sys.executable, "-m", "support.langsmith_server", "--keep", "ids", "--any-size", "--api-key", KEY]
    process = subprocess.Popen(
        command, cwd=REPOSITORY / "tests", stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        if process.stdout is None:
            raise SystemExit("the server has no output")
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.communicate()


def _check(subject: str, control: str) -> None:
    with urllib.request.urlopen(f"{control}/_control/state", timeout=60) as answer:
        stored = json.load(answer)["count"]
    if stored != spans.ALL_SPANS:
        raise SystemExit(f"{subject} delivered {stored} runs of {spans.ALL_SPANS}")
