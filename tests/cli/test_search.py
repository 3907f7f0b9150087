"""`reamon search`."""

import json
from pathlib import Path

import pytest

from reamon.cli import main
from support.stores import stored, turn

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def db(tmp_path: Path) -> str:
    spans = [*turn("call-1", 0, input={"said": "what is the price"}), *turn("call-2", 1, project="east")]
    return str(stored(tmp_path / "calls.db", spans))


def test_hits_are_listed_with_what_was_found(db: str, capsys: Capture) -> None:
    assert main(["search", "--db", db, "PRICE", "what"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert 'call-1 workflow process_input input {"said":"what is the price"}' in told
    assert "1 hit" in told


def test_a_phrase_in_the_quotes_of_the_shell_is_one_where_more_is_said(db: str, capsys: Capture) -> None:
    main(["search", "--db", db, "--json", "what", "the price"])
    assert len(json.loads(capsys.readouterr().out)["hits"]) == 1
    main(["search", "--db", db, "--json", "what", "price the"])
    assert json.loads(capsys.readouterr().out)["hits"] == []


def test_json_says_everything(db: str, capsys: Capture) -> None:
    main(["search", "--db", db, "--json", "--limit", "1", "greeting"])
    told = json.loads(capsys.readouterr().out)
    assert told["by"] == "index"
    (hit,) = told["hits"]
    assert (hit["call_id"], hit["kind"], hit["where"]) == ("call-2", "agent", "state")
    (begin, end) = hit["marks"][0]
    assert hit["snippet"][begin:end] == "greeting"


def test_a_project_is_searched_alone(db: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_PROJECT", "east")
    main(["search", "--db", db, "what is"])
    assert "nothing found" in capsys.readouterr().out
    main(["search", "--db", db, "what is", "--all-projects"])
    assert "1 hit" in capsys.readouterr().out


def test_the_index_is_built_and_forgotten_on_demand(db: str, capsys: Capture) -> None:
    assert main(["search", "--db", db, "--build"]) == 0
    assert main(["search", "--db", db, "--forget", "--json"]) == 0
    assert "the index is up to date" in capsys.readouterr().out


def test_with_nothing_to_look_for_the_command_is_refused(db: str, capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["search", "--db", db])
    assert "say what to look for" in capsys.readouterr().err
