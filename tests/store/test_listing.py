"""Listings: what a filter finds, page by page, is what Python would pick from all there is; in either database."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Integer, delete

from reamon.errors import StoreError
from reamon.model import SpanKind, WorkflowTrace
from reamon.model.times import to_datetime
from reamon.store import (
    ALL_PROJECTS,
    CostDetailFilter,
    ExecutionFilter,
    OperationFilter,
    Store,
    TraceFilter,
    WorkflowTraceRow,
)
from reamon.store.pages import cursor
from reamon.store.types import RowId
from reamon.testing import make_span
from support.readable import AGENTS, AMOUNTS, DATABASES, MODELS, WORKFLOWS, readable, varied
from support.stores import MILLI, START, stored, turn

EXAMPLES = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@pytest.fixture(scope="module", params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with readable(request.param, tmp_path_factory.mktemp("store") / "store.db", varied()) as opened:
        yield opened


def asked(target: str, question: Callable[[Store], Any]) -> Any:
    async def ask() -> Any:
        async with Store.open(target, project=ALL_PROJECTS) as store:
            return await question(store)

    return asyncio.run(ask())


@pytest.fixture(scope="module")
def traces(target: str) -> list[WorkflowTrace]:
    async def all_of(store: Store) -> list[WorkflowTrace]:
        return [trace async for trace in store.traces.iterate_whole()]

    found: list[WorkflowTrace] = asked(target, all_of)
    return found


MOMENTS = st.integers(-1, 14).map(lambda step: to_datetime(START + step * 500 * MILLI))
COSTS = st.sampled_from([*(Decimal(amount) for amount in AMOUNTS if amount), Decimal("-1"), Decimal("0.1000000000005")])
TEXTS = st.sampled_from(["no answer", "NO ANSWER", "%", "_", "\\", "äöü", "ÄÖÜ", "timeout", "model did not", ""])


def between(low: st.SearchStrategy[Any], names: tuple[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    """No bound, one, or both in their order."""
    pairs = st.tuples(st.none() | low, st.none() | low).filter(lambda p: None in p or p[0] <= p[1])
    return pairs.map(lambda pair: {name: value for name, value in zip(names, pair, strict=True) if value is not None})


def one_of_all(**choices: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few of these filters."""
    return st.fixed_dictionaries({}, optional=choices).filter(lambda chosen: len(chosen) <= 3)


SPANS: dict[str, st.SearchStrategy[Any]] = {
    "call_id": st.sampled_from(["call-1", "call-2", "call-9"]),
    "workflow": st.sampled_from([*WORKFLOWS, "another"]),
    "project": st.sampled_from(["calls", "support", "another"]),
    "tag": st.sampled_from(["vip", "new lead", '"', "vi"]),
    "error": TEXTS,
    "error_type": st.sampled_from(["TimeoutError", "timeouterror", "RateLimited"]),
}
RANGES = st.one_of(
    between(MOMENTS, ("since", "until")),
    between(COSTS, ("min_cost", "max_cost")),
    between(st.sampled_from([100.0, 290.0, 300.0, 1500.0]), ("min_duration_ms", "max_duration_ms")),
)


