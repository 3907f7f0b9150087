"""Costs added up are what Python adds up from the same details, with any filter, on both databases."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reamon.store.cost_filter import CostFilter
from reamon.store.cost_queries import CostSum, read_costs, read_usage
from reamon.store.engine import address_of
from support.both_databases import DATABASES, insert_rows
from support.readable import readable

COLUMNS = {"type": "cost_type", "provider": "provider", "model": "model", "project": "project"}
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")
CHANGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
    datetime(2026, 11, 1, 6, tzinfo=UTC),
]
"""When clocks of Berlin and New York are changed."""

moments = st.builds(
    lambda change, micros: change + timedelta(microseconds=micros),
    st.sampled_from([*CHANGES, datetime(1970, 1, 2, tzinfo=UTC), datetime(2261, 12, 31, tzinfo=UTC)]),
    st.sampled_from([0, -1, 1, 999_999]) | st.integers(-90_000_000_000, 90_000_000_000),
)
names = st.none() | st.sampled_from(
    ["a", "A", "%", "_", "\\", "it's", 'a"b', "line\nline", "\x1b[31m", "é", "日本", ""]
)
extremes = st.sampled_from([Decimal("1E-12"), Decimal("999999999999.999999999999"), Decimal(0)])
amounts = st.none() | extremes | st.decimals(0, 1000, places=12)
SMALL = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")

details = st.fixed_dictionaries(
    {
        "cost_type": st.sampled_from(["llm", "tts", "%"]),
        "provider": names,
        "model": names,
        "project": names,
        "cost_amount": amounts,
        "usage_units": st.none() | st.integers(0, 10**9).map(Decimal) | st.decimals(0, 100, places=3),
        "unit": st.none() | st.sampled_from(["input_tokens", "minutes"]),
        "estimated": st.booleans(),
        "timestamp": moments,
    }
)
filters = st.fixed_dictionaries({}, optional={"since": moments, "until": moments, "project": names, "provider": names})
Detail = dict[str, Any]


@pytest.fixture(scope="module", params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with readable(request.param, tmp_path_factory.mktemp("sums") / "store.db", []) as opened:
        yield opened


def is_meant(detail: Detail, which: CostFilter) -> bool:
    provider = (which.provider or "").translate(SMALL)
    return (
        (which.since is None or detail["timestamp"] >= which.since)
        and (which.until is None or detail["timestamp"] < which.until)
        and (which.project is None or detail["project"] == which.project)
        and (which.provider is None or (detail["provider"] or "").translate(SMALL) == provider)
    )


def key_of(detail: Detail, by: Sequence[str], zone: ZoneInfo) -> tuple[str | None, ...]:
    here = detail["timestamp"].astimezone(zone)
    hour = f"{here:%Y-%m-%dT%H}:00{here.isoformat()[-6:]}".replace("+00:00", "Z")
    times = {"day": f"{here:%Y-%m-%d}", "hour": hour}
    return tuple(times[name] if name in times else detail[COLUMNS[name]] for name in by)


def added(numbers: Sequence[Decimal | None]) -> Decimal | None:
    known = [number for number in numbers if number is not None]
    with localcontext(prec=60):
        return sum(known, Decimal(0)) if known else None


def summed(details: Sequence[Detail]) -> CostSum:
    return CostSum(
        amount=added([detail["cost_amount"] for detail in details]),
        details=len(details),
        unknown=sum(detail["cost_amount"] is None for detail in details),
        estimated=sum(detail["estimated"] for detail in details),
    )


async def answers(target: str, details: Sequence[Detail], by: Sequence[str], which: CostFilter, zone: ZoneInfo) -> Any:
    """The groups and the usage that the database makes of these details alone; nothing of them stays."""
    fixed = {"cost_type": "llm", "price_version": "rates", "price_source": "rates", "item": 0, "trace_id": "trace"}
    rows = [{**fixed, **detail, "span_id": f"span-{number}"} for number, detail in enumerate(details)]
    engine = address_of(target).changing()
    try:
        async with engine.connect() as connection:
            await insert_rows(connection, "cost_details", rows)
            found = await read_costs(connection, by, which, zone=zone)
            dearest = await read_costs(connection, by, which, zone=zone, limit=1)
            usage = await read_usage(connection, by, which, zone=zone)
            await connection.rollback()
    finally:
        await engine.dispose()
    return found, dearest, usage


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    recorded=st.lists(details, min_size=1, max_size=12),
    by=st.lists(st.sampled_from([*COLUMNS, "day", "hour"]), min_size=1, max_size=3, unique=True),
    filtered=filters.filter(lambda f: "since" not in f or "until" not in f or f["since"] <= f["until"]),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_sums_are_those_of_python(
    target: str, recorded: list[Detail], by: list[str], filtered: dict[str, Any], zone: ZoneInfo
) -> None:
    which = CostFilter(**filtered)
    meant: defaultdict[tuple[str | None, ...], list[Detail]] = defaultdict(list)
    for detail in recorded:
        if is_meant(detail, which):
            meant[key_of(detail, by, zone)].append(detail)
    found, dearest, usage = asyncio.run(answers(target, recorded, by, which, zone))
    assert dict(found.groups) == {key: summed(details) for key, details in meant.items()}
    assert len(found.groups) == found.number == len(meant)
    every = [detail for details in meant.values() for detail in details]
    assert found.total == dearest.total == summed(every)
    if not {"day", "hour"} & set(by):
        sums = [each.amount for _, each in found.groups]
        assert sums == sorted(sums, key=lambda amount: (amount is None, -(amount or 0)))
        assert [each.amount for _, each in dearest.groups] == sums[:1]
    for key, details in meant.items():
        used = {unit: [d["usage_units"] for d in details if d["unit"] == unit] for unit in ("input_tokens", "minutes")}
        expected = {unit: total for unit, numbers in used.items() if (total := added(numbers)) is not None}
        assert usage.get(key, {}) == expected
