"""`reamon traces`."""

import json
from pathlib import Path

import pytest

from reamon.cli import main
from reamon.cli.traces import STATUSES
from reamon.model import SpanError, SpanStatus
from reamon.store.rows import workflow_row
from reamon.testing import make_span, sample_spans
from reamon.testing.samples import running_spans
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


def test_every_status_that_a_workflow_can_have_can_be_asked_for() -> None:
    written = {workflow_row(make_span(kind="workflow", status=status))[7] for status in SpanStatus}
    assert written == set(STATUSES)


def test_whatever_was_recorded_can_be_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "samples.db", [*sample_spans(), *running_spans()])
    for options in ([], ["--json"]):
        assert main(["traces", "--limit", "1000", "--db", str(path), *options]) == 0
        told = capsys.readouterr().out
        assert "\x1b" not in told
