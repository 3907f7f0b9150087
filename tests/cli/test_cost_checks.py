"""`reamon doctor` on money: where prices come from, and of what none was known."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.cli import _cost_checks, main
from reamon.cli._checks import Finding, Verdict
from reamon.collectors.model_prices import ModelPrices
from reamon.exporters import PostgresExporter
from reamon.model import CostData
from reamon.settings import MonitoringSettings
from reamon.store.versions import VERSION_TABLE
from reamon.testing import make_span
from support.postgres import postgres_schema
from support.stores import stored


def told(findings: list[Finding]) -> list[tuple[str, Verdict]]:
    return [(finding.topic, finding.verdict) for finding in findings]


def unknown(provider: str | None, model: str | None) -> CostData:
    return CostData(cost_type="llm", amount=None, provider=provider, model=model, price_source="unknown")


def test_the_editions_of_all_prices_are_told_and_how_young_those_of_models_are() -> None:
    newest = ModelPrices().newest_price()
    assert newest is not None
    sources, models = _cost_checks.prices(MonitoringSettings(costs={"profile": "reautomation2"}), newest)
    assert [part.split("@")[0] for part in sources.text.split(", ")] == ["reautomation2", "local", "genai-prices"]
    assert (models.verdict, models.text) == (Verdict.GOOD, f"the youngest is of {newest}")


def test_old_prices_are_worth_knowing() -> None:
    newest = ModelPrices().newest_price()
    assert newest is not None
    *_, models = _cost_checks.prices(MonitoringSettings(), newest + timedelta(days=91))
    assert (models.verdict, "pip install -U genai-prices" in models.text) == (Verdict.NOTE, True)


def test_missing_prices_are_worth_knowing_unless_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    *_, models = _cost_checks.prices(MonitoringSettings())
    assert (models.verdict, "reamon[costs]" in models.text) == (Verdict.NOTE, True)
    assert told(list(_cost_checks.prices(MonitoringSettings(costs={"model_prices": False})))) == [
        ("prices", Verdict.GOOD)
    ]


def test_rates_that_cannot_be_used_are_wrong() -> None:
    (finding,) = _cost_checks.prices(MonitoringSettings(costs={"rates": "nowhere.toml"}))
    assert (finding.verdict, finding.text) == (Verdict.BAD, "rates: there is no file nowhere.toml")


def test_where_nothing_is_priced_nothing_is_told() -> None:
    assert list(_cost_checks.prices(MonitoringSettings(collectors="none"))) == []
    assert list(_cost_checks.prices(MonitoringSettings(enabled=False))) == []


def test_what_had_no_price_is_listed_the_most_frequent_first(tmp_path: Path) -> None:
    costs = (unknown("acme", "large"), unknown("acme", "large"), unknown("acme", None), unknown(None, None))
    known = CostData(cost_type="tts", amount=Decimal(0), provider="piper")
    db = stored(tmp_path / "calls.db", [make_span("chat", "llm", costs=(*costs, known))])
    texts = [finding.text for finding in _cost_checks.unpriced(db)]
    assert texts[0] == "acme/large: 2 cost details without an amount"
    assert set(texts[1:3]) == {
        "acme: 1 cost detail without an amount",
        "an unnamed provider: 1 cost detail without an amount",
    }
    assert texts[3].startswith("give them rates (REAMON_COSTS__RATES)")


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    costs = tuple(unknown("acme", f"model-{number:02}") for number in range(14))
    db = stored(tmp_path / "calls.db", [make_span("chat", "llm", costs=costs)])
    texts = [finding.text for finding in _cost_checks.unpriced(db)]
    assert (len(texts), texts[-2]) == (12, "and 4 more")


def test_a_store_that_cannot_be_read_or_is_not_there_is_the_business_of_others(tmp_path: Path) -> None:
    assert list(_cost_checks.unpriced(tmp_path / "nowhere.db")) == []
    (tmp_path / "text.db").write_text("this is no database, and long enough to be looked at " * 100)
    assert list(_cost_checks.unpriced(tmp_path / "text.db")) == []
    db = stored(tmp_path / "old.db", [make_span("chat", "llm", costs=(unknown("acme", "large"),))])
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    assert list(_cost_checks.unpriced(db)) == []


def test_a_store_in_postgres_is_asked_too(capsys: pytest.CaptureFixture[str]) -> None:
    with postgres_schema() as url:
        exporter = PostgresExporter(url)
        exporter.open()
        exporter.export([make_span("chat", "llm", costs=(unknown("acme", "large"), unknown("acme", "large")))])
        exporter.shutdown(5.0)
        assert main(["doctor", "--url", url]) == 0
    assert "acme/large: 2 cost details without an amount" in capsys.readouterr().out


def test_with_settings_that_cannot_be_used_it_looks_where_it_was_told_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_SQLITE__PATH", str(tmp_path / "of-somebody-else.db"))
    monkeypatch.setenv("REAMON_SAMPLE_RATE", "often")
    assert main(["doctor", "--url", "postgresql://127.0.0.1:1/nowhere"]) == 1
    assert "of-somebody-else" not in capsys.readouterr().out


def test_the_doctor_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = stored(tmp_path / "calls.db", [make_span("chat", "llm", costs=(unknown("acme", "large"),))])
    assert main(["doctor", "--db", str(db)]) == 0
    printed = capsys.readouterr().out
    assert "acme/large: 1 cost detail without an amount" in printed
    assert "local@" in printed
