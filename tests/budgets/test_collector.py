"""Budgets in an application: settings, spans, and what the host asks."""

import functools
import logging
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

import reamon
from reamon import budgets
from reamon.budgets import Budget, BudgetCollector, Budgets, LedgerUnreachableError
from reamon.budgets.described import arguments_of
from reamon.budgets.ledgers.postgres import PostgresLedger
from reamon.budgets.ledgers.redis import RedisLedger
from reamon.collectors import CostCollector
from reamon.errors import ConfigurationError, StoreError
from reamon.exporters import MemoryExporter
from reamon.settings import MonitoringSettings
from support import redis
from support.ledgers import POSTGRES_URL, schema_of_our_own


def call(call_id: str, *costs: str | None, project: str | None = None) -> None:
    """A call that costs something; None is a cost that nobody knows."""
    with reamon.trace_workflow("turn", call_id=call_id, project=project):
        for number, cost in enumerate(costs):
            with reamon.trace_llm("chat") as span:
                amount = None if cost is None else Decimal(cost)
                span.record_cost(amount, cost_type=f"llm-{number}")


@pytest.fixture(params=["memory", "store", "redis"])
def state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the budgets of the settings are kept."""
    if request.param != "redis":
        yield request.param
        return
    with redis.keys_of_our_own() as prefix:
        ours = functools.partial(RedisLedger, prefix=prefix)
        monkeypatch.setattr("reamon.budgets.ledgers.redis.RedisLedger", ours)
        yield redis.URL


def test_two_variables_and_a_question_limit_a_campaign(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setenv("REAMON_BUDGETS__DAY", "50")
    monkeypatch.setenv("REAMON_BUDGETS__CALL", "0.10")
    monkeypatch.setenv("REAMON_BUDGETS__WARN_AT", "0.7,0.85")
    monkeypatch.setenv("REAMON_BUDGETS__DEGRADE_AT", "0.85")
    monkeypatch.setenv("REAMON_BUDGETS__STOP_AT", "0.95")
    monkeypatch.setenv("REAMON_BUDGETS__STATE", state)
    reamon.configure()
    events: list[budgets.BudgetEvent] = []
    budgets.on_crossing(events.append)
    assert budgets.check(call_id="call-1", estimate="0.08").allowed
    with budgets.reserve("0.08", call_id="call-1") as reserved:
        call("call-1", "0.05", "0.036")
        assert reamon.flush()
        assert reserved.action == budgets.action("call-1") == "degrade"
    assert budgets.check(call_id="call-1", estimate="0.02").action == "stop"
    assert [(event.budget, event.scope, str(event.threshold)) for event in events] == [
        ("call", "call-1", "0.7"),
        ("call", "call-1", "0.85"),
    ]
    assert reamon.shutdown()
    assert budgets.check(call_id="call-1", estimate="0.02").reason == "no budget applies"


@pytest.mark.parametrize("state", ["store", "redis"], indirect=True)
def test_what_was_spent_is_known_to_the_next_process(state: str) -> None:
    for spent in ("0", "0.05"):
        reamon.configure(budgets={"day": 50, "state": state})
        assert budgets.check().spent == Decimal(spent)
        call("call-1", "0.05")
        assert reamon.shutdown()


def test_unknown_costs_are_counted_and_said() -> None:
    reamon.configure(exporters=[MemoryExporter()], budgets={"day": 50, "state": "memory"})
    call("call-1", "0.05", None, None)
    reamon.flush()
    decision = budgets.check()
    assert (decision.spent, decision.unknown) == (Decimal("0.05"), 2)


def test_who_listens_hears_of_the_budgets_that_are_configured_later() -> None:
    events: list[budgets.BudgetEvent] = []
    stop = budgets.on_crossing(events.append)
    for limit in (1, 2, 3, 4):
        reamon.configure(exporters=[MemoryExporter()], budgets={"day": limit, "warn_at": "none", "state": "memory"})
        call("call-1", "2.5")
        assert reamon.flush()
        if limit == 3:
            stop()
    assert [event.limit for event in events] == [1, 2]
    reamon.configure(exporters=[MemoryExporter()], budgets={"day": 1, "state": "memory"})
    call("call-1", "2.5")
    assert reamon.shutdown()
    assert [event.limit for event in events] == [1, 2]


def test_budgets_come_after_the_collector_that_knows_the_costs() -> None:
    own = Budgets([Budget("day", 50)])
    rates = {"openai": {"input_tokens": "0.01"}}
    reamon.configure(exporters=[MemoryExporter()], collectors=[BudgetCollector(own), CostCollector(rates)])
    assert budgets.current() is own
    with reamon.trace_llm("chat") as span:
        span.record_usage(provider="openai", input_tokens=7)
    reamon.flush()
    assert own.check().spent == Decimal("0.07")


def test_a_budget_by_name_reads_the_settings() -> None:
    reamon.configure(exporters=[MemoryExporter()], collectors="budget,cost", budgets={"day": 2, "state": "memory"})
    assert [budget.name for budget in budgets.current().budgets] == ["day"]


def test_projects_have_their_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    limits = {"project_day": 1, "state": "memory"}
    reamon.configure(exporters=[MemoryExporter()], project="sales", budgets=limits)
    call("call-1", "1")
    call("call-2", "0.5", project="support")
    reamon.flush()
    assert [budgets.check(project=name).action for name in (None, "sales", "support")] == ["stop", "stop", "ok"]


def test_settings_say_what_cannot_be_used() -> None:
    with pytest.raises(ConfigurationError, match=r"budgets\.day = -1"):
        MonitoringSettings(budgets={"day": -1})
    with pytest.raises(ConfigurationError, match="at most 1"):
        arguments_of(MonitoringSettings(budgets={"day": 1, "warn_at": "80"}))
    with pytest.raises(ConfigurationError, match="no time zone 'Mars'"):
        reamon.configure(budgets={"day": 1, "timezone": "Mars"})


def test_a_password_in_the_address_of_the_state_is_not_shown() -> None:
    settings = MonitoringSettings(budgets={"day": 1, "state": "redis://:secret@cache/0"})
    assert "secret" not in repr(settings)


def test_periods_are_counted_anew_from_the_store(tmp_path: Path) -> None:
    reamon.configure(budgets={"day": 50, "call": 1, "project_day": 9, "total": 100}, project="sales")
    call("call-1", "0.05", "0.02")
    call("call-2", "0.01", None, project="support")
    budgets.reserve("0.5").settle("0.4")
    reamon.flush()
    mine = budgets.current()
    mine._ledger.rebuild(next(iter(mine._knowledge.seen())), 0, 0, 0)  # what a crash leaves behind
    counted = mine.rebuild(tmp_path / ".reamon" / "reamon.db")
    assert counted == {
        "call": Decimal("0.08"),
        "day": Decimal("0.08"),
        "project_day": Decimal("0.08"),
        "total": Decimal("0.08"),
    }
    assert mine.rebuild(tmp_path / ".reamon" / "reamon.db") == counted
    day = next(found for budget, found in mine.standing().items() if budget.name == "day")
    assert (day.spent, day.unknown) == (Decimal("0.48"), 1)


def test_the_store_is_postgresql_where_spans_go_there() -> None:
    with schema_of_our_own() as url:
        address, schema = url.rpartition("?")[0], url.rpartition("schema=")[2]
        limits = {"day": 50}
        settings = MonitoringSettings(exporters="postgres", postgres={"url": address, "schema": schema}, budgets=limits)
        for spent in (0, 1):
            with Budgets.from_settings(settings) as found:
                assert found.check().spent == spent
                found.reserve(2).settle(1)


def test_tables_that_nobody_may_make_are_missed() -> None:
    with schema_of_our_own() as url:
        found = Budgets([Budget("day", 50)], PostgresLedger(url, migrate=False))
        with found, pytest.raises(LedgerUnreachableError, match="run `reamon migrate`"):
            found.standing()


def test_periods_are_counted_anew_from_postgresql() -> None:
    psycopg = pytest.importorskip("psycopg")
    with schema_of_our_own() as url, Budgets([Budget("day", 50), Budget("call", 1, "call")], url) as found:
        assert found.check().spent == 0  # which makes the tables
        with psycopg.connect(POSTGRES_URL, autocommit=True) as owner:
            for number, (age, amount) in enumerate([("0 s", "0.05"), ("0 s", "0.02"), ("0 s", None), ("3 d", "7")]):
                owner.execute(
                    f"INSERT INTO {url.rpartition('schema=')[2]}.cost_details (span_id, cost_type, price_version, item,"
                    " trace_id, call_id, price_source, timestamp, cost_amount, estimated)"
                    " VALUES (%s, 'llm', '1', 0, 'trace', 'call-1', 'rates', now() - %s::interval, %s, false)",
                    (f"span-{number}", age, amount),
                )
        assert found.rebuild(url) == {"call": Decimal("0.07"), "day": Decimal("0.07")}
        assert found.standing(call_id="call-1")[found.budgets[1]].unknown == 1


def test_a_store_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with Budgets([Budget("day", 50)]) as found:
        with pytest.raises(StoreError, match="cannot be read"):
            found.rebuild(tmp_path / "nowhere.db")
        with pytest.raises(StoreError, match="cannot be read"):
            found.rebuild("postgresql://127.0.0.1:1/nowhere")


async def test_the_functions_for_coroutines_ask_the_current_ones() -> None:
    reamon.configure(exporters=[MemoryExporter()], budgets={"day": 50, "call": "0.10", "state": "memory"})
    assert (await budgets.acheck(call_id="call-1", estimate="0.11")).action == "stop"
    number = await budgets.areserve(5)
    await number.asettle(4)
    assert budgets.check().spent == 4
    call_reservation = await budgets.areserve("0.08", call_id="call-1")
    await call_reservation.asettle()
    assert call_reservation.action == "ok"
    refused = await budgets.areserve("0.09", call_id="call-2", expires_in=5)
    assert refused.allowed
    await reamon.ashutdown()
