"""`reamon migrate`."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reamon.cli import main
from reamon.store.versions import SCHEMA_VERSION, VERSION_TABLE
from support.stores import stored, turn


def test_a_store_is_made_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "new" / "calls.db"
    assert main(["migrate", "--db", str(path)]) == 0
    assert "made the store at" in capsys.readouterr().out
    assert main(["traces", "--db", str(path)]) == 0


def test_a_current_store_stays_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "calls.db", turn("call-1", 0))
    assert main(["migrate", "--json", "--db", str(path)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "path": str(path),
        "before": SCHEMA_VERSION,
        "after": SCHEMA_VERSION,
    }


def test_for_people_a_current_store_is_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "calls.db", turn("call-1", 0))
    assert main(["migrate", "--db", str(path)]) == 0
    assert f"the store at {path} is up to date" in capsys.readouterr().out


def test_from_and_to_are_told_of_an_older_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path / "calls.db", turn("call-1", 0))
    monkeypatch.setattr("reamon.cli.migrate.schema_version", lambda _: "0000")
    assert main(["migrate", "--db", str(path)]) == 0
    assert f"brought the store at {path} from schema 0000 to {SCHEMA_VERSION}" in capsys.readouterr().out


def test_a_newer_store_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "calls.db", turn("call-1", 0))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    assert main(["migrate", "--db", str(path)]) == 1
    assert "upgrade reamon" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["directory", "text"])
def test_what_is_no_database_is_refused(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "calls.db"
    if content == "directory":
        path.mkdir()
    else:
        path.write_text("not a database, but long enough to be taken for one " * 10)
    assert main(["migrate", "--db", str(path)]) == 1
    assert str(path) in capsys.readouterr().err
