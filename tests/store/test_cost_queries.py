"""Costs added up by whatever they can be told apart by: golden figures, on both databases, along the indexes."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.errors import ConfigurationError
from reamon.model import CostData, Span, SpanKind, SpanStatus
from reamon.store.cost_filter import DIMENSIONS, CostFilter
from reamon.store.cost_queries import NOTHING, CostSum, cost_query, read_costs, read_usage, usage_query
from reamon.store.local_times import zone_of
from reamon.store.views import COSTS
from reamon.testing import make_span
from support.both_databases import DATABASES, engine_with, insert_rows
from support.stores import SECOND, START, stored, turn

DAY = timedelta(days=1)
FIRST_DAY = datetime(2026, 11, 18, tzinfo=UTC)  # START is 11:06:40 on it
HOURS = 3600
LAST_SPRING = 1_774_742_400 * SECOND  # 2026-03-29T00:00Z; at 01:00Z Berlin's clocks go from 02:00 to 03:00


def billed(at: int, *costs: CostData, **fields: object) -> Span:
    """A workflow of one span that ended at a moment."""
    return make_span("one", SpanKind.WORKFLOW, start_ns=at, end_ns=at, costs=costs, **fields)


def llm(amount: str | None, units: int = 100, **fields: object) -> CostData:
    return CostData(
        cost_type="llm",
        amount=None if amount is None else Decimal(amount),
        provider="openai",
        model="gpt-4o",
        usage_units=Decimal(units),
        unit="input_tokens",
        price_source="rates",
        price_version="rates",
        **fields,  # type: ignore[arg-type]
    )


def spans() -> list[Span]:
    """A call of two turns with an outcome, one of another project, a failed one, and usage without a price."""
    return [
        *turn("call-1", 0, version="v1"),
        *turn("call-1", 10, outcome="appointment", version="v2"),
        *turn("call-2", 20 * HOURS, project="spring", outcome="refused"),
        *turn("call-3", 21 * HOURS, status=SpanStatus.ERROR),
        billed(START + 22 * HOURS * SECOND, llm(None), llm("0.000000000001", estimated=True), call_id="call-4"),
    ]


@pytest.fixture(params=DATABASES)
async def connection(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[AsyncConnection]:
    async with engine_with(request.param, tmp_path / "calls.db", spans()) as engine, engine.connect() as connection:
        yield connection


@pytest.mark.parametrize("database", DATABASES)
async def test_a_call_of_another_project_with_the_same_id_has_an_outcome_of_its_own(
    database: str, tmp_path: Path
) -> None:
    both = [
        *turn("1", 0, project="spring", outcome="refused"),
        *turn("1", 10, project="autumn", outcome="appointment"),
        *turn("1", 20, project="spring"),
    ]
    async with engine_with(database, tmp_path / "both.db", both) as engine, engine.connect() as connection:
        found = await read_costs(connection, ["outcome"], CostFilter(project="spring"))
    assert [(key, each.amount) for key, each in found.groups] == [(("refused",), 2 * ONE_TURN)]


ONE_TURN = Decimal("0.0628")
GOLDEN = {
    "call": {"call-1": "0.1256", "call-2": "0.0628", "call-3": "0.0628", "call-4": "0.000000000001"},
    "agent": {"qualification": "0.2496", "conversation": "0.0016", None: "0.000000000001"},
    "workflow": {"process_input": "0.2512", "one": "0.000000000001"},
    "version": {None: "0.125600000001", "v1": "0.0628", "v2": "0.0628"},
    "outcome": {"appointment": "0.1256", None: "0.062800000001", "refused": "0.0628"},
    "provider": {"elevenlabs": "0.2496", "openai": "0.001600000001"},
    "model": {None: "0.2496", "gpt-4o-mini": "0.0016", "gpt-4o": "0.000000000001"},
    "type": {"tts": "0.2496", "llm": "0.001600000001"},
    "project": {None: "0.188400000001", "spring": "0.0628"},
    "day": {"2026-11-18": "0.1256", "2026-11-19": "0.125600000001"},
    "hour": {
        "2026-11-18T11:00Z": "0.1256",
        "2026-11-19T07:00Z": "0.0628",
        "2026-11-19T08:00Z": "0.0628",
        "2026-11-19T09:00Z": "0.000000000001",
    },
}
"""Worked out by hand: a turn is 0.0004 for the model, by conversation, and 0.0624 for speech, by qualification."""


@pytest.mark.parametrize("dimension", GOLDEN)
async def test_costs_by(dimension: str, connection: AsyncConnection) -> None:
    found = await read_costs(connection, [dimension])
    assert [(key, each.amount) for (key,), each in found.groups] == [
        (key, Decimal(amount)) for key, amount in GOLDEN[dimension].items()
    ]
    assert found.total == CostSum(amount=Decimal("0.251200000001"), details=10, unknown=1, estimated=1)
    assert found.number == len(GOLDEN[dimension])


async def test_by_trace_each_trace_is_a_group(connection: AsyncConnection) -> None:
    found = await read_costs(connection, ["trace"])
    assert [each.amount for _, each in found.groups] == [ONE_TURN] * 4 + [Decimal("0.000000000001")]


async def test_several_dimensions_tell_apart_together(connection: AsyncConnection) -> None:
    found = await read_costs(connection, ["day", "model"], CostFilter(project="spring"))
    assert [(key, each.amount) for key, each in found.groups] == [
        (("2026-11-19", None), Decimal("0.0624")),
        (("2026-11-19", "gpt-4o-mini"), Decimal("0.0004")),
    ]


async def test_what_is_unknown_and_what_is_estimated_is_counted(connection: AsyncConnection) -> None:
    found = dict((await read_costs(connection, ["call"])).groups)
    assert found["call-4",] == CostSum(amount=Decimal("0.000000000001"), details=2, unknown=1, estimated=1)
    assert (found["call-4",].status, found["call-1",].status, NOTHING.status) == ("partial", "complete", "unknown")


@pytest.mark.parametrize(
    ("which", "amount"),
    [
        (CostFilter(since=FIRST_DAY, until=FIRST_DAY + DAY), "0.1256"),
        (CostFilter(until=datetime(2026, 11, 18, 11, 6, 40, 400_000, tzinfo=UTC)), None),
        (CostFilter(until=datetime(2026, 11, 18, 11, 6, 40, 400_001, tzinfo=UTC)), "0.0004"),
        (CostFilter(call_id="call-1"), "0.1256"),
        (CostFilter(call_id="call-1", project="spring"), None),
        (CostFilter(project="spring", since=FIRST_DAY + DAY), "0.0628"),
    ],
)
async def test_a_filter_leaves_out_what_is_not_meant(
    which: CostFilter, amount: str | None, connection: AsyncConnection
) -> None:
    found = (await read_costs(connection, ["type"], which)).total.amount
    assert found == (None if amount is None else Decimal(amount))


async def test_a_limit_keeps_the_dearest_and_the_total_of_all(connection: AsyncConnection) -> None:
    found = await read_costs(connection, ["call"], limit=1)
    assert [key for key, _ in found.groups] == [("call-1",)]
    assert (found.number, found.total.amount) == (4, Decimal("0.251200000001"))


async def test_a_limit_below_one_is_refused(connection: AsyncConnection) -> None:
    with pytest.raises(ConfigurationError, match="limit = 0 is not at least 1"):
        await read_costs(connection, ["agent"], limit=0)


async def test_a_limit_over_time_keeps_the_latest_in_order(connection: AsyncConnection) -> None:
    found = await read_costs(connection, ["hour"], limit=2)
    assert [key for key, _ in found.groups] == [("2026-11-19T08:00Z",), ("2026-11-19T09:00Z",)]


async def test_days_are_those_of_the_zone(connection: AsyncConnection) -> None:
    found = await read_costs(connection, ["day"], zone=zone_of("Pacific/Kiritimati"))  # fourteen hours ahead
    assert [key for key, _ in found.groups] == [("2026-11-19",)]
    found = await read_costs(connection, ["hour"], zone=zone_of("Asia/Kolkata"), limit=1)
    assert [key for key, _ in found.groups] == [("2026-11-19T14:00+05:30",)]


@pytest.mark.parametrize("database", DATABASES)
async def test_a_change_of_clocks_makes_short_days_and_no_hour_twice(database: str, tmp_path: Path) -> None:
    moments = [LAST_SPRING - 1000, LAST_SPRING + 1799 * SECOND, LAST_SPRING + 3600 * SECOND]
    costly = [billed(at, llm("1")) for at in moments]
    async with engine_with(database, tmp_path / "spring.db", costly) as engine, engine.connect() as connection:
        zone = zone_of("Europe/Berlin")
        hours = await read_costs(connection, ["hour"], zone=zone)
        days = await read_costs(connection, ["day"], zone=zone_of("Atlantic/Azores"))
    assert [key for (key,), _ in hours.groups] == [
        "2026-03-29T00:00+01:00",
        "2026-03-29T01:00+01:00",
        "2026-03-29T03:00+02:00",
    ]
    assert [(key, each.details) for (key,), each in days.groups] == [("2026-03-28", 2), ("2026-03-29", 1)]


async def test_usage_is_added_up_by_unit(connection: AsyncConnection) -> None:
    assert await read_usage(connection, ["model"]) == {("gpt-4o",): {"input_tokens": Decimal(200)}}
    assert await read_usage(connection, ["call"], keys=[("call-1",), (None,)]) == {}
    assert await read_usage(connection, ["call"], keys=[]) == {}


async def test_a_superseded_detail_counts_nowhere(connection: AsyncConnection) -> None:
    repricing = {"repricing_id": "r1", "timestamp": FIRST_DAY, "price_version": "new", "details": 1}
    await insert_rows(connection, "repricings", [repricing])
    await connection.execute(update(COSTS).where(COSTS.c.cost_type == "tts").values(superseded_by="r1"))
    found = await read_costs(connection, ["type"])
    assert [(key, each.amount) for key, each in found.groups] == [(("llm",), Decimal("0.001600000001"))]


@pytest.mark.parametrize("by", [[], ["colour"], ["day", "unit"]])
async def test_a_dimension_that_there_is_not_is_refused_by_name(by: list[str], connection: AsyncConnection) -> None:
    with pytest.raises(ConfigurationError, match=r"(nothing|colour|unit); by: call, trace, agent"):
        await read_costs(connection, by)


def test_a_time_without_a_zone_and_a_backward_range_are_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"since = .* has no time zone"):
        CostFilter(since=datetime(2026, 11, 18))
    with pytest.raises(ConfigurationError, match=r"since = .* is no moment of the years 1 to 9999 in UTC"):
        CostFilter(since=datetime.fromisoformat("0001-01-01T00:00+09:00"))
    with pytest.raises(ConfigurationError, match="is after until"):
        CostFilter(since=FIRST_DAY + DAY, until=FIRST_DAY)


def test_a_zone_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"no time zone 'Mars/Base'.*IANA"):
        zone_of("Mars/Base")


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("which", [CostFilter(since=FIRST_DAY, until=FIRST_DAY + DAY), CostFilter(call_id="call-1")])
def test_no_table_is_scanned_where_a_filter_has_an_index(dimension: str, which: CostFilter, tmp_path: Path) -> None:
    path = stored(tmp_path / "plan.db", spans())
    for query in (cost_query([dimension], which, limit=20), usage_query([dimension], which)):
        compiled = query.compile(dialect=sqlite.dialect())
        values = [
            value.strftime("%Y-%m-%dT%H:%M:%S.%fZ") if isinstance(value := compiled.params[name], datetime) else value
            for name in compiled.positiontup or ()
        ]
        with closing(sqlite3.connect(path)) as file:
            plan = [row[3] for row in file.execute(f"EXPLAIN QUERY PLAN {compiled}", values)]
        tables = ("cost_details", "agent_executions", "workflow_traces", "turns")
        assert not [line for line in plan if line.startswith("SCAN") and line.split()[1] in tables], plan
        assert any("ix_cost_details_" in line for line in plan), plan
        if dimension == "agent":
            assert any(
                "COVERING INDEX ix_agent_executions_trace_id (trace_id=? AND span_id=?)" in line for line in plan
            )
