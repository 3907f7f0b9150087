"""`reamon export`."""

import csv
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pyarrow import parquet

from reamon.cli import main
from reamon.cli.export import _ending
from reamon.model import SpanError
from reamon.store import TraceFilter
from support.stores import failed, stored, turn


@pytest.fixture
def db(tmp_path: Path) -> str:
    spans = [
        *turn("call-1", 0),
        *turn("call-2", 1, project="spring"),
        *failed(turn("call-3", 2), ["process_input"], SpanError("TimeoutError", "no answer")),
    ]
    return str(stored(tmp_path / "calls.db", spans))


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_an_export_goes_up_to_the_present_at_most() -> None:
    before = datetime.now(UTC)
    assert before <= (_ending(TraceFilter()).until or before) <= datetime.now(UTC)
    assert _ending(TraceFilter(until=before)).until == before


@pytest.fixture(autouse=True)
def all_is_in_the_past(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reamon.cli.export._ending", lambda which: which)


def test_traces_go_to_standard_output_line_by_line(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--db", db]) == 0
    assert [line["call_id"] for line in lines(capsys)] == ["call-1", "call-2", "call-3"]


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        (["--what", "operations"], 6),
        (["--what", "operations", "--kind", "llm,tool", "--model", "gpt-4o-mini"], 3),
        (["--what", "executions", "--agent", "conversation", "--call", "call-1"], 1),
        (["--what", "executions", "--min-confidence", "0.5", "--next-agent", "qualification"], 3),
        (["--what", "costs", "--cost-type", "tts", "--min-cost", "0.01"], 3),
        (["--what", "costs", "--project", "spring"], 2),
        (["--status", "failed"], 1),
        (["--error", "NO ANSWER"], 1),
        (["--until", "2000-01-01"], 0),
    ],
)
def test_filters_are_options(db: str, options: list[str], rows: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--db", db, *options]) == 0
    assert len(lines(capsys)) == rows


def test_a_filter_of_other_rows_is_refused(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--db", db, "--what", "costs", "--tag", "vip"]) == 1
    assert "costs cannot be filtered by --tag" in capsys.readouterr().err


def test_a_file_says_its_format_by_its_name_and_the_command_what_it_wrote(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--db", db, "--what", "costs", "--out", str(tmp_path / "costs.csv")]) == 0
    assert "✓ wrote 6 costs to" in capsys.readouterr().out
    with (tmp_path / "costs.csv").open(newline="") as file:
        assert {row["amount"] for row in csv.DictReader(file)} == {"0.000400000000", "0.062400000000"}
    assert main(["export", "--db", db, "--out", str(tmp_path / "t.parquet"), "--json", "--no-payloads"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary == {
        "what": "traces",
        "format": "parquet",
        "path": str(tmp_path / "t.parquet"),
        "rows": 3,
        "octets": (tmp_path / "t.parquet").stat().st_size,
    }
    assert "input" not in parquet.read_table(tmp_path / "t.parquet").column_names


def test_a_file_that_is_there_stays_unless_forced(db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "traces.txt"
    out.write_text("precious")
    assert main(["export", "--db", db, "--out", str(out), "--format", "csv"]) == 1
    assert "is there already: give another name, or replace it (--force" in capsys.readouterr().err
    assert main(["export", "--db", db, "--out", str(out), "--format", "csv", "--force"]) == 0
    assert out.read_text().startswith("trace_id,call_id")


def test_a_file_that_does_not_say_its_format_is_refused(
    db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "--db", db, "--out", str(tmp_path / "traces")]) == 1
    assert "does not say its format: end it in .jsonl, .csv, .parquet, or give --format" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--json"], ["--format", "parquet"]])
def test_what_needs_a_file_is_refused_without_one(
    db: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["export", "--db", db, *options])
    assert "need a file: give one with --out" in capsys.readouterr().err


def test_a_terminal_is_told_how_far_it_is(
    db: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["export", "--db", db]) == 0
    assert "3 of 3 traces" in capsys.readouterr().err
