"""`reamon costs`."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from reamon.cli import main
from reamon.cli._periods import moment_of
from reamon.errors import ReamonError
from reamon.model import CostData, SpanKind
from reamon.store.cost_filter import DIMENSIONS
from reamon.testing import make_span, sample_spans
from reamon.testing.samples import running_spans
from support.stores import SECOND, START, stored, turn

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)


def spans() -> list[object]:
    unpriced = CostData(
        cost_type="llm", amount=None, provider="acme", model="large", usage_units=Decimal("1.5"), unit="minutes"
    )
    late = make_span("ask", SpanKind.WORKFLOW, call_id="call-3", start_ns=START + 86_400 * SECOND, costs=(unpriced,))
    return [*turn("call-1", 0), *turn("call-2", 1, outcome="appointment", project="spring"), late]


@pytest.fixture
def db(tmp_path: Path) -> str:
    return str(stored(tmp_path / "calls.db", spans()))  # type: ignore[arg-type]


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def test_a_row_tells_cost_share_and_bar_and_the_last_one_the_total(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--db", db]) == 0
    lines = lines_of(capsys)
    assert lines[0] == "cost ≥$0.125600"
    assert lines[2] == "agent cost share details unknown minutes"
    assert lines[3] == f"qualification $0.124800 99.4 % {'█' * 20} 2"
    assert lines[4] == "conversation $0.000800 0.6 % ▏ 2"
    assert lines[5] == "(outside of agents) unknown 1 1 1.50"
    assert lines[6] == "total ≥$0.125600 5 1 1.50"
    assert lines[8].startswith("! 1 cost detail of 5 without a known price: `--by model` tells whose")


@pytest.mark.parametrize("by", DIMENSIONS)
def test_costs_can_be_told_apart_by_whatever_the_store_knows(
    by: str, db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", "--db", db, "--by", by, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["by"], report["amount"], report["status"]) == ([by], "0.125600000000", "partial")
    assert sum(Decimal(row["amount"] or 0) for row in report["rows"]) == Decimal("0.1256")


def test_several_dimensions_make_several_columns(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--db", db, "--by", "day, outcome", "--since", "2026-11-18", "--until", "2026-11-18"]) == 0
    lines = lines_of(capsys)
    assert lines[0] == "period from 2026-11-18 00:00:00 until 2026-11-19 00:00:00 UTC"
    assert lines[4:7] == [
        "2026-11-18 (none recorded) $0.062800 50.0 % 2",
        "2026-11-18 appointment $0.062800 50.0 % 2",
        "total $0.125600 4",
    ]


@pytest.mark.parametrize(
    ("options", "amount"),
    [
        (["--call", "call-1"], "0.062800000000"),
        (["--project", "spring"], "0.062800000000"),
        (["--all-projects"], "0.125600000000"),
        (["--until", "2026-11-18T11:06:41"], "0.062800000000"),
        (["--since", "2026-11-18T12:06:41+01:00", "--until", "2026-11-18"], "0.062800000000"),
        (["--since", "2026-11-19"], None),
    ],
)
def test_options_narrow_what_counts(
    options: list[str], amount: str | None, db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", "--db", db, "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["amount"] == amount


def test_a_limit_says_what_it_leaves_out_and_still_totals_all(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--db", db, "--by", "call", "--limit", "1"]) == 0
    lines = lines_of(capsys)
    assert lines[3].startswith("call-1 $0.062800")
    assert lines[4].startswith("total (2 more included) ≥$0.125600")
    assert lines[-1] == "1 of 3 shown; --limit N shows more"


def test_where_nothing_is_recorded_that_is_said(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--db", db, "--call", "nobody"]) == 0
    assert capsys.readouterr().out == "No costs are recorded of call nobody.\n"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--by", "colour"], "'colour' is none of call, trace"),
        (["--limit", "0"], "--limit"),
    ],
)
def test_a_wrong_option_is_refused(options: list[str], told: str, db: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["costs", "--db", db, *options])
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--since", "recently"], "--since recently: give a day"),
        (["--until", "2026-13-01"], "--until 2026-13-01: give a day"),
        (["--tz", "Mars/Base"], "there is no time zone 'Mars/Base'"),
        (["--since", "2026-11-20", "--until", "2026-11-01"], "is after until"),
    ],
)
def test_a_time_that_cannot_be_meant_is_refused(
    options: list[str], told: str, db: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", "--db", db, *options]) == 1
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "is_end", "expected"),
    [
        ("today", False, "2026-11-23T05:00:00+00:00"),
        ("today", True, "2026-11-24T05:00:00+00:00"),
        ("yesterday", False, "2026-11-22T05:00:00+00:00"),
        ("2026-11-01", False, "2026-11-01T04:00:00+00:00"),  # still summer time
        ("2026-11-01", True, "2026-11-02T05:00:00+00:00"),  # a day of 25 hours
        ("2026-11-23T09:30", False, "2026-11-23T14:30:00+00:00"),
        ("2026-11-23T09:30Z", True, "2026-11-23T09:30:00+00:00"),
        ("90m", False, "2026-11-23T13:30:00+00:00"),
        ("7d", False, "2026-11-16T15:00:00+00:00"),
    ],
)
def test_times_are_meant_as_people_write_them(text: str, is_end: bool, expected: str) -> None:
    found = moment_of("--since", text, ZoneInfo("America/New_York"), NOW, is_end=is_end)
    assert found == datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["", "7 days", "99999999d", "2026-11-23T25:00", "tomorrow"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ReamonError, match="--since"):
        moment_of("--since", text, ZoneInfo("UTC"), NOW)


@pytest.mark.parametrize(
    ("text", "zone"), [("0001-01-01T00:00", "Asia/Tokyo"), ("9999-12-31T23:59:59", "America/New_York")]
)
def test_a_time_that_utc_does_not_have_is_refused(text: str, zone: str) -> None:
    with pytest.raises(ReamonError, match="--since"):
        moment_of("--since", text, ZoneInfo(zone), NOW)


def test_a_sum_beyond_what_sqlite_can_count_to_is_refused_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    amount = Decimal(10) ** 17
    span = make_span(kind="llm", costs=(CostData(cost_type="llm", amount=amount, provider="openai"),))
    path = stored(tmp_path / "calls.db", [span])
    assert main(["costs", "--db", str(path)]) == 1
    assert "holds more than SQLite can add up exactly" in capsys.readouterr().err
    assert main(["traces", "--db", str(path)]) == 0
    assert "$100,000,000,000,000,000.0000" in capsys.readouterr().out


def test_whatever_was_recorded_can_be_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = stored(tmp_path / "samples.db", [*sample_spans(), *running_spans()])
    for by in DIMENSIONS:
        assert main(["costs", "--db", str(path), "--by", by]) == 0
        assert "\x1b" not in capsys.readouterr().out
