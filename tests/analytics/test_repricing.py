"""The past at other prices: worked out by hand, idempotent, resumable, and with the old figures kept."""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

import reamon
from reamon.analytics.repricing import RepricingReport, reprice
from reamon.collectors import CostCalculator, CostCollector, PriceBook
from reamon.errors import ConfigurationError, StoreError
from reamon.model import CostData, Span, SpanKind, Usage
from reamon.protocols import Additions
from reamon.store import ALL_PROJECTS, SpanWriter, Store, connect, repricing
from reamon.store.cost_filter import CostFilter
from reamon.store.cost_queries import read_costs
from reamon.store.filters import CostDetailFilter
from reamon.testing import capture_spans, make_span
from support.readable import DATABASES, readable
from support.stores import MILLI, SECOND, START, stored

OLD = {"openai": {"per": 1000, "input_tokens": "0.03", "output_tokens": "0.06"}, "elevenlabs": {"characters": "0.0002"}}
NEW = {
    "openai": [
        {"per": 1000, "input_tokens": "0.01", "output_tokens": "0.02"},
        {"from": "2026-11-19", "per": 1000, "input_tokens": "0.005", "output_tokens": "0.01"},
    ],
    "acme": {"input_tokens": "0.000001"},
}
DAY = 86_400


def book(rates: Any) -> PriceBook:
    return PriceBook(rates, model_prices=False)


def turn(number: int, at: float = 0, provider: str = "openai", **root: Any) -> list[Span]:
    """A turn whose agent asks a model (1000 tokens in, 100 out) and speaks 500 characters."""
    start = START + round(at * SECOND) + number
    workflow = make_span("turn", SpanKind.WORKFLOW, start_ns=start, end_ns=start + SECOND, call_id=f"c{number}", **root)
    agent = make_span(
        "sales", SpanKind.AGENT, parent=workflow, agent_type="sales", start_ns=start + MILLI, end_ns=start + 900 * MILLI
    )
    agent = agent.replace(agent_id=agent.span_id)
    asked = Usage(provider=provider, model="large", input_tokens=1000, output_tokens=100)
    chat = make_span(
        "chat",
        SpanKind.LLM,
        parent=agent,
        agent_id=agent.span_id,
        start_ns=start + 2 * MILLI,
        end_ns=start + 300 * MILLI,
        usage=(asked,),
    )
    said = Usage(provider="elevenlabs", characters=500)
    speech = make_span(
        "speak",
        SpanKind.TTS,
        parent=agent,
        agent_id=agent.span_id,
        start_ns=start + 400 * MILLI,
        end_ns=start + 800 * MILLI,
        usage=(said,),
    )
    return [chat, speech, agent, workflow]


def priced(spans: list[Span], rates: Any = OLD) -> list[Span]:
    """The spans as the pipeline stores them: with what the collector adds."""
    collector = CostCollector(book(rates))
    out = []
    for span in spans:
        additions = collector.collect(span) or Additions()
        attributes = {**additions.attributes, **span.attributes}
        out.append(span.replace(costs=(*span.costs, *additions.costs), attributes=attributes))
    return out


