"""`reamon erase`."""

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from reamon.cli import main
from support.stores import stored, turn

Capture = pytest.CaptureFixture[str]
PHONE = "+1 (555) 010-2030"


@pytest.fixture
def db(tmp_path: Path) -> str:
    spans = [
        *turn("call-of-ada", 0, input={"to": "555-010-2030"}, metadata={"lead_id": "L-7"}, project="east"),
        *turn("call-of-bob", 1),
    ]
    return str(stored(tmp_path / "calls.db", spans))


def calls(db: str) -> list[str]:
    with closing(sqlite3.connect(db)) as connection:
        return [call for (call,) in connection.execute("SELECT call_id FROM workflow_traces ORDER BY 1")]


@pytest.mark.parametrize("whose", [["--phone", PHONE], ["--call", "call-of-ada"], ["--lead", "L-7"]])
def test_a_persons_data_go_and_the_receipt_says_what(db: str, whose: list[str], capsys: Capture) -> None:
    assert main(["erase", *whose, "--db", db, "--yes", "--by", "privacy desk"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "deleted 1 trace of 1 call" in told
    assert "cost_details (kept, anonymous) 2" in told
    assert "copies of files: back-ups" in told
    assert calls(db) == ["call-of-bob"]


def test_a_dry_run_takes_nothing(db: str, capsys: Capture) -> None:
    assert main(["erase", "--phone", PHONE, "--db", db, "--dry-run"]) == 0
    assert "would delete" in capsys.readouterr().out
    assert calls(db) == ["call-of-ada", "call-of-bob"]


def test_nothing_goes_where_nobody_can_be_asked(db: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["erase", "--phone", PHONE, "--db", db])
    assert "give --yes" in capsys.readouterr().err
    assert calls(db) == ["call-of-ada", "call-of-bob"]


def test_the_receipt_is_written_and_listed_and_repeats_the_erasure(db: str, tmp_path: Path, capsys: Capture) -> None:
    out = tmp_path / "receipt.json"
    main(["erase", "--phone", PHONE, "--db", db, "--yes", "--out", str(out), "--json"])
    receipt = json.loads(out.read_text())
    assert receipt == json.loads(capsys.readouterr().out)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert main(["erase", "--receipts", "--db", db]) == 0
    assert receipt["erasure_id"] in capsys.readouterr().out
    stored(Path(db), turn("call-of-ada", 50))
    assert main(["erase", "--again", receipt["erasure_id"], "--db", db, "--yes"]) == 0
    assert calls(db) == ["call-of-bob"]
    assert main(["erase", "--call", "x", "--db", db, "--yes", "--out", str(out)]) == 1
    assert "exists" in capsys.readouterr().err


def test_the_project_that_is_configured_is_meant_unless_all_are(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_PROJECT", "west")
    main(["erase", "--phone", PHONE, "--db", db, "--yes"])
    assert calls(db) == ["call-of-ada", "call-of-bob"]
    main(["erase", "--phone", PHONE, "--db", db, "--yes", "--all-projects"])
    assert calls(db) == ["call-of-bob"]


def test_destinations_that_are_configured_are_named(db: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", "sqlite,langsmith")
    main(["erase", "--phone", PHONE, "--db", db, "--yes", "--json"])
    elsewhere = json.loads(capsys.readouterr().out)["elsewhere"]
    assert [other["destination"] for other in elsewhere] == ["exporter langsmith", "copies of files"]


def test_a_number_that_is_none_is_refused(db: str, capsys: Capture) -> None:
    assert main(["erase", "--phone", "555", "--db", db, "--yes"]) == 1
    assert "has 3 digits" in capsys.readouterr().err


def test_where_only_costs_tell_of_a_call_it_is_found_as_well(db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(db)) as connection, connection:
        for table in ("operations", "agent_executions", "workflow_traces"):
            connection.execute(f"DELETE FROM {table}")
    monkeypatch.setattr("reamon.cli.erase.is_agreed", lambda question, arguments: True)
    assert main(["erase", "--call", "call-of-ada", "--db", db]) == 0
    with closing(sqlite3.connect(db)) as connection:
        found = connection.execute("SELECT DISTINCT call_id FROM cost_details ORDER BY 1").fetchall()
    assert found == [(None,), ("call-of-bob",)]
