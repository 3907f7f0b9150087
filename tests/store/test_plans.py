"""Plans: what an index leads to is never looked for through a whole table."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import plans, recorded
from benchmarks.scenarios.store import OTHERS, PAGES
from reamon.store import ALL_PROJECTS, ExecutionFilter, OperationFilter, Store, TraceFilter
from reamon.store.listing import Listing

ALONG_THE_KEY = {"traces, the newest", "operations, the newest", "costs of a project", "traces with an agent"}
"""These walk along the times until the page is full: what they ask for is frequent, or everything."""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plans") / "store.db"
    recorded.fill(made, 5_000)
    return made


@pytest.fixture(params=[1000, 20], ids=["few", "many"])
def many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for module in ("trace_search", "span_search"):
        monkeypatch.setattr(f"reamon.store.{module}.MANY", request.param)
    return request.param


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("name", [name for name in (OTHERS | PAGES) if name not in ALONG_THE_KEY])
async def test_no_table_is_read_through_for_what_an_index_leads_to(path: Path, name: str) -> None:
    async with Store.open(path, project=ALL_PROJECTS) as store, store.moment() as connection:
        with plans.listening(store) as asked:
            await (OTHERS | PAGES)[name](store)
        assert asked
        for statement in asked:
            steps = await plans.plan(connection, statement)
            assert plans.scans(steps) == [], "\n".join(steps)


@pytest.mark.parametrize("name", ["traces", "executions", "operations", "costs"])
async def test_a_page_begins_where_the_last_one_ended_without_reading_up_to_there(path: Path, name: str) -> None:
    async with Store.open(path, project=ALL_PROJECTS) as store, store.moment() as connection:
        listing: Listing[object, TraceFilter] = getattr(store, name)
        first = await listing.query(limit=5)
        with plans.listening(store) as asked:
            await listing.query(limit=5, after=first.next)
        (steps,) = [await plans.plan(connection, statement) for statement in asked]
        assert plans.scans(steps) == []
        assert any("SEARCH" in step for step in steps)
        assert not any("USE TEMP B-TREE FOR ORDER BY" in step for step in steps)


async def test_whole_traces_take_five_statements_however_many_they_are(path: Path) -> None:
    async with Store.open(path, project=ALL_PROJECTS) as store:
        with plans.listening(store) as asked:
            page = await store.traces.query_whole(limit=40)
    assert len(page.items) == 40
    assert len(asked) == 5


@pytest.mark.parametrize("rare", ["pilot", "calls"])
async def test_the_call_leads_whatever_else_is_asked_for(path: Path, rare: str) -> None:
    async with Store.open(path, project=rare) as store, store.moment() as connection:
        with plans.listening(store) as asked:
            await store.traces.query(TraceFilter(call_id="call-000007", status="failed", workflow="audit"))
            await store.executions.query(ExecutionFilter(call_id="call-000007", agent="scheduler"))
            await store.operations.query(OperationFilter(call_id="call-000007", model="o3"))
        for statement in asked:
            assert any("ix_workflow_traces_call_id" in step for step in await plans.plan(connection, statement))
