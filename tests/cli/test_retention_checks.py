"""What `reamon doctor` says about retention."""

from pathlib import Path

import pytest

from reamon.cli._checks import Verdict
from reamon.cli._retention_checks import retention
from reamon.settings import MonitoringSettings
from support.stores import stored, turn

DAY = 24 * 3600.0


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return stored(tmp_path / "calls.db", turn("old", -1500 * DAY))


@pytest.mark.parametrize(
    ("asked", "verdict", "told"),
    [
        ({}, Verdict.NOTE, "2 operations, 2 agent_executions, 2 cost_details; `reamon prune` deletes it"),
        ({"every": "24h"}, Verdict.NOTE, "2 cost_details; applications prune every 1d"),
        ({"detail": "none", "costs": "none"}, Verdict.GOOD, "nothing is older"),
        ({"costs": "1d"}, Verdict.BAD, "keep costs at least as long as detail"),
    ],
)
def test_it_tells_how_much_is_older_than_the_limits(
    store: Path, asked: dict[str, str], verdict: Verdict, told: str
) -> None:
    (finding,) = retention(MonitoringSettings(retention=asked), store)
    assert finding.verdict == verdict
    assert told in finding.text


def test_where_there_is_no_store_another_check_says_so(tmp_path: Path) -> None:
    assert list(retention(MonitoringSettings(), tmp_path / "none.db")) == []
