"""`reamon costs reprice`, `reamon costs reconcile` and `reamon costs insights`."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.cli import main
from reamon.model import Usage
from reamon.testing import make_span
from support.stores import START, stored, turn

RATES = 'version = "{0}"\n[rates.acme]\nper = 1000\ninput_tokens = "{1}"\n'


@pytest.fixture
def db(tmp_path: Path) -> str:
    usage = Usage(provider="acme", model="large", input_tokens=2000)
    return str(stored(tmp_path / "calls.db", [make_span("ask", "llm", start_ns=START, usage=(usage,))]))


@pytest.fixture
def rates(tmp_path: Path) -> str:
    path = tmp_path / "rates.toml"
    path.write_text(RATES.format("2026-11", "0.25"))
    return str(path)


def as_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_a_dry_run_shows_what_would_change_and_changes_nothing(
    db: str, rates: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", "reprice", "--db", db, "--rates", rates, "--dry-run"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "2026-11-18 acme/large $0.000000 $0.500000 +$0.500000" in told
    assert "1 cost detail in 1 trace would count instead of the old ones, which are kept" in told
    assert main(["costs", "--db", db, "--json"]) == 0
    assert as_json(capsys)["amount"] is None


def test_what_was_priced_anew_is_reported_and_listed(db: str, rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "reprice", "--db", db, "--rates", rates, "--yes", "--json"]) == 0
    report = as_json(capsys)
    assert (report["details"], report["after"], report["dry_run"]) == (1, "0.500000000000", False)
    assert main(["costs", "reprice", "--db", db, "--list", "--json"]) == 0
    (entry,) = as_json(capsys)["repricings"]  # type: ignore[misc]
    assert (entry["repricing_id"], entry["total_after"]) == (report["repricing_id"], "0.500000000000")
    assert main(["costs", "reprice", "--db", db, "--list"]) == 0
    assert str(report["repricing_id"]) in capsys.readouterr().out
    assert main(["costs", "reprice", "--db", db, "--rates", rates, "--yes"]) == 0
    assert "nothing changes" in capsys.readouterr().out


def test_the_prices_of_the_settings_count_unless_others_are_given(
    db: str, rates: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REAMON_COSTS__RATES", rates)
    monkeypatch.setenv("REAMON_COSTS__MODEL_PRICES", "false")
    assert main(["costs", "reprice", "--db", db, "--dry-run", "--json"]) == 0
    report = as_json(capsys)
    assert report["after"] == "0.500000000000"
    assert "genai-prices" not in str(report["price_version"])


def test_nobody_prices_anew_by_accident(db: str, rates: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["costs", "reprice", "--db", db, "--rates", rates])
    assert "give --yes to price anew" in capsys.readouterr().err


class Terminal:
    """A person who answers."""

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self._answer


@pytest.mark.parametrize(("answer", "code", "amount"), [("n\n", 1, None), ("y\n", 0, "0.500000000000")])
def test_on_a_terminal_it_asks(
    answer: str,
    code: int,
    amount: str | None,
    db: str,
    rates: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(answer))
    assert main(["costs", "reprice", "--db", db, "--rates", rates]) == code
    assert "Price 1 cost detail anew? [y/N]" in capsys.readouterr().err
    assert main(["costs", "--db", db, "--json"]) == 0
    assert as_json(capsys)["amount"] == amount


def test_rates_that_cannot_be_used_are_refused(db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "reprice", "--db", db, "--rates", str(tmp_path / "nowhere.toml"), "--yes"]) == 1
    assert "nowhere.toml" in capsys.readouterr().err


def test_nothing_priced_anew_yet_is_said(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "reprice", "--db", db, "--list"]) == 0
    assert capsys.readouterr().out == "Nothing was priced anew yet.\n"


@pytest.fixture
def invoice(tmp_path: Path) -> str:
    path = tmp_path / "invoice.csv"
    path.write_text("Day,Model,Cost\n2026-11-18,large-2026-01-01,0.52\n2026-11-19,small,1\n")
    return str(path)


def reconciled(db: str, rates: str, *options: str) -> int:
    assert main(["costs", "reprice", "--db", db, "--rates", rates, "--yes"]) == 0
    return main(["costs", "reconcile", "--db", db, "--provider", "acme", *options])


def test_an_invoice_that_disagrees_is_told_and_fails(
    db: str, rates: str, invoice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconciled(db, rates, invoice) == 1
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "2026-11-18 large $0.500000 $0.520000 +$0.020000 +3.8 % ✗ differs" in told
    assert "2026-11-19 small – $1.0000 +$1.0000 +100.0 % ✗ only billed" in told
    assert told[-1] == "✗ 2 of 2 rows beyond the tolerance"


def test_a_provider_of_whom_nothing_is_recorded_is_named(
    db: str, invoice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", "reconcile", "--db", db, "--provider", "acmee", invoice]) == 1
    told = "nothing is recorded of acmee on these days: `reamon costs --by provider` lists who is"
    assert told in " ".join(capsys.readouterr().out.split())


def test_a_tolerance_and_other_names_make_it_agree(
    db: str, rates: str, invoice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert reconciled(db, rates, invoice, "--tolerance", "1.00", "--map", "amount=cost") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "✓ the invoice agrees with what was recorded"


def test_a_reconciliation_as_json_has_all_digits(
    db: str, rates: str, invoice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["costs", "reprice", "--db", db, "--rates", rates, "--yes"]) == 0
    capsys.readouterr()
    assert main(["costs", "reconcile", invoice, "--db", db, "--provider", "acme", "--json"]) == 1
    found = as_json(capsys)
    assert Decimal(str(found["total"]["difference"])) == Decimal("1.02")  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--tolerance", "much"], "'much' is no tolerance"),
        (["--tolerance", "-1"], "is no tolerance"),
        (["--map", "amount"], "is not of the form NAME=VALUE"),
        (["--map", "colour=x"], "'colour' is none of date, model, amount, currency"),
    ],
)
def test_a_wrong_option_of_reconcile_is_refused(
    options: list[str], told: str, db: str, invoice: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["costs", "reconcile", invoice, "--db", db, "--provider", "acme", *options])
    assert told in capsys.readouterr().err


def test_a_line_that_cannot_be_understood_is_named(db: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "invoice.csv"
    path.write_text("date,amount\n2026-11-18,lots\n")
    assert main(["costs", "reconcile", str(path), "--db", db, "--provider", "acme"]) == 1
    assert "invoice.csv, line 2: 'lots' is no amount" in capsys.readouterr().err


@pytest.fixture
def calls(tmp_path: Path) -> str:
    spans = [
        span for number in range(3) for span in turn(f"call-{number}", number, outcome=("won", "lost")[number % 2])
    ]
    return str(stored(tmp_path / "turns.db", spans))


def test_insights_are_told_with_their_evidence(calls: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "insights", "--db", calls, "--minimum", "1", "--no-model-prices"]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "1. A call that ends in lost costs $0.0628, one that ends in won $0.0628" in lines
    assert "calls 3" in lines
    assert "everything spent, for each lost $0.188400" in lines
    assert "share 99.4 %" in lines
    assert "rests on 3 rows, 2026-11-18 11:06:40 to 2026-11-18 11:06:42 UTC" in lines
    assert "but a call's outcome is the last that one of its turns recorded" in lines


def test_a_saving_is_told_with_what_it_comes_to_in_a_month(
    calls: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored(Path(calls), turn("call-9", 10 * 86_400))
    rates = tmp_path / "rates.toml"
    rates.write_text(
        "[rates.openai]\ninput_tokens = 1\noutput_tokens = 1\n[rates.cheap]\ninput_tokens = 0.5\noutput_tokens = 1\n"
    )
    options = ["--minimum", "1", "--no-model-prices", "--rates", str(rates), "--instead", "cheap/one"]
    assert main(["costs", "insights", "--db", calls, *options]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert (
        lines[0]
        == "1. What openai/gpt-4o-mini was asked would have cost $2,560.0000 with cheap/one, and not $4,960.0000"
    )
    assert lines[1].startswith("saving $2,400.0000, $7,199.99")
    assert lines[1].endswith("in thirty days at this pace")


def test_insights_show_on_a_terminal_how_far_they_are(
    calls: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["costs", "insights", "--db", calls, "--no-model-prices"]) == 0
    shown = capsys.readouterr().err.split("\r\x1b[K")
    assert shown[1:3] == ["adding up what was spent", "1 of 8 questions looked into"]
    assert shown[-2:] == ["8 of 8 questions looked into", ""]


def test_a_model_without_a_price_cannot_be_compared_with(calls: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "insights", "--db", calls, "--no-model-prices", "--instead", "nobody/none"]) == 1
    assert "--instead nobody/none: its price is not known to local@" in capsys.readouterr().err


def test_insights_as_json_have_all_digits(calls: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "insights", "--db", calls, "--minimum", "1", "--json"]) == 0
    found = {each["kind"]: each for each in as_json(capsys)["insights"]}  # type: ignore[attr-defined]
    assert found["outcome"]["amount"] == "0.188400000000"
    assert found["outcome"]["figures"]["calls"] == 3


def test_too_little_for_an_insight_is_said(calls: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "insights", "--db", calls]) == 0
    assert capsys.readouterr().out.startswith("Too little is recorded to say anything")


def test_a_model_to_compare_with_has_a_provider(calls: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["costs", "insights", "--db", calls, "--instead", "gpt-4o"])
    assert "'gpt-4o' is not of the form PROVIDER/MODEL" in capsys.readouterr().err


@pytest.mark.parametrize("action", ["reprice", "insights"])
def test_an_action_looks_where_its_command_was_told_to(
    action: str, db: str, rates: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--rates", rates, *(["--dry-run"] if action == "reprice" else [])]
    assert main(["costs", action, *options, "--db", db, "--json"]) == 0
    said = capsys.readouterr().out
    assert main(["costs", "--db", db, "--json", action, *options]) == 0
    assert capsys.readouterr().out == said


def test_two_stores_are_refused(db: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--db", db, "insights", "--url", "postgresql://localhost/calls"]) == 1
    assert "--db and --url name two stores" in capsys.readouterr().err
