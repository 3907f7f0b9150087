"""Metrics and alerts: the rows that others than the span writers write."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reamon.errors import StoreError
from reamon.model import Alert, PerformanceMetrics
from reamon.store import ALL_PROJECTS, AlertFilter, MetricFilter, Store, connect
from support.readable import DATABASES, readable

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with readable(request.param, tmp_path / "store.db", []) as opened:
        yield opened


@pytest.fixture
async def store(target: str) -> AsyncIterator[Store]:
    async with Store.open(target, project=ALL_PROJECTS) as opened:
        yield opened


def window(minute: int, **fields: Any) -> PerformanceMetrics:
    defaults = {"metric_type": "turns", "window": 60, "timestamp": NOON + minute * MINUTE, "count": 1}
    return PerformanceMetrics(**{**defaults, **fields})


def alert(name: str, **fields: Any) -> Alert:
    defaults = {"alert_id": name, "rule": "dear", "severity": "warning", "state": "firing", "message": "dear calls"}
    return Alert(**{**defaults, "triggered_at": NOON, **fields})


async def test_a_window_is_read_as_it_was_written_and_replaced_as_a_whole(store: Store) -> None:
    labels = {"workflow": "process_input", "agent": "scheduler"}
    first = window(0, labels=labels, count=3, errors=1, sum=1.5, sketch=b"\x00\xff")
    await store.metrics.upsert([first, window(1)])
    assert await store.metrics.get("turns", 60, NOON, labels=dict(reversed(labels.items()))) == first
    await store.metrics.upsert([window(0, labels=labels, count=4)])
    assert await store.metrics.get("turns", 60, NOON, labels=labels) == window(0, labels=labels, count=4)
    assert await store.metrics.count() == 2
    await store.metrics.upsert([])


async def test_windows_are_found_by_what_they_are_about(store: Store) -> None:
    await store.metrics.upsert(
        [
            window(0, labels={"agent": "a", "model": 'b"c'}),
            window(1, labels={"agent": "a"}),
            window(2, labels={"agents": "a", "x": '"agent":"a"'}),
            window(3, metric_type="errors", window=3600, labels={"z": "1", "agent": "b"}),
        ]
    )

    async def minutes(**which: Any) -> list[int]:
        found = store.metrics.iterate(MetricFilter(**which), order="oldest")
        return [(metric.timestamp - NOON) // MINUTE async for metric in found]

    assert await minutes(labels={"agent": "a"}) == [0, 1]
    assert await minutes(labels={"model": 'b"c'}) == [0]
    assert await minutes(labels={"z": "1", "agent": "b"}) == [3]
    assert await minutes(metric_type=["turns", "errors"], window=60) == [0, 1, 2]
    assert await minutes(metric_type="errors") == [3]
    assert await minutes(since=NOON + MINUTE, until=NOON + 3 * MINUTE) == [1, 2]


async def test_windows_are_listed_page_by_page(store: Store) -> None:
    await store.metrics.upsert([window(n // 4, labels={"n": str(n)}) for n in range(10)])
    seen: list[str] = []
    page = await store.metrics.query(limit=3)
    seen += [metric.labels["n"] for metric in page.items]
    while page.next:
        page = await store.metrics.query(limit=3, after=page.next)
        seen += [metric.labels["n"] for metric in page.items]
    assert seen == [str(n) for n in reversed(range(10))]


async def test_an_alert_lives_and_is_found_by_where_it_is_in_its_life(store: Store) -> None:
    created = await store.alerts.create(alert("a1", labels={"agent": "x"}, metadata={"value": 0.12}))
    await store.alerts.create(alert("a2", rule="slow", severity="critical", triggered_at=NOON + MINUTE))
    assert await store.alerts.get("a1") == created
    assert await store.alerts.transition("a1", "resolved", expected="firing", resolved_at=NOON + 5 * MINUTE)

    async def names(**which: Any) -> list[str]:
        return [each.alert_id async for each in store.alerts.iterate(AlertFilter(**which))]

    assert await names() == ["a2", "a1"]
    assert await names(open=True) == ["a2"]
    assert await names(open=False) == await names(state="resolved") == await names(labels={"agent": "x"}) == ["a1"]
    assert await names(severity=("critical",), rule="slow") == await names(since=NOON + MINUTE) == ["a2"]
    ended = await store.alerts.get("a1")
    assert ended is not None
    assert (ended.resolved_at, ended.metadata) == (NOON + 5 * MINUTE, {"value": 0.12})


async def test_of_many_who_resolve_an_alert_one_does(target: str) -> None:
    async with Store.open(target) as one, Store.open(target) as other:
        await one.alerts.create(alert("a1"))
        done = await asyncio.gather(
            *(store.alerts.transition("a1", "acknowledged", expected="firing") for store in (one, other, one, other))
        )
    assert sorted(done) == [False, False, False, True]


async def test_an_alert_that_is_not_there_has_no_transition(store: Store) -> None:
    assert not await store.alerts.transition("nobody", "resolved")


async def test_an_id_is_given_once(store: Store) -> None:
    await store.alerts.create(alert("a1"))
    with pytest.raises(StoreError, match="there is an alert with the id 'a1' already"):
        await store.alerts.create(alert("a1"))


async def test_a_naive_time_is_refused(store: Store) -> None:
    naive = NOON.replace(tzinfo=None)
    with pytest.raises(StoreError, match="timestamp=2026-11-26 12:00:00 has no time zone"):
        await store.metrics.upsert([window(0, timestamp=naive)])
    with pytest.raises(StoreError, match=r"triggered_at=.* has no time zone"):
        await store.alerts.create(alert("a1", triggered_at=naive))
    with pytest.raises(StoreError, match=r"resolved_at=.* has no time zone"):
        await store.alerts.transition("a1", "resolved", resolved_at=naive)


async def test_a_locked_file_cannot_be_changed_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "calls.db"
    with closing(connect(path)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with Store.open(path) as store:
            monkeypatch.setattr("reamon.store.engine.PATIENCE", 0.01)
            with pytest.raises(StoreError, match=r"calls\.db could not be changed: database is locked"):
                await store.metrics.upsert([window(0)])
            assert await store.metrics.count() == 0
