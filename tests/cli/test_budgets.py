"""`reamon budgets`."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.budgets import Budgets
from reamon.cli import main


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> None:
    """A campaign that has spent most of its day."""
    for name, value in {"DAY": "50", "CALL": "0.10", "PROJECT_DAY": "30", "STOP_AT": "0.95"}.items():
        monkeypatch.setenv(f"REAMON_BUDGETS__{name}", value)
    with Budgets.from_settings() as budgets:
        budgets.reserve("47.5").settle("42.5")
        budgets.reserve("0.08", call_id="call-1", project="sales")


@pytest.mark.usefixtures("campaign")
def test_it_tells_what_is_spent_reserved_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["budgets"]) == 0
    header, day = capsys.readouterr().out.splitlines()
    assert header.split() == ["budget", "per", "spent", "reserved", "left", "limit", "used", "action"]
    assert day.split()[:9] == [
        "day",
        "day",
        "$42.5000",
        "$0.080000",
        "$7.4200",
        "$50.0000",
        "85.2",
        "%",
        "█████████████████",
    ]
    assert day.split()[-1] == "warn"


@pytest.mark.usefixtures("campaign")
def test_a_call_and_a_project_can_be_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["budgets", "--call", "call-1", "--project", "sales", "--json"]) == 0
    told = {one["budget"]: one for one in json.loads(capsys.readouterr().out)["budgets"]}
    assert list(told) == ["call", "day", "project_day"]
    assert (told["call"]["scope"], Decimal(told["call"]["reserved"])) == ("call-1", Decimal("0.08"))
    assert (told["project_day"]["scope"], told["project_day"]["remaining"]) == ("sales", "29.92")


def test_without_budgets_it_says_how_to_set_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["budgets"]) == 0
    assert "REAMON_BUDGETS__DAY=50" in capsys.readouterr().out


@pytest.mark.parametrize("limit", [{}, {"REAMON_BUDGETS__DAY": "50"}], ids=["no budget", "nothing spent"])
def test_to_look_makes_no_store(
    limit: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_HOME", str(tmp_path / "home"))
    for name, value in limit.items():
        monkeypatch.setenv(name, value)
    assert main(["budgets"]) == 0
    assert ("$50.0000" if limit else "No budget is set") in capsys.readouterr().out
    assert not (tmp_path / "home").exists()


def test_what_another_process_has_in_memory_nobody_knows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REAMON_BUDGETS__STATE", "memory")
    assert main(["budgets"]) == 1
    assert "known to the application alone" in capsys.readouterr().err


def test_a_state_that_is_away_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("REAMON_BUDGETS__DAY", "50")
    monkeypatch.setenv("REAMON_BUDGETS__STATE", "redis://127.0.0.1:1/0")
    assert main(["budgets"]) == 1
    assert "cannot be reached" in capsys.readouterr().err
