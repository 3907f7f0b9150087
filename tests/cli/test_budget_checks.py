"""What `reamon doctor` says of budgets."""

from pathlib import Path

import pytest

from reamon.budgets import Budgets
from reamon.cli._budget_checks import budgets
from reamon.cli._checks import Verdict
from reamon.settings import MonitoringSettings
from support.postgres import postgres_schema
from support.redis import redis_server


def looked(**own: object) -> list[tuple[str, Verdict, str]]:
    return [(found.topic, found.verdict, found.text) for found in budgets(MonitoringSettings(budgets=own))]


def test_who_limits_nothing_reads_nothing_of_budgets() -> None:
    assert looked() == []


def test_limits_and_the_place_of_their_state_are_told_and_no_store_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REAMON_HOME", str(tmp_path / "home"))
    assert looked(day=50, call="0.10") == [
        ("budgets", "good", "call 0.10 USD, day 50 USD; state: the store"),
    ]
    assert looked(spike=2) == [("budgets", "good", "no limit, spikes alone; state: the store")]
    assert not (tmp_path / "home").exists()


def test_a_budget_that_stops_or_degrades_is_worth_knowing(tmp_path: Path) -> None:
    own = {"day": 50, "week": 1000, "month": 60, "degrade_at": "0.8", "state": str(tmp_path / "state.db")}
    with Budgets.from_settings(MonitoringSettings(budgets=own)) as spending:
        spending.reserve("50").settle("50")
    assert looked(**own)[1:] == [
        ("budget day", "note", "stop: budget 'day': 50.00 spent of 50.00 USD"),
        ("budget month", "note", "degrade: budget 'month': 50.00 spent of 60.00 USD"),
    ]


def test_memory_is_no_state_for_several_processes() -> None:
    ((_, verdict, text),) = looked(day=50, state="memory")
    assert (verdict, text.partition(":")[2]) == (
        "note",
        " each process spends the whole of every budget; name a state they share",
    )


@pytest.mark.parametrize(
    ("on_unreachable", "then"), [("open", "every process goes by what it knows"), ("closed", "nothing new begins")]
)
@pytest.mark.parametrize("state", ["redis://:secret@127.0.0.1:1/0", "postgresql://ada:secret@127.0.0.1:1/calls"])
def test_a_state_that_is_away_is_wrong_and_its_password_is_not_told(state: str, on_unreachable: str, then: str) -> None:
    ((topic, verdict, text),) = looked(day=50, state=state, on_unreachable=on_unreachable)
    assert (topic, verdict, then in text, "secret" in text) == ("budgets", "bad", True, False)


def test_a_state_in_postgresql_is_told_by_its_place() -> None:
    with postgres_schema() as url:
        ((_, verdict, text),) = looked(day=50, state=url)
    assert verdict == "good"
    assert "; state: " in text
    assert "reamon_test_" in text


@pytest.mark.parametrize(("policy", "is_wrong"), [("allkeys-lru", True), ("noeviction", False)])
def test_a_redis_that_evicts_is_wrong(policy: str, is_wrong: bool, tmp_path: Path) -> None:
    with redis_server(tmp_path, "--maxmemory", "64mb", "--maxmemory-policy", policy) as (url, _):
        found = looked(day=50, state=f"{url}?password=")
    assert found[0] == ("budgets", "good", f"day 50 USD; state: {url}")
    assert [text for _, verdict, text in found if verdict == "bad"] == (
        ["its maxmemory-policy allkeys-lru may throw away what was spent: set it to noeviction"] if is_wrong else []
    )


def test_a_redis_that_refuses_to_tell_of_its_memory_is_taken_as_it_is(tmp_path: Path) -> None:
    with redis_server(tmp_path, "--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru") as (url, client):
        client.execute_command("ACL", "SETUSER", "default", "-info")
        assert [verdict for _, verdict, _ in looked(day=50, state=url)] == ["good"]


def test_a_budget_that_cannot_be_used_is_wrong() -> None:
    ((topic, verdict, text),) = looked(day=50, timezone="Mars/Olympus")
    assert (topic, verdict, "Mars/Olympus" in text) == ("budgets", "bad", True)
