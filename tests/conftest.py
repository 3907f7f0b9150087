"""What every test gets: a strict guard, no settings from outside, its own directory, and no runtime left behind."""

import os
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

import reamon.guard
from reamon.tracing._switch import current

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

NO_SKIPS = "NO_SKIPS"
"""Where this is set, a test that does not run is a failure: our checks must not pass by skipping."""

FOREIGN_SETTINGS = ("REAMON_", "LANGSMITH_", "LANGCHAIN_", "OTEL_")

# A machine that is shared or measured (coverage) is slow at times; a deadline would make tests fail for that.
hypothesis.settings.register_profile("quick", deadline=None, max_examples=30)
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=200)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))


@pytest.fixture(autouse=True)
def isolated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the machine do not reach the test, and what the test writes by default lands in `tmp_path`."""
    for name in list(os.environ):
        if name.startswith(FOREIGN_SETTINGS):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def strict_guard() -> Iterator[None]:
    """Internal errors are raised, so that none hides; a test of the containing itself uses `guard.relaxed()`."""
    guard = reamon.guard.guard
    before, guard.strict = guard.strict, True
    yield
    guard.strict = before
    guard.reset()


@pytest.fixture(autouse=True)
def no_runtime_left(strict_guard: None) -> Iterator[None]:
    """Shut down what a test configured and left running."""
    yield
    runtime = sys.modules.get("reamon.runtime")
    if runtime is not None:
        runtime.shutdown(timeout=5.0)


@pytest.fixture(autouse=True)
def nothing_stays_current() -> Iterator[None]:
    """What a test made current, it has taken back: else the next one runs inside of its span."""
    before = current.get()
    yield
    now = current.get()
    current.set(before)
    assert now is before, f"{now} stayed current"


def pytest_xdist_auto_num_workers() -> int:
    """`-n auto`: half as many workers again as there are cores, since many tests wait for servers and processes."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + cores // 2


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test into a failure where skips are not allowed."""
    return _without_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn the skip of a whole module (`importorskip`) into a failure where skips are not allowed."""
    return _without_skip((yield))


def _without_skip(report: Report) -> Report:
    expected_failure = hasattr(report, "wasxfail")
    if NO_SKIPS in os.environ and report.skipped and not expected_failure:
        report.outcome = "failed"
        report.longrepr = f"skipped, and {NO_SKIPS} is set: {report.longrepr}"
    return report
