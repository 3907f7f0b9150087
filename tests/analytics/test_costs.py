"""The cost report over a store."""

from decimal import Decimal
from pathlib import Path

import pytest

from reamon.analytics.costs import cost_report
from reamon.errors import ConfigurationError, StoreError
from reamon.store import Store
from reamon.store.cost_filter import CostFilter
from support.stores import stored, turn


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return stored(tmp_path / "calls.db", [*turn("call-1", 0, project="autumn"), *turn("call-2", 1, project="spring")])


async def test_a_row_has_its_exact_amount_and_its_share(path: Path) -> None:
    async with Store.open(path) as store:
        report = await cost_report(store, "type")
    assert [(row.key, row.amount, row.share) for row in report.rows] == [
        ({"type": "tts"}, Decimal("0.124800000000"), Decimal("0.993631")),
        ({"type": "llm"}, Decimal("0.000800000000"), Decimal("0.006369")),
    ]
    assert (report.amount, report.status, report.groups) == (Decimal("0.125600000000"), "complete", 2)


async def test_a_store_opened_for_a_project_tells_of_no_other(path: Path) -> None:
    async with Store.open(path, project="spring") as store:
        report = await cost_report(store, ("project", "call"))
        with pytest.raises(StoreError, match="opened for project 'spring', and 'autumn' was asked for"):
            await cost_report(store, which=CostFilter(project="autumn"))
    assert [row.key for row in report.rows] == [{"project": "spring", "call": "call-2"}]


async def test_nothing_recorded_is_unknown_and_not_nothing(tmp_path: Path) -> None:
    async with Store.open(stored(tmp_path / "empty.db", [])) as store:
        report = await cost_report(store)
    assert (report.amount, report.status, report.rows, report.details) == (None, "unknown", (), 0)


async def test_a_zone_that_there_is_not_is_refused(path: Path) -> None:
    async with Store.open(path) as store:
        with pytest.raises(ConfigurationError, match="no time zone"):
            await cost_report(store, "day", zone="Nowhere")
