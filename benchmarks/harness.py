"""Runs measurements in processes of their own and gathers the medians."""

import argparse
import gc
import importlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent

Figures = dict[str, float]
"""What one process measured, by name."""


def measure(scenario: str, subjects: Sequence[str], rounds: int) -> dict[str, Figures]:
    """Measure each subject `rounds` times, taking turns, and return the median of each of its figures."""
    runs: dict[str, list[Figures]] = {subject: [] for subject in subjects}
    for number in range(rounds):
        for subject in subjects:
            _progress(f"{scenario}: round {number + 1} of {rounds}, {subject}")
            runs[subject].append(_run(scenario, subject))
    _progress("")
    return {subject: _medians(figures) for subject, figures in runs.items()}


def _progress(text: str) -> None:
    """Show what is being measured, in one line of a terminal; a pipe does not need it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[2K{text}", end="", file=sys.stderr, flush=True)


def _run(scenario: str, subject: str) -> Figures:
    with tempfile.TemporaryDirectory(prefix="reamon-bench-") as home:
        finished = subprocess.run(
            [sys.executable, "-m", "benchmarks.harness", scenario, subject, home],
            cwd=REPOSITORY,
            env=_environment(home),
            capture_output=True,
            text=True,
            check=False,
        )
    if finished.returncode != 0:
        raise SystemExit(f"{scenario} with {subject} failed:\n{finished.stderr}")
    figures: Figures = json.loads(finished.stdout.splitlines()[-1])
    return figures


def _environment(home: str) -> Mapping[str, str]:
    """The caller's environment without settings of any tracer, and without what others hang into pydantic."""
    prefixes = ("REAMON_", "LANGSMITH_", "LANGCHAIN_", "LANGFUSE_", "LOGFIRE_", "OTEL_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return {**kept, "REAMON_HOME": home, "PYDANTIC_DISABLE_PLUGINS": "__all__"}


def _medians(runs: Sequence[Figures]) -> Figures:
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    """Measure one subject in this process and print its figures as JSON."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("scenario")
    parser.add_argument("subject")
    parser.add_argument("home", type=Path)
    options = parser.parse_args()
    module = importlib.import_module(f"benchmarks.scenarios.{options.scenario}")
    gc.collect()
    print(json.dumps(module.measure(options.subject, options.home)))


if __name__ == "__main__":
    main()
