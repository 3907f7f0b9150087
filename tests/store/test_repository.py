"""Reading back what was written."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.errors import StoreError
from reamon.model import CostData, SpanKind, SpanStatus, Usage
from reamon.model.ids import uuid7
from reamon.model.times import to_datetime
from reamon.store import Store, TraceFilter, administration, connect
from reamon.store.migrate import downgrade
from reamon.store.versions import VERSION_TABLE
from reamon.testing import make_span, sample_spans
from reamon.testing.samples import running_spans
from support.stores import START, stored, turn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stored(
        tmp_path / "calls.db",
        [
            *turn("call-1", 0),
            *turn("call-2", 1, project="spring"),
            *turn("call-1", 2, outcome="appointment"),
            *turn("call-3", 3, status=SpanStatus.ERROR),
        ],
    )


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Store]:
    async with Store.open(path) as store:
        yield store


async def test_traces_come_newest_first_and_no_more_than_asked(store: Store) -> None:
    assert [trace.call_id for trace in (await store.traces.query(limit=3)).items] == ["call-3", "call-1", "call-2"]


@pytest.mark.parametrize(
    ("which", "calls"),
    [
        (TraceFilter(call_id="call-1"), ["call-1", "call-1"]),
        (TraceFilter(status="failed"), ["call-3"]),
        (TraceFilter(project="spring"), ["call-2"]),
        (TraceFilter(workflow="process_input", status="completed", call_id="call-2"), ["call-2"]),
        (TraceFilter(workflow="another"), []),
    ],
)
async def test_a_filter_asks_for_everything_that_it_names(store: Store, which: TraceFilter, calls: list[str]) -> None:
    assert [trace.call_id for trace in (await store.traces.query(which)).items] == calls


async def test_traces_that_were_all_given_one_start_are_found_by_their_ids(tmp_path: Path) -> None:
    crowd = [make_span("turn", SpanKind.WORKFLOW, start_ns=START, span_id=uuid7(START, bits)) for bits in range(1200)]
    async with Store.open(stored(tmp_path / "crowd.db", crowd)) as store:
        for span in (crowd[0], crowd[1023], crowd[1024], crowd[1100], crowd[-1]):
            found = await store.traces.get(span.trace_id)
            assert found is not None
            assert found.trace_id == span.trace_id


async def test_what_lies_below_a_trace_comes_in_order_of_start_even_where_the_keys_are_crowded(tmp_path: Path) -> None:
    root = make_span("turn", SpanKind.WORKFLOW, start_ns=START)
    steps = [
        make_span(str(step), SpanKind.TOOL, parent=root, start_ns=start, span_id=uuid7(start, number))
        for step, start in enumerate((START, START + 1000))
        for number in range(step << 12, step + 1 << 12)
    ]
    async with Store.open(stored(tmp_path / "crowd.db", [root, *reversed(steps)])) as store:
        found = await store.traces.get(root.trace_id)
    assert found is not None
    assert [operation.name for operation in found.operations] == ["0"] * 4096 + ["1"] * 4096


async def test_a_call_is_its_turns_in_order_each_with_all_that_ran(store: Store) -> None:
    first, second = await store.traces.of_call("call-1")
    assert [first.start_time, second.outcome] == [to_datetime(START), "appointment"]
    assert [agent.agent_type for agent in first.agents] == ["conversation", "qualification"]
    assert [operation.name for operation in first.operations] == ["chat", "speak"]
    assert sorted(cost.cost_type for cost in first.costs) == ["llm", "tts"]
    assert first.total_cost == Decimal("0.0628")


async def test_a_trace_tells_states_decisions_waits_and_usage(store: Store) -> None:
    newest = (await store.traces.query(limit=1)).items[0]
    trace = await store.traces.get(newest.trace_id)
    assert trace is not None
    agent, operation = trace.agents[0], trace.operations[0]
    assert (agent.state_before, agent.state_after) == (
        {"stage": "greeting", "history": ["hello"]},
        {"stage": "qualifying", "history": ["hello", "yes"]},
    )
    assert (agent.next_agent, agent.confidence, agent.queue_wait_ms) == ("qualification", 0.8, 20.0)
    assert trace.transitions[0].to_agent == "qualification"
    assert (operation.first_token_ms, operation.duration_ms, operation.cost) == (120.0, 350.0, Decimal("0.0004"))
    assert operation.usage == (
        Usage(provider="openai", model="gpt-4o-mini", input_tokens=1200, output_tokens=40, cached_input_tokens=1000),
    )


async def test_every_sample_span_can_be_read_back(tmp_path: Path) -> None:
    spans = sample_spans()
    path = stored(tmp_path / "samples.db", [*spans, *running_spans()])
    async with Store.open(path) as store:
        traces = [await store.traces.get(trace.trace_id) for trace in (await store.traces.query(limit=1000)).items]
    found = {row.span_id for trace in traces if trace for row in (*trace.agents, *trace.operations)}
    roots = {span.trace_id for span in spans if span.is_root}
    expected = {span.span_id for span in spans if span.trace_id in roots and span.kind is not SpanKind.WORKFLOW}
    assert found == expected


async def test_a_trace_is_found_by_the_beginning_or_the_end_of_its_id(store: Store) -> None:
    wanted = (await store.traces.query(limit=1)).items[0].trace_id
    assert await store.traces.ids_like(wanted[-8:]) == [wanted]
    assert await store.traces.ids_like(wanted[:20]) == [wanted]


async def test_wildcards_in_an_id_mean_themselves(store: Store) -> None:
    assert await store.traces.ids_like("%") == []


@pytest.mark.parametrize("unknown", ["nonsense", "", "01a1ee56-61e8-7000-8000-00000000ffff", "é" * 36])
async def test_an_unknown_trace_is_none_and_an_unknown_call_has_no_turns(store: Store, unknown: str) -> None:
    assert await store.traces.get(unknown) is None
    assert await store.traces.of_call(unknown) == []


async def test_call_ids_come_once_each_newest_first(store: Store) -> None:
    assert await store.traces.calls() == ["call-3", "call-1", "call-2"]


async def test_money_is_summed_to_the_last_digit(tmp_path: Path) -> None:
    tiny = [CostData(cost_type=f"type {n}", amount=Decimal("0.100000000001")) for n in range(10)]
    path = stored(tmp_path / "money.db", [make_span("turn", "workflow", call_id="c", costs=tuple(tiny))])
    async with Store.open(path) as store:
        (trace,) = await store.traces.of_call("c")
    assert trace.total_cost == Decimal("1.000000000010")


async def test_what_is_written_meanwhile_is_seen_by_the_next_question(path: Path) -> None:
    async with Store.open(path) as store:
        before = await store.traces.of_call("call-9")
        stored(path, turn("call-9", 9))
        assert (before, len(await store.traces.of_call("call-9"))) == ([], 1)


async def test_facts_are_of_one_moment_even_while_others_write(path: Path) -> None:
    async with Store.open(path) as store, store.moment() as connection:
        count = "SELECT count(*) FROM workflow_traces"
        before = (await connection.exec_driver_sql(count)).scalar_one()
        stored(path, turn("call-9", 9))
        assert (await connection.exec_driver_sql(count)).scalar_one() == before


async def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError, match="readonly"):
        async with store.moment() as connection:
            await connection.exec_driver_sql("DELETE FROM workflow_traces")


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}", "sqlite+aiosqlite:///{}"])
async def test_a_store_opens_by_path_and_by_url(path: Path, form: str) -> None:
    async with Store.open(form.format(path)) as store:
        assert len((await store.traces.query()).items) == 4


async def test_a_path_may_hold_what_means_something_in_a_url(tmp_path: Path) -> None:
    path = tmp_path / "50% of #1?.db"
    async with Store.open(stored(path, turn("call-1", 0))) as store:
        assert len((await store.traces.query()).items) == 1


async def test_a_url_says_it_in_percent_signs_and_to_every_part_of_the_store_the_same(tmp_path: Path) -> None:
    path = stored(tmp_path / "calls of 50%?.db", turn("call-1", 0))
    url = f"sqlite:///{tmp_path}/calls%20of%2050%25%3F.db"
    async with Store.open(url) as store:
        assert len((await store.traces.query()).items) == 1
    with administration.opened(url, writable=False) as database:
        assert database.where == str(path)
    with pytest.raises(StoreError, match="has no parameters"):
        Store.open(f"{url}?mode=ro")


def test_a_missing_store_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no store at .*nowhere\.db: run your application with reamon\.configure\(\)"):
        Store.open(tmp_path / "nowhere.db")
    assert not (tmp_path / "nowhere.db").exists()


def test_where_there_is_only_the_demo_its_store_is_named(tmp_path: Path) -> None:
    demo = stored(tmp_path / "demo" / "campaign.db", turn("call-1", 0))
    with pytest.raises(StoreError) as refused:
        Store.open(tmp_path / "reamon.db")
    assert str(refused.value).endswith(f"; what `reamon demo` recorded is in --db {demo}")


@pytest.mark.parametrize("url", ["mysql://somewhere/db", "sqlite://", "no url://"])
def test_a_url_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(StoreError, match="give a path"):
        Store.open(url)


async def opened(path: Path) -> None:
    async with Store.open(path):
        raise AssertionError("it opened")


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    text, empty = tmp_path / "notes.txt", tmp_path / "empty.db"
    text.write_text("not a database at all, but long enough to look like one" * 10)
    empty.touch()
    for path in (text, empty):
        with pytest.raises(StoreError, match=f"{path.name} cannot be read as a store"):
            await opened(path)


def damage(path: Path) -> None:
    """Overwrite everything but the first page."""
    content = path.read_bytes()
    path.write_bytes(content[:16_384] + b"\xff" * (len(content) - 16_384))


async def test_a_damaged_store_says_who_knows_more(path: Path) -> None:
    async with Store.open(path) as store:
        damage(path)
        with pytest.raises(StoreError, match="`reamon doctor` says more"):
            await store.traces.query()


@pytest.mark.parametrize(("version", "advice"), [("9999", "upgrade reamon"), ("0000", "run `reamon migrate`")])
async def test_a_store_of_another_version_says_what_to_do(path: Path, version: str, advice: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (version,))
    with pytest.raises(StoreError, match=advice):
        await opened(path)


async def test_a_store_that_has_lost_its_tables_says_how_to_make_them(path: Path) -> None:
    downgrade(path, "base")
    with pytest.raises(StoreError, match="has no tables of reamon's: run `reamon migrate`"):
        await opened(path)


async def test_a_store_is_read_while_its_writer_lives_and_after_it_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    with closing(connect(path)):
        async with Store.open(path) as store:
            assert (await store.traces.query()).items == ()
    async with Store.open(path) as store:
        assert (await store.traces.query()).items == ()
