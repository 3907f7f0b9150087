"""What a Redis of its own can do to budgets: run out of memory, become a replica, be a cache."""

import time
from pathlib import Path

import pytest

from reamon.budgets import Budget, Budgets
from reamon.budgets.money import trillionths
from support.redis import redis_server

LIMITS = [Budget("day", 50)]


def spend(budgets: Budgets, amount: str) -> None:
    budgets.spend(trillionths(amount), 0, None, None, time.time_ns())


FULL = ("CONFIG", "SET", "maxmemory", "1"), ("CONFIG", "SET", "maxmemory", "0")
REPLICA = ("REPLICAOF", "127.0.0.1", "1"), ("REPLICAOF", "NO", "ONE")


@pytest.mark.parametrize(("breaks", "mends"), [FULL, REPLICA], ids=["out of memory", "a replica"])
def test_a_server_that_cannot_write_loses_nothing(breaks: tuple[str], mends: tuple[str], tmp_path: Path) -> None:
    with redis_server(tmp_path) as (url, client), Budgets(LIMITS, url, timeout=20) as budgets:
        spend(budgets, "10")
        assert budgets.flush()
        client.execute_command(*breaks)
        spend(budgets, "31")
        assert not budgets.flush(timeout=0.1)
        found = budgets.check()
        assert (found.is_local, found.spent, found.action) == (True, 41, "warn")
        client.execute_command(*mends)
        assert budgets.flush(timeout=20)
        with Budgets(LIMITS, url) as other:
            assert other.check().spent == 41


@pytest.mark.parametrize(("policy", "is_told"), [("allkeys-lru", True), ("noeviction", False), ("volatile-lru", False)])
def test_a_server_that_evicts_is_told(
    policy: str, is_told: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    arguments = ("--maxmemory", "64mb", "--maxmemory-policy", policy)
    with redis_server(tmp_path, *arguments) as (url, _), Budgets(LIMITS, url, timeout=20) as budgets:
        spend(budgets, "10")
        assert budgets.flush()
        assert budgets.flush()
    assert caplog.text.count("state_may_be_evicted") == is_told