@pytest.fixture(params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Two turns at the old prices, a day apart: 0.036 for the model and 0.1 for speech each."""
    with readable(request.param, tmp_path / "calls.db", priced([*turn(1), *turn(2, DAY, project="spring")])) as target:
        yield target


async def totals(target: str) -> list[Decimal | None]:
    async with Store.open(target) as store:
        return [trace.total_cost for trace in (await store.traces.query(order="oldest")).items]


async def test_each_usage_gets_the_price_of_its_own_day(target: str) -> None:
    report = await reprice(target, book(NEW))
    # 18 November: 1000 in at 0.01/1000 and 100 out at 0.02/1000; from the 19th on half of that. Speech stays as it was.
    assert await totals(target) == [Decimal("0.112"), Decimal("0.106")]
    assert [(model.day, model.model, model.before, model.after) for model in report.models] == [
        ("2026-11-18", "large", Decimal("0.036"), Decimal("0.012")),
        ("2026-11-19", "large", Decimal("0.036"), Decimal("0.006")),
    ]
    assert (report.traces, report.details, report.kept, report.unchanged) == (2, 4, 2, 0)
    assert (report.before, report.after) == (Decimal("0.072"), Decimal("0.018"))


async def test_agents_operations_and_sums_follow(target: str) -> None:
    await reprice(target, book(NEW))
    async with Store.open(target) as store:
        agents = (await store.executions.query(order="oldest")).items
        operations = (await store.operations.query(order="oldest")).items
        async with store.moment() as connection:
            by_model = await read_costs(connection, ["model"])
    assert [agent.cost for agent in agents] == [Decimal("0.112"), Decimal("0.106")]
    assert [operation.cost for operation in operations] == [Decimal(text) for text in ("0.012", "0.1", "0.006", "0.1")]
    assert by_model.total.amount == Decimal("0.218")


async def test_the_old_figures_are_kept_and_say_what_superseded_them(target: str) -> None:
    report = await reprice(target, book(NEW))
    async with Store.open(target) as store:
        old = (await store.costs.query(CostDetailFilter(superseded=True))).items
    assert sorted(detail.amount for detail in old if detail.amount) == [
        Decimal("0.006"), Decimal("0.006"), Decimal("0.03"), Decimal("0.03"),
    ]  # fmt: skip
    assert {detail.superseded_by for detail in old} == {report.repricing_id}


async def test_the_same_prices_again_change_nothing(target: str) -> None:
    await reprice(target, book(NEW))
    again = await reprice(target, book(NEW))
    assert (again.repricing_id, again.details, again.traces, again.unchanged) == (None, 0, 0, 4)


async def test_a_dry_run_says_the_same_and_changes_nothing(target: str) -> None:
    before = await totals(target)
    told = await reprice(target, book(NEW), dry_run=True)
    assert await totals(target) == before
    done = await reprice(target, book(NEW))
    assert (told.repricing_id, told.dry_run) == (None, True)
    assert (told.models, told.before, told.after, told.details) == (done.models, done.before, done.after, done.details)


async def test_the_old_prices_bring_the_old_figures_back(target: str) -> None:
    before = await totals(target)
    await reprice(target, book(NEW))
    back = await reprice(target, book(OLD))
    assert await totals(target) == before
    async with Store.open(target) as store:
        rows = (await store.costs.query(CostDetailFilter(superseded=None))).items
    assert len(rows) == 10  # what was there counts again: nothing is there twice
    assert {row.superseded_by for row in rows if row.unit_cost in (Decimal("0.00001"), Decimal("0.00002"))} == {
        back.repricing_id
    }


@pytest.mark.parametrize("which", [CostFilter(call_id="c1"), CostFilter(provider="openai")])
async def test_what_cannot_narrow_it_down_is_refused_before_anything_is_priced(which: CostFilter) -> None:
    with pytest.raises(ConfigurationError, match="a call or a provider"):
        await reprice("no-store.db", book(NEW), which)


async def test_the_project_of_the_filter_narrows_it_down(tmp_path: Path) -> None:
    target = stored(tmp_path / "calls.db", [*turn(1, project="ours"), *turn(2, project="theirs")])
    await reprice(target, book(OLD), project=ALL_PROJECTS)
    report = await reprice(target, book(NEW), CostFilter(project="ours"), project=ALL_PROJECTS)
    assert report.traces == 1
    with pytest.raises(StoreError, match="opened for project 'theirs'"):
        await reprice(target, book(NEW), CostFilter(project="ours"), project="theirs")


async def test_only_what_is_meant_is_priced_anew(target: str) -> None:
    await reprice(target, book(NEW), project="spring")
    assert await totals(target) == [Decimal("0.136"), Decimal("0.106")]
    first_day = datetime(2026, 11, 18, tzinfo=UTC)
    await reprice(target, book(NEW), CostFilter(since=first_day, until=first_day + timedelta(days=1)))
    assert await totals(target) == [Decimal("0.112"), Decimal("0.106")]


async def test_a_stated_cost_stays_and_its_usage_is_not_priced(tmp_path: Path) -> None:
    chat, speech, agent, root = turn(1)
    stated = CostData(cost_type="llm", amount=Decimal("0.5"), provider="openai")
    path = stored(tmp_path / "calls.db", priced([chat.replace(costs=(stated,)), speech, agent, root]))
    report = await reprice(path, book(NEW))
    assert report.details == 0
    assert await totals(str(path)) == [Decimal("0.6")]


async def test_a_stated_cost_stays_whatever_source_and_edition_the_application_gives_it(tmp_path: Path) -> None:
    chat, speech, agent, root = turn(1)
    asked = CostData(
        cost_type="llm", amount=Decimal("0.5"), provider="openai", model="large", usage_units=Decimal(1000),
        unit="input_tokens", price_source="rates", price_version="rates@contract",
    )  # fmt: skip
    dialled = CostData(
        cost_type="infrastructure", amount=Decimal("0.25"), unit="calls", price_source="rates", price_version="2026-10"
    )
    spans = [chat.replace(costs=(asked,)), speech, agent, root.replace(costs=(dialled,))]
    path = stored(tmp_path / "calls.db", priced(spans))
    report = await reprice(path, book({**NEW, "servers": {"calls": "7"}}))
    assert report.details == 0
    assert await totals(str(path)) == [Decimal("0.85")]


async def test_what_a_calculator_charged_stays(tmp_path: Path) -> None:
    with capture_spans() as captured, reamon.trace_llm("ask", call_id="c1") as span:
        span.record_usage(provider="openai", model="gpt-4", input_tokens=1000, output_tokens=200)
        CostCalculator().calculate_llm_cost("c1", "openai-gpt-4", 1000, 200)
    path = stored(tmp_path / "calls.db", priced(captured.spans))
    report = await reprice(path, book({**NEW, "servers": {"calls": "7"}}))
    assert report.details == 0
    assert await totals(str(path)) == [Decimal("0.037")]


async def test_an_unknown_price_becomes_known_and_not_the_other_way_round(tmp_path: Path) -> None:
    path = stored(tmp_path / "calls.db", priced(turn(1, provider="acme")))
    rates = {"acme": {"per": 1000, "input_tokens": "0.001", "output_tokens": "0.002"}}
    report = await reprice(path, book(rates))
    assert [(model.provider, model.unknown_before, model.unknown_after) for model in report.models] == [("acme", 1, 0)]
    assert await totals(str(path)) == [Decimal("0.1012")]
    again = await reprice(path, book(NEW))  # which has no price of acme's output, and none of speech
    assert (again.details, again.kept) == (0, 3)
    assert await totals(str(path)) == [Decimal("0.1012")]


async def test_usage_that_was_never_priced_gets_its_details(tmp_path: Path) -> None:
    path = stored(tmp_path / "calls.db", turn(1))  # recorded without a cost collector
    await reprice(path, book(OLD))
    async with Store.open(path) as store:
        (trace,) = (await store.traces.query()).items
        details = (await store.costs.query()).items
        (agent,) = (await store.executions.query()).items
    assert (trace.total_cost, trace.cost_status, agent.cost) == (Decimal("0.136"), "complete", Decimal("0.136"))
    assert {(detail.call_id, detail.agent_id) for detail in details} == {("c1", agent.span_id)}


async def test_what_is_paid_for_each_call_and_cache_hits_and_guesses_are_priced_as_what_they_are(
    tmp_path: Path,
) -> None:
    rates = {**OLD, "servers": {"calls": "0.001"}}
    chat, speech, agent, root = turn(1)
    guessed = CostData(
        cost_type="llm",
        amount=Decimal("0.03"),
        provider="openai",
        model="large",
        usage_units=Decimal(1000),
        unit="input_tokens",
        unit_cost=Decimal("0.00003"),
        price_source="rates",
        price_version="old",
        estimated=True,
    )
    hit = chat.replace(attributes={"reamon.cache_hit": True})
    guess = make_span(
        "guess", SpanKind.LLM, parent=agent, agent_id=agent.span_id, start_ns=START + SECOND, costs=(guessed,)
    )
    path = stored(tmp_path / "calls.db", [*priced([hit, speech, agent, root], rates), guess])
    report = await reprice(path, book({**rates, "openai": NEW["openai"], "servers": {"calls": "0.002"}}))
    assert report.details == 2
    async with Store.open(path) as store:
        found = {detail.unit: (detail.amount, detail.estimated) for detail in (await store.costs.query()).items}
    assert found == {
        "calls": (Decimal("0.002"), False),
        "characters": (Decimal("0.1"), False),
        "input_tokens": (Decimal("0.01"), True),
        None: (Decimal(0), False),
    }


async def test_a_version_that_says_the_same_of_other_prices_does_not_overwrite(tmp_path: Path) -> None:
    path = stored(
        tmp_path / "calls.db", [make_span("ask", "llm", call_id="c", usage=(Usage(provider="acme", input_tokens=10),))]
    )
    for price in ("0.1", "0.2", "0.1"):
        rates = tmp_path / "rates.toml"
        rates.write_text(f'version = "1"\n[rates.acme]\ninput_tokens = "{price}"\n')
        await reprice(path, PriceBook.load(rates, model_prices=False))
        assert await totals(str(path)) == [Decimal(price) * 10]
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT item, cost_amount, superseded_by IS NULL FROM cost_details").fetchall() == [
            (0, "1.000000000000", 1),
            (1, "2.000000000000", 0),
        ]


async def test_a_replay_does_not_raise_what_was_superseded(tmp_path: Path) -> None:
    spans = priced([*turn(1), *turn(2)])
    path = stored(tmp_path / "calls.db", spans)
    await reprice(path, book(NEW))
    with closing(connect(path)) as connection:
        SpanWriter(connection).write(spans)  # an outbox that was not acknowledged in time
    assert await totals(str(path)) == [Decimal("0.112")] * 2
    assert (await reprice(path, book(NEW))).details == 0


async def test_a_trace_whose_details_retention_has_deleted_keeps_its_total(tmp_path: Path) -> None:
    path = stored(tmp_path / "calls.db", priced(turn(1)))
    with closing(sqlite3.connect(path)) as file, file:
        file.execute("DELETE FROM cost_details")
        file.execute("UPDATE workflow_traces SET costs_pruned = 1")
    assert (await reprice(path, book(NEW))).details == 0
    assert await totals(str(path)) == [Decimal("0.136")]


async def test_spans_whose_root_never_came_are_priced_too(tmp_path: Path) -> None:
    path = stored(tmp_path / "calls.db", priced(turn(1))[:3])
    report = await reprice(path, book(NEW))
    assert report.after == Decimal("0.012")


async def test_progress_is_told(target: str) -> None:
    told: list[int] = []
    await reprice(target, book(NEW), progress=told.append)
    assert told == [2]


prices = st.decimals("0", "1", places=6).map(str)
rates_of = st.fixed_dictionaries(
    {"openai": st.fixed_dictionaries({"input_tokens": prices}, optional={"output_tokens": prices})},
    optional={
        "elevenlabs": st.fixed_dictionaries({"characters": prices}),
        "acme": st.fixed_dictionaries({"input_tokens": prices}),
    },
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    history=st.lists(rates_of, min_size=1, max_size=3),
    providers=st.lists(st.sampled_from(["openai", "acme", "nobody"]), min_size=1, max_size=3),
)
async def test_whatever_the_prices_repricing_is_idempotent_and_sums_are_exact(
    history: list[Any], providers: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        spans = [span for number, provider in enumerate(providers) for span in turn(number, number, provider)]
        path = stored(Path(directory) / "calls.db", priced(spans, history[0]))
        for rates in history:
            await reprice(path, book(rates))
            again = await reprice(path, book(rates))
            assert (again.details, again.repricing_id) == (0, None)
            await _check_sums(path)


async def _check_sums(path: Path) -> None:
    async with Store.open(path) as store:
        details = (await store.costs.query(limit=1000)).items
        traces = (await store.traces.query(limit=100)).items
        agents = (await store.executions.query(limit=100)).items
    for trace in traces:
        amounts = [detail.amount for detail in details if detail.trace_id == trace.trace_id]
        known = [amount for amount in amounts if amount is not None]
        assert trace.total_cost == (sum(known) if known else None)
        assert trace.cost_status == ("unknown" if not known else "partial" if len(known) < len(amounts) else "complete")
    for agent in agents:
        known = [detail.amount for detail in details if detail.agent_id == agent.span_id and detail.amount is not None]
        assert agent.cost == (sum(known) if known else None)


def _reprice_until_killed(path: Path) -> None:
    def die_later(looked_at: int) -> None:
        if looked_at >= 200:
            os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(reprice(path, book(NEW), progress=die_later))


@pytest.mark.slow
async def test_one_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    spans = priced([span for number in range(400) for span in turn(number, number)])
    path = stored(tmp_path / "calls.db", spans)
    killed = multiprocessing.get_context("spawn").Process(target=_reprice_until_killed, args=(path,))
    killed.start()
    killed.join(60)
    assert killed.exitcode == -signal.SIGKILL
    half = await totals_of_all(path)
    assert half.count(Decimal("0.112")) >= 200
    assert Decimal("0.136") in half
    report = await reprice(path, book(NEW))
    assert 0 < report.traces < 400
    assert await totals_of_all(path) == [Decimal("0.112")] * 400
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT sum(details) FROM repricings").fetchone() == (800,)


async def totals_of_all(path: Path) -> list[Decimal | None]:
    async with Store.open(path) as store, store.moment() as connection:
        rows = await connection.exec_driver_sql("SELECT total_cost FROM workflow_traces")
        return [Decimal(total) for (total,) in rows]


@pytest.mark.slow
async def test_writers_go_on_meanwhile(tmp_path: Path) -> None:
    path = stored(tmp_path / "calls.db", priced([span for number in range(300) for span in turn(number, number)]))

    def write() -> None:
        with closing(connect(path)) as connection:
            writer = SpanWriter(connection)
            for number in range(300, 400):
                writer.write(priced(turn(number, number), NEW | {"elevenlabs": OLD["elevenlabs"]}))

    report, _ = await asyncio.gather(reprice(path, book(NEW)), asyncio.to_thread(write))
    assert isinstance(report, RepricingReport)
    await reprice(path, book(NEW))
    assert set(await totals_of_all(path)) == {Decimal("0.112")}


async def test_a_portion_that_gave_way_to_a_writer_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = stored(tmp_path / "calls.db", priced(turn(1)))
    refresh, refusals = repricing.refresh_totals, [deadlock(), deadlock()]

    async def refuse_twice(connection: Any, trace_ids: Any) -> None:
        await refresh(connection, trace_ids)
        if refusals:
            raise refusals.pop()

    monkeypatch.setattr(repricing, "refresh_totals", refuse_twice)
    report = await reprice(path, book(NEW))
    assert not refusals
    assert (report.traces, await totals(str(path))) == (1, [Decimal("0.112")])
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT repricing_id, details FROM repricings").fetchall() == [(report.repricing_id, 2)]


def deadlock() -> OperationalError:
    """What the driver says when PostgreSQL breaks a deadlock."""
    reason = Exception("deadlock detected")
    reason.sqlstate = "40P01"  # type: ignore[attr-defined]
    return OperationalError("UPDATE", {}, reason)
