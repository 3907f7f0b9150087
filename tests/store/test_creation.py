"""Spans that are put into a store by hand."""

from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.errors import StoreError
from reamon.model import SpanKind, SpanStatus
from reamon.store import ALL_PROJECTS, Store, connect
from reamon.testing import make_span
from support.readable import DATABASES, readable
from support.stores import turn


@pytest.fixture(params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with readable(request.param, tmp_path / "store.db", []) as opened:
        yield opened


@pytest.fixture
async def store(target: str) -> AsyncIterator[Store]:
    async with Store.open(target, project=ALL_PROJECTS) as opened:
        yield opened


async def test_spans_make_a_trace_with_all_that_is_in_it_however_often_they_come(store: Store) -> None:
    spans = turn("call-1", 0)
    await store.traces.create(spans)
    await store.traces.create(reversed(spans))
    (trace,) = await store.traces.of_call("call-1")
    assert [agent.agent_type for agent in trace.agents] == ["conversation", "qualification"]
    assert trace.total_cost == Decimal("0.0628")
    assert await store.costs.count() == 2


async def test_times_come_back_in_utc_whatever_zone_the_session_has(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGTZ", "Asia/Tokyo")
    async with Store.open(target, project=ALL_PROJECTS) as store:
        await store.traces.create(turn("call-1", 0))
        (trace,) = await store.traces.of_call("call-1")
        details = (await store.costs.query()).items
    moments = [trace.start_time, trace.agents[0].start_time, *(detail.timestamp for detail in details)]
    assert {moment.utcoffset() for moment in moments} == {timedelta(0)}


async def test_a_workflow_that_runs_is_replaced_by_one_that_has_finished(store: Store) -> None:
    running = make_span("turn", SpanKind.WORKFLOW, status=SpanStatus.RUNNING)
    await store.traces.create([running])
    assert (await store.traces.query()).items[0].status == "running"
    await store.traces.create([running.replace(status=SpanStatus.OK, end_ns=running.start_ns + 1)])
    assert [trace.status for trace in (await store.traces.query()).items] == ["completed"]


async def test_spans_belong_to_the_project_that_the_store_was_opened_for(target: str) -> None:
    async with Store.open(target, project="spring") as store:
        await store.traces.create(turn("call-1", 0))
        assert {trace.project async for trace in store.traces.iterate()} == {"spring"}
        assert await store.costs.count() == 2
        with pytest.raises(StoreError, match="opened for project 'spring', and 'summer' was asked for"):
            await store.traces.create(turn("call-2", 0, project="summer"))
        assert await store.traces.count() == 1


async def test_what_can_never_be_stored_is_refused(store: Store) -> None:
    broken = make_span("turn", SpanKind.WORKFLOW).replace(start_ns=1 << 80)
    with pytest.raises(StoreError, match="not all spans could be stored"):
        await store.traces.create([*turn("call-1", 0), broken])
    assert len(await store.traces.of_call("call-1")) == 1


async def test_a_file_that_is_locked_for_good_cannot_be_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reamon.store.creation.PATIENCE", 0.01)
    with closing(connect(tmp_path / "calls.db")) as writer:
        writer.execute("BEGIN IMMEDIATE")
        async with Store.open(tmp_path / "calls.db") as store:
            with pytest.raises(StoreError, match=r"calls\.db could not be changed: .*locked"):
                await store.traces.create(turn("call-1", 0))
