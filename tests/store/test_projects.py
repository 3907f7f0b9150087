"""Projects: whoever opens a store for one of them sees no row of another, whatever they ask."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reamon.errors import StoreError
from reamon.model import Alert, PerformanceMetrics
from reamon.store import (
    ALL_PROJECTS,
    AlertFilter,
    CostDetailFilter,
    ExecutionFilter,
    OperationFilter,
    Store,
    TraceFilter,
)
from reamon.store.projects import Project
from support.readable import DATABASES, PROJECTS, readable, varied
from support.stores import stored, turn

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def alert(name: str, project: str | None = None, **fields: Any) -> Alert:
    return Alert(
        **{
            "alert_id": name,
            "rule": "dear",
            "project": project,
            "severity": "warning",
            "state": "firing",
            "message": name,
            "triggered_at": NOON,
            **fields,
        }
    )


def metric(project: str | None = None, **fields: Any) -> PerformanceMetrics:
    return PerformanceMetrics(
        **{"metric_type": "turns", "window": 60, "timestamp": NOON, "project": project, "count": 1, **fields}
    )


@pytest.fixture(scope="module", params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with readable(request.param, tmp_path_factory.mktemp("store") / "store.db", varied()) as opened:
        yield opened


@pytest.fixture
async def everything(target: str) -> AsyncIterator[Store]:
    async with Store.open(target, project=ALL_PROJECTS) as store:
        for project in PROJECTS:
            await store.metrics.upsert([metric(project)])
            name = f"alert of {project}"
            if await store.alerts.get(name) is None:
                await store.alerts.create(alert(name, project))
        yield store


async def ids_of(store: Store) -> dict[str, set[Any]]:
    """The keys of all that each list gives."""
    return {
        "traces": {trace.trace_id async for trace in store.traces.iterate()},
        "executions": {execution.span_id async for execution in store.executions.iterate()},
        "operations": {operation.span_id async for operation in store.operations.iterate()},
        "costs": {(detail.span_id, detail.cost_type) async for detail in store.costs.iterate()},
        "metrics": {window.project async for window in store.metrics.iterate()},
        "alerts": {each.alert_id async for each in store.alerts.iterate()},
    }


@pytest.mark.parametrize("project", ["calls", "support"])
async def test_the_lists_of_a_project_are_its_own_rows_and_all_of_them(
    target: str, everything: Store, project: str
) -> None:
    traces = [trace async for trace in everything.traces.iterate_whole() if trace.project == project]
    details = [detail async for detail in everything.costs.iterate() if detail.project == project]
    async with Store.open(target, project=project) as store:
        seen = await ids_of(store)
        counts = {name: await getattr(store, name).count() for name in seen}
    assert seen == {
        "traces": {trace.trace_id for trace in traces},
        "executions": {agent.span_id for trace in traces for agent in trace.agents},
        "operations": {operation.span_id for trace in traces for operation in trace.operations},
        "costs": {(detail.span_id, detail.cost_type) for detail in details},
        "metrics": {project},
        "alerts": {f"alert of {project}"},
    }
    assert counts == {name: len(ids) for name, ids in seen.items()}


Question = Callable[[Store, Any], Awaitable[Any]]

ASKED_BY_NAME: dict[str, Question] = {
    "traces.get": lambda store, trace: store.traces.get(trace.trace_id),
    "traces.get_many": lambda store, trace: store.traces.get_many([trace.trace_id]),
    "traces.ids_like": lambda store, trace: store.traces.ids_like(trace.trace_id[-12:]),
    "executions.get": lambda store, trace: store.executions.get(trace.agents[0].span_id),
    "operations.get": lambda store, trace: store.operations.get(trace.operations[0].span_id),
    "executions of the trace": lambda store, trace: store.executions.count(ExecutionFilter(trace_id=trace.trace_id)),
    "operations of the trace": lambda store, trace: store.operations.count(OperationFilter(trace_id=trace.trace_id)),
    "costs of the trace": lambda store, trace: store.costs.count(CostDetailFilter(trace_id=trace.trace_id)),
}


@pytest.mark.parametrize("question", ASKED_BY_NAME)
@pytest.mark.parametrize("project", ["calls", "support", "another"])
async def test_what_another_project_has_is_not_there_even_by_its_id(
    target: str, everything: Store, question: str, project: str
) -> None:
    ask = ASKED_BY_NAME[question]
    async with Store.open(target, project=project) as store:
        async for trace in everything.traces.iterate_whole():
            answer = await ask(store, trace)
            if trace.project == project and question != "costs of the trace":
                assert answer == await ask(everything, trace)
            elif trace.project != project:
                assert not answer


async def test_a_call_that_several_projects_share_is_seen_in_part(target: str, everything: Store) -> None:
    whole = await everything.traces.of_call("call-1")
    for project in ("calls", "support"):
        async with Store.open(target, project=project) as store:
            assert await store.traces.of_call("call-1") == [trace for trace in whole if trace.project == project]
            assert await store.traces.count(TraceFilter(call_id="call-1")) < len(whole)


async def test_facts_and_calls_are_those_of_the_project(target: str, everything: Store) -> None:
    everybody = await everything.facts()
    parts = []
    for project in ("calls", "support"):
        async with Store.open(target, project=project) as store:
            parts.append(await store.facts())
            calls = {trace.call_id async for trace in store.traces.iterate() if trace.call_id}
            assert set(await store.traces.calls()) == calls
        assert parts[-1] == await everything.facts(project)
    assert sum(len(part.turns) for part in parts) < len(everybody.turns)
    assert {turn.trace_id for turn in parts[0].turns}.isdisjoint(turn.trace_id for turn in parts[1].turns)


async def test_another_project_cannot_be_asked_for(target: str) -> None:
    why = "this store was opened for project 'calls', and 'support' was asked for: open it with project=ALL_PROJECTS"
    async with Store.open(target, project="calls") as store:
        for ask in (
            lambda: store.traces.query(TraceFilter(project="support")),
            lambda: store.costs.count(CostDetailFilter(project="support")),
            lambda: store.alerts.query(AlertFilter(project="support")),
            lambda: store.facts("support"),
            lambda: store.metrics.get("turns", 60, NOON, project="support"),
            lambda: store.metrics.upsert([metric("support")]),
            lambda: store.alerts.create(alert("new", "support")),
        ):
            with pytest.raises(StoreError, match=why):
                await ask()
        assert await store.traces.count(TraceFilter(project="calls")) == await store.traces.count()


async def test_an_alert_of_another_project_can_be_neither_read_nor_changed(target: str, everything: Store) -> None:
    async with Store.open(target, project="calls") as store:
        assert await store.alerts.get("alert of support") is None
        assert not await store.alerts.transition("alert of support", "resolved", resolved_at=NOON)
    kept = await everything.alerts.get("alert of support")
    assert kept is not None
    assert kept.state == "firing"


async def test_what_is_written_through_a_project_belongs_to_it(target: str, everything: Store) -> None:
    async with Store.open(target, project="written") as store:
        await store.metrics.upsert([metric(count=7)])
        assert (await store.alerts.create(alert("mine"))).project == "written"
    theirs = await everything.metrics.get("turns", 60, NOON, project="written")
    assert theirs is not None
    assert (theirs.count, theirs.project) == (7, "written")


@pytest.mark.parametrize(
    ("named", "configured", "dotenv", "seen"),
    [
        (None, None, None, None),
        (None, "spring", None, "spring"),
        (None, None, "spring", "spring"),
        ("summer", "spring", None, "summer"),
        (ALL_PROJECTS, "spring", None, None),
        (None, "", None, None),
    ],
)
async def test_the_project_is_the_one_that_is_named_else_the_one_that_is_configured_else_all(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: Project,
    configured: str | None,
    dotenv: str | None,
    seen: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    if configured is not None:
        monkeypatch.setenv("REAMON_PROJECT", configured)
    if dotenv is not None:
        (tmp_path / ".env").write_text(f"REAMON_PROJECT={dotenv}\n")
    spans = [*turn("call-1", 0, project="spring"), *turn("call-2", 1, project="summer"), *turn("call-3", 2)]
    async with Store.open(stored(tmp_path / "calls.db", spans), project=named) as store:
        assert store.project == seen
        projects = {trace.project async for trace in store.traces.iterate()}
    assert projects == ({"spring", "summer", None} if seen is None else {seen})


def test_a_project_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="project='' is no project's name: give one, or ALL_PROJECTS"):
        Store.open(stored(tmp_path / "calls.db", []), project="")
