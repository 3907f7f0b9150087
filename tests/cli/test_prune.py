"""`reamon prune`."""

import io
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reamon.cli import main
from support.stores import stored, turn

DAY = 24 * 3600.0
Capture = pytest.CaptureFixture[str]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    """Three turns of long ago, two of them of one project."""
    spans = [*turn("a", -2000 * DAY, project="east"), *turn("b", -2000 * DAY, project="east"), *turn("c", -2000 * DAY)]
    return stored(tmp_path / "calls.db", spans)


def operations(db: Path) -> int:
    with closing(sqlite3.connect(db)) as connection:
        return int(connection.execute("SELECT count(*) FROM operations").fetchone()[0])


def prune(db: Path, *options: str) -> int:
    return main(["prune", "--db", str(db), *options])


def as_json(capsys: Capture) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_dry_run_says_what_would_go(db: Path, capsys: Capture) -> None:
    assert prune(db, "--dry-run", "--all-projects") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "would delete 6 operations, 6 agent executions" in told
    assert "6 cost details" in told
    assert operations(db) == 6


def test_with_yes_it_goes_without_a_question(db: Path, capsys: Capture) -> None:
    assert prune(db, "--yes", "--json") == 0
    told = as_json(capsys)
    assert told["rows"]["operations"] == 6
    assert told["transactions"] > 0
    assert operations(db) == 0


def test_nothing_goes_where_nobody_can_be_asked(db: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    with pytest.raises(SystemExit) as stop:
        prune(db)
    assert stop.value.code == 2
    assert "give --yes" in capsys.readouterr().err
    assert operations(db) == 6


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code", "left"), [("y\n", 0, 0), ("n\n", 1, 6), ("", 1, 6)])
def test_the_question_says_what_would_go_and_the_answer_counts(
    db: Path, answer: str, code: int, left: int, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    assert prune(db) == code
    assert "Delete 6 operations" in capsys.readouterr().err
    assert operations(db) == left


def test_a_project_is_pruned_alone_and_the_configured_one_by_default(
    db: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_PROJECT", "west")
    prune(db, "--dry-run", "--json")
    assert as_json(capsys)["rows"] == {}
    prune(db, "--yes", "--json", "--project", "east")
    assert as_json(capsys)["rows"]["operations"] == 4
    prune(db, "--yes", "--all-projects")
    assert operations(db) == 0


def test_limits_come_from_the_settings_and_the_command_line_wins(
    db: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_RETENTION__DETAIL", "none")
    monkeypatch.setenv("REAMON_RETENTION__COSTS", "none")
    prune(db, "--dry-run")
    assert "nothing is older than it has to be kept" in capsys.readouterr().out
    prune(db, "--yes", "--json", "--detail", "30d", "--summaries", "365d", "--vacuum")
    assert as_json(capsys)["summaries"] == 3


def test_an_age_that_is_none_is_refused(db: Path, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        prune(db, "--detail", "a month")
    assert "is no age such as" in capsys.readouterr().err
    assert prune(db, "--costs", "7d", "--yes") == 1
    assert "keep costs at least as long as detail" in capsys.readouterr().err
