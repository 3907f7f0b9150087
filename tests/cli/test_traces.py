"""`reamon traces`."""

import json
from pathlib import Path

import pytest

from reamon.cli import main
from reamon.model import SpanError, SpanStatus
from reamon.store.filters import TRACE_STATUSES
from reamon.store.rows import workflow_row
from reamon.testing import make_span, sample_spans
from reamon.testing.samples import running_spans
from support.readable import readable
from support.stores import failed, stored, turn


@pytest.fixture
def db(tmp_path: Path) -> str:
    error = SpanError("TimeoutError", "no answer")
    spans = [
        *turn("call-1", 0),
        *turn("call-2", 1, outcome="appointment", project="spring"),
        *failed(turn("call-3", 2), ["process_input"], error),
    ]
    return str(stored(tmp_path / "calls.db", spans))


def test_a_line_tells_when_what_how_long_how_much_and_how_it_ended(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traces", "--db", db]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "call-3 process_input ✗ failed 900 ms $0.062800 TimeoutError: no answer" in lines[1]
    assert "call-2 process_input ✓ completed 900 ms $0.062800 appointment" in lines[2]
    assert lines[-1].startswith("3 traces")


@pytest.mark.parametrize(
    ("options", "calls"),
    [
        (["--status", "failed"], ["call-3"]),
        (["--call", "call-1"], ["call-1"]),
        (["--project", "spring"], ["call-2"]),
        (["--workflow", "process_input", "--limit", "2"], ["call-3", "call-2"]),
        (["--status", "failed,degraded"], ["call-3"]),
        (["--error", "NO answer"], ["call-3"]),
        (["--error-type", "TimeoutError", "--agent", "conversation"], ["call-3"]),
        (["--outcome", "appointment"], ["call-2"]),
        (["--min-cost", "0.0628", "--max-duration", "900", "--oldest"], ["call-1", "call-2", "call-3"]),
        (["--max-cost", "0.0627"], []),
        (["--since", "2026-11-18T11:06:41", "--until", "2026-11-18T11:06:42"], ["call-2"]),
        (["--tag", "vip"], []),
    ],
)
def test_options_narrow_the_list(
    db: str, options: list[str], calls: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["traces", "--json", "--db", db, *options]) == 0
    assert [trace["call_id"] for trace in json.loads(capsys.readouterr().out)["traces"]] == calls


def test_json_has_money_and_times_in_full(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["traces", "--json", "--db", db, "--limit", "1"])
    (trace,) = json.loads(capsys.readouterr().out)["traces"]
    assert (trace["total_cost"], trace["cost_status"]) == ("0.062800000000", "complete")
    assert trace["start_time"] == "2026-11-18T11:06:42Z"


def test_an_empty_list_says_so(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traces", "--db", db, "--call", "nobody"]) == 0
    assert capsys.readouterr().out == "No trace matches.\n"


@pytest.mark.parametrize("limit", ["0", "-1", "many"])
def test_a_limit_below_one_is_refused(db: str, limit: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["traces", "--db", db, "--limit", limit])
    assert "--limit" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["traces", "costs", "search words"])
def test_a_limit_beyond_what_a_database_counts_to_is_none(
    command: str, db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--limit", "9" * 20, "--db", db]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["traces --call", "costs --call", "show"])
def test_an_id_that_is_no_text_is_refused(command: str, db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "call-\udcff", "--db", db]) == 1  # as a shell gives the byte FF
    assert "surrogates not allowed" in capsys.readouterr().err


def test_every_status_that_a_workflow_can_have_can_be_asked_for() -> None:
    written = {workflow_row(make_span(kind="workflow", status=status))[7] for status in SpanStatus}
    assert written == set(TRACE_STATUSES)


def test_whatever_was_recorded_can_be_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "samples.db", [*sample_spans(), *running_spans()])
    for options in ([], ["--json"]):
        assert main(["traces", "--limit", "1000", "--db", str(path), *options]) == 0
        told = capsys.readouterr().out
        assert "\x1b" not in told


def test_where_there_are_more_the_list_says_how_to_go_on(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traces", "--db", db, "--limit", "2"]) == 0
    told = capsys.readouterr().out
    assert "2 traces, and there are more" in told
    assert main(["traces", "--db", db, "--limit", "2", "--after", told.split("--after ")[1].split()[0]]) == 0
    rest = capsys.readouterr().out
    assert "call-1" in rest
    assert "1 trace;" in rest
    assert "--after" not in rest


def test_a_cursor_from_elsewhere_is_refused(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["traces", "--db", db, "--after", "nonsense"]) == 1
    assert "'nonsense' is not a whole cursor" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--status", "broken"], "status=('broken',) has 'broken'; there are running, completed"),
        (["--min-cost", "2", "--max-cost", "1"], "min_cost=Decimal('2') is more than max_cost=1"),
        (["--since", "whenever"], "--since whenever: give a day"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_refused(
    db: str, options: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["traces", "--db", db, *options]) == 1
    assert why in capsys.readouterr().err


def test_the_configured_project_is_shown_unless_all_are_asked_for(
    db: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REAMON_PROJECT", "spring")

    def calls(*options: str) -> list[str]:
        assert main(["traces", "--json", "--db", db, *options]) == 0
        return [trace["call_id"] for trace in json.loads(capsys.readouterr().out)["traces"]]

    assert calls() == ["call-2"]
    assert calls("--all-projects") == ["call-3", "call-2", "call-1"]
    assert calls("--project", "summer") == []
    assert main(["show", "call-1", "--db", db]) == 1
    assert main(["show", "call-1", "--db", db, "--all-projects"]) == 0


def test_a_store_in_postgres_is_read_by_its_url(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with readable("postgres", tmp_path / "calls.db", turn("call-1", 0)) as url:
        assert main(["traces", "--json", "--url", url]) == 0
        assert json.loads(capsys.readouterr().out)["traces"][0]["call_id"] == "call-1"
        assert main(["show", "call-1", "--url", url]) == 0
        assert "conversation" in capsys.readouterr().out


def test_a_store_in_postgres_is_the_default_where_nothing_is_exported_to_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with readable("postgres", tmp_path / "calls.db", turn("call-1", 0)) as url:
        monkeypatch.setenv("REAMON_EXPORTERS", "postgres")
        address, _, schema = url.partition("?schema=")
        monkeypatch.setenv("REAMON_POSTGRES__URL", address)
        monkeypatch.setenv("REAMON_POSTGRES__SCHEMA", schema)
        assert main(["show", "call-1"]) == 0
        assert "conversation" in capsys.readouterr().out
        monkeypatch.setenv("REAMON_EXPORTERS", "sqlite,postgres")
        assert main(["show", "call-1"]) == 1
        assert "no store at" in capsys.readouterr().err


def test_a_path_and_a_url_are_too_much(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["traces", "--db", db, "--url", "postgresql://localhost/test"])
    assert "not allowed with argument" in capsys.readouterr().err