def has(item: Any, which: dict[str, Any], cost: Decimal | None, columns: Sequence[str]) -> bool:
    """Whether a trace, an execution or an operation has what these filters ask for."""
    text = which.get("error", "").translate(str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"))
    said = [(value or "") for value in (item.error_message, item.error_type, item.status_reason)]
    small = [
        value.translate(str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")) for value in said
    ]
    statuses = which.get("status")
    return all(
        (
            statuses is None or item.status in ([statuses] if isinstance(statuses, str) else statuses),
            "since" not in which or item.start_time >= which["since"],
            "until" not in which or item.start_time < which["until"],
            "min_cost" not in which or (cost is not None and cost >= which["min_cost"]),
            "max_cost" not in which or (cost is not None and cost <= which["max_cost"]),
            "min_duration_ms" not in which
            or (item.duration_ms is not None and item.duration_ms >= which["min_duration_ms"]),
            "max_duration_ms" not in which
            or (item.duration_ms is not None and item.duration_ms <= which["max_duration_ms"]),
            not text or any(text in value for value in small),
            all(name not in which or getattr(item, name) == which[name] for name in columns),
        )
    )


def is_in(trace: WorkflowTrace, which: dict[str, Any]) -> bool:
    """Whether a trace is one that filters of what ran in it ask for."""
    return all(
        (
            "call_id" not in which or trace.call_id == which["call_id"],
            "workflow" not in which or trace.workflow_name == which["workflow"],
            "project" not in which or trace.project == which["project"],
            "tag" not in which or which["tag"] in trace.tags,
        )
    )


async def paged(listing: Any, which: Any, order: str) -> list[Any]:
    """All items, three a page."""
    items: list[Any] = []
    page = await listing.query(which, limit=3, order=order)
    items += page.items
    while page.next:
        page = await listing.query(which, limit=3, order=order, after=page.next)
        items += page.items
    return items


def found(target: str, name: str, which: Any, key: Callable[[Any], Any]) -> list[Any]:
    """The keys of what a filter finds, which pages in both orders, iteration and counting have to agree about."""

    async def look(store: Store) -> list[Any]:
        listing = getattr(store, name)
        newest = [key(item) for item in await paged(listing, which, "newest")]
        oldest = [key(item) for item in await paged(listing, which, "oldest")]
        assert newest == oldest[::-1]
        assert newest == [key(item) async for item in listing.iterate(which)]
        assert len(set(newest)) == len(newest) == await listing.count(which)
        return newest

    keys: list[Any] = asked(target, look)
    return keys


STATUSES = st.sampled_from(["failed", "completed", "running", ("failed", "degraded"), ("completed", "cancelled")])


@EXAMPLES
@given(
    one_of_all(**SPANS, status=STATUSES, agent=st.sampled_from([*AGENTS, "nobody"]), outcome=st.just("appointment")),
    RANGES,
)
def test_traces(target: str, traces: list[WorkflowTrace], chosen: dict[str, Any], within: dict[str, Any]) -> None:
    which = chosen | within
    expected = {
        trace.trace_id
        for trace in traces
        if has(trace, which, trace.total_cost, ("error_type", "outcome"))
        and is_in(trace, which)
        and ("agent" not in which or which["agent"] in {agent.agent_type for agent in trace.agents})
    }
    assert set(found(target, "traces", TraceFilter(**which), lambda trace: trace.trace_id)) == expected


@EXAMPLES
@given(
    one_of_all(
        **SPANS,
        status=st.just("ok"),
        agent=st.sampled_from(AGENTS),
        next_agent=st.sampled_from(AGENTS),
        decision=st.sampled_from(["schedule", "sched"]),
    ),
    RANGES | between(st.floats(0, 1), ("min_confidence", "max_confidence")),
)
def test_executions(target: str, traces: list[WorkflowTrace], chosen: dict[str, Any], within: dict[str, Any]) -> None:
    which = chosen | within
    expected = {
        agent.span_id
        for trace in traces
        for agent in trace.agents
        if has(agent, which, agent.cost, ("error_type", "next_agent"))
        and is_in(trace, which)
        and which.get("agent", agent.agent_type) == agent.agent_type
        and which.get("decision", (agent.decision or {})["action"]) == (agent.decision or {})["action"]
        and which.get("min_confidence", 0) <= (agent.confidence or 0) <= which.get("max_confidence", 1)
    }
    assert set(found(target, "executions", ExecutionFilter(**which), lambda agent: agent.span_id)) == expected


@EXAMPLES
@given(
    one_of_all(
        **SPANS,
        status=st.sampled_from(["ok", "error", ("ok", "error")]),
        kind=st.sampled_from(["llm", ("llm", "tool")]),
        name=st.just("chat"),
        provider=st.sampled_from(["openai", "ollama"]),
        model=st.sampled_from(MODELS),
    ),
    RANGES,
)
def test_operations(target: str, traces: list[WorkflowTrace], chosen: dict[str, Any], within: dict[str, Any]) -> None:
    which = chosen | within
    expected = {
        operation.span_id
        for trace in traces
        for operation in trace.operations
        if has(operation, which, operation.cost, ("error_type", "name", "provider", "model"))
        and is_in(trace, which)
        and operation.kind in which.get("kind", operation.kind)
    }
    assert set(found(target, "operations", OperationFilter(**which), lambda operation: operation.span_id)) == expected


@EXAMPLES
@given(
    one_of_all(
        call_id=SPANS["call_id"],
        project=SPANS["project"],
        agent=st.sampled_from([*AGENTS, "nobody"]),
        cost_type=st.sampled_from(["llm", "tts", ("llm", "tts")]),
        model=st.sampled_from(MODELS),
        unknown=st.booleans(),
        estimated=st.booleans(),
        superseded=st.sampled_from([None, False, True]),
    ),
    between(COSTS, ("min_amount", "max_amount")) | between(MOMENTS, ("since", "until")),
)
def test_costs(target: str, traces: list[WorkflowTrace], chosen: dict[str, Any], within: dict[str, Any]) -> None:
    which = chosen | within
    agents = {agent.span_id: agent.agent_type for trace in traces for agent in trace.agents}
    ends = {operation.span_id: operation.end_time for trace in traces for operation in trace.operations}
    all_of_them = asked(target, lambda store: store.costs.query(limit=1000)).items
    calls = {trace.trace_id: trace.call_id for trace in traces}
    expected = {
        (detail.span_id, detail.cost_type)
        for detail in all_of_them
        if not which.get("superseded")
        and detail.timestamp == ends[detail.span_id]
        and which.get("call_id", calls[detail.trace_id]) == calls[detail.trace_id]
        and which.get("project", detail.project) == detail.project
        and which.get("agent", agents[detail.agent_id or ""]) == agents[detail.agent_id or ""]
        and detail.cost_type in which.get("cost_type", detail.cost_type)
        and which.get("model", detail.model) == detail.model
        and which.get("unknown", detail.amount is None) == (detail.amount is None)
        and which.get("estimated", detail.estimated) == detail.estimated
        and ("since" not in which or detail.timestamp >= which["since"])
        and ("until" not in which or detail.timestamp < which["until"])
        and ("min_amount" not in which or (detail.amount is not None and detail.amount >= which["min_amount"]))
        and ("max_amount" not in which or (detail.amount is not None and detail.amount <= which["max_amount"]))
    }
    listed = found(target, "costs", CostDetailFilter(**which), lambda detail: (detail.span_id, detail.cost_type))
    assert set(listed) == expected


@pytest.fixture
async def store(target: str) -> AsyncIterator[Store]:
    async with Store.open(target, project=ALL_PROJECTS) as opened:
        yield opened


async def test_the_newest_or_the_oldest_come_first(store: Store) -> None:
    newest = [trace.start_time async for trace in store.traces.iterate()]
    assert newest[0] > newest[-1]
    oldest = [detail.timestamp async for detail in store.costs.iterate(order="oldest")]
    assert oldest == sorted(oldest)


async def test_a_page_of_whole_traces_is_each_of_them_whole(store: Store) -> None:
    page = await store.traces.query_whole(TraceFilter(workflow="callback"), limit=5)
    assert [await store.traces.get(trace.trace_id) for trace in page.items] == list(page.items)
    assert all(trace.agents and trace.operations for trace in page.items)
    assert page.next == (await store.traces.query(TraceFilter(workflow="callback"), limit=5)).next


async def test_many_traces_are_whole_and_in_order_of_their_start(store: Store) -> None:
    listed = (await store.traces.query(limit=7)).items
    many = await store.traces.get_many([*(trace.trace_id for trace in listed), "nonsense"])
    assert {trace.trace_id for trace in many} == {trace.trace_id for trace in listed}
    assert [trace.start_time for trace in many] == sorted(trace.start_time for trace in many)
    assert await store.traces.get_many([]) == []


async def test_single_rows_are_found_by_their_ids(store: Store) -> None:
    (execution,) = (await store.executions.query(limit=1)).items
    (operation,) = (await store.operations.query(limit=1)).items
    (detail,) = (await store.costs.query(limit=1)).items
    assert await store.executions.get(execution.span_id) == execution
    assert await store.operations.get(operation.span_id) == operation
    assert await store.costs.get(detail.span_id, detail.cost_type, detail.price_version) == detail
    assert await store.executions.get("nonsense") is None
    assert await store.operations.get(execution.span_id) is None
    assert await store.costs.get(detail.span_id, "another", "stated") is None


@pytest.mark.parametrize(
    ("question", "why"),
    [
        (lambda store: store.traces.query(limit=0), "limit=0 is not at least 1"),
        (lambda store: store.traces.query(order="dearest"), "order='dearest' is unknown; there are newest, oldest"),
        (lambda store: store.traces.query(ExecutionFilter()), "traces are found by a TraceFilter, not by ExecutionF"),
        (lambda store: store.traces.query(after="nonsense"), "not a whole cursor"),
        (lambda store: store.traces.query(TraceFilter(call_id="\ud800")), "can hold nothing like .*surrogates"),
        (lambda store: store.traces.of_call("\udcff"), "can hold nothing like .*surrogates"),
        (lambda store: store.traces.ids_like("\udcff"), "can hold nothing like .*surrogates"),
        (lambda store: store.traces.query(limit=1 << 70), "too large|out of range"),
        (lambda store: store.traces.count(TraceFilter(min_duration_ms=1 << 70)), "too large|out of range"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused(
    store: Store, question: Callable[[Store], Any], why: str
) -> None:
    with pytest.raises(StoreError, match=why):
        await question(store)


@pytest.mark.parametrize("number", [1 << 63, -(1 << 70)])
@pytest.mark.parametrize("text", ["nonsense", "2026-11-27", ""])
@pytest.mark.parametrize("name", ["traces", "executions", "operations", "costs", "metrics", "alerts"])
async def test_a_whole_cursor_that_somebody_made_up_is_refused(store: Store, name: str, number: int, text: str) -> None:
    listing: Any = getattr(store, name)
    key = tuple(number if isinstance(column.type, RowId | Integer) else text for column in listing._keys)
    with pytest.raises(StoreError, match="is not a whole cursor"):
        await listing.query(after=cursor(name, "newest", key))


async def test_years_of_three_digits_come_before_all_others(store: Store) -> None:
    then = datetime(999, 12, 31, tzinfo=UTC)
    assert await store.traces.count(TraceFilter(since=then)) == await store.traces.count() > 0
    assert await store.traces.count(TraceFilter(until=then)) == 0


async def test_a_reader_of_either_database_cannot_change_it(store: Store) -> None:
    with pytest.raises(StoreError, match=r"read-?only"):
        async with store.moment() as connection:
            await connection.execute(delete(WorkflowTraceRow))


async def test_pages_are_the_same_however_many_rows_arrive_meanwhile(tmp_path: Path) -> None:
    path = stored(tmp_path / "store.db", [span for n in range(9) for span in turn(f"call-{n}", n)])
    async with Store.open(path) as store:
        first = await store.traces.query(limit=4)
        stored(path, [span for n in range(9, 30) for span in turn(f"call-{n}", n)])
        second = await store.traces.query(limit=4, after=first.next)
        third = await store.traces.query(limit=4, after=second.next)
    calls = [trace.call_id for page in (first, second, third) for trace in page.items]
    assert calls == [f"call-{n}" for n in reversed(range(9))]
    assert third.next is None


async def test_rows_that_the_crowd_of_their_second_has_scattered_are_found_by_their_time(tmp_path: Path) -> None:
    starts = [START + offset for offset in (0, 0, 1000, 900 * MILLI)]
    crowd = [
        make_span(str(group), SpanKind.WORKFLOW, start_ns=start)
        for group, start in enumerate(starts)
        for _ in range(1100)
    ]
    from_now_on = TraceFilter(
        since=to_datetime(START + 1000), until=to_datetime(START + 1000) + timedelta(milliseconds=1)
    )
    async with Store.open(stored(tmp_path / "crowd.db", crowd)) as store:
        names = [trace.workflow_name async for trace in store.traces.iterate(from_now_on)]
        assert names == ["2"] * 1100
        assert await store.traces.count(TraceFilter(until=to_datetime(START + 1))) == 0
        assert await store.traces.count(TraceFilter(until=to_datetime(START + 1000))) == 2200
