"""An invoice beside what was recorded, worked out by hand."""

from collections.abc import AsyncIterator, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.analytics.invoices import InvoiceLine
from reamon.analytics.reconciliation import Drift, Tolerance, reconcile
from reamon.errors import ReamonError, StoreError
from reamon.model import CostData, Span, SpanKind
from reamon.store import Store
from reamon.testing import make_span
from support.readable import DATABASES, readable
from support.stores import SECOND, START

DAY = 86_400 * SECOND
FIRST, SECOND_DAY = date(2026, 11, 18), date(2026, 11, 19)


def asked(at: int, model: str | None, amount: str | None, **fields: object) -> Span:
    estimated = bool(fields.pop("estimated", False))
    provider = str(fields.pop("provider", "openai"))
    cost = CostData(
        cost_type="llm",
        amount=None if amount is None else Decimal(amount),
        provider=provider,
        model=model,
        estimated=estimated,
    )
    return make_span("ask", SpanKind.LLM, start_ns=at, end_ns=at, costs=(cost,), **fields)


def line(day: date, model: str | None, amount: str) -> InvoiceLine:
    return InvoiceLine(line=2, day=day, model=model, amount=Decimal(amount))


SPANS = [
    asked(START, "gpt-4o-2024-08-06", "1.00"),
    asked(START + 1, "gpt-4o", "2.00"),
    asked(START + 2, "gpt-4o-mini", "0.50", project="spring"),
    asked(START + 3, "o3", None),
    asked(START + 4, "o3", "0.25", estimated=True),
    asked(START + DAY, "gpt-4o", "7.00"),
    asked(START + DAY + 1, "large", "9.00", provider="acme"),
    asked(START + 2 * DAY, "gpt-4o", "100.00"),  # after the invoice's last day
]


@pytest.fixture(params=DATABASES)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with readable(request.param, tmp_path / "calls.db", SPANS) as target:
        yield target


@pytest.fixture
async def store(target: str) -> AsyncIterator[Store]:
    async with Store.open(target) as store:
        yield store


def told(drift: Drift) -> tuple[object, ...]:
    return drift.day, drift.model, drift.recorded, drift.billed, drift.difference, drift.verdict


async def test_drift_by_day_and_model(store: Store) -> None:
    invoice = [
        line(FIRST, "gpt-4o-2024-08-06, input", "2.50"),
        line(FIRST, "gpt-4o-2024-08-06, output", "0.52"),
        line(FIRST, "o3", "0.40"),
        line(FIRST, "whisper-1", "0.10"),
        line(SECOND_DAY, "gpt-4o", "7.00"),
    ]
    found = await reconcile(store, invoice, "OpenAI")
    assert [told(row) for row in found.rows] == [
        (FIRST, "gpt-4o", Decimal("3.00"), Decimal("3.02"), Decimal("0.02"), "agrees"),  # within a percent
        (FIRST, "gpt-4o-mini", Decimal("0.50"), None, Decimal("-0.50"), "only recorded"),
        (FIRST, "o3", Decimal("0.25"), Decimal("0.40"), Decimal("0.15"), "differs"),
        (FIRST, "whisper-1", None, Decimal("0.10"), Decimal("0.10"), "only billed"),
        (SECOND_DAY, "gpt-4o", Decimal("7.00"), Decimal("7.00"), Decimal("0.00"), "agrees"),
    ]
    assert told(found.total) == (None, None, Decimal("10.75"), Decimal("10.52"), Decimal("-0.23"), "differs")
    assert (found.lines, found.agrees, found.first, found.last) == (5, False, FIRST, SECOND_DAY)


async def test_what_may_explain_a_difference_is_counted(store: Store) -> None:
    found = await reconcile(store, [line(FIRST, "o3", "0.40")], "openai")
    row = next(row for row in found.rows if row.model == "o3")
    assert (row.unknown, row.estimated, row.share) == (1, 1, Decimal("0.375000"))


async def test_an_invoice_without_models_is_compared_by_day(store: Store) -> None:
    found = await reconcile(store, [line(FIRST, None, "3.75"), line(SECOND_DAY, None, "6.00")], "openai")
    assert [told(row)[2:] for row in found.rows] == [
        (Decimal("3.75"), Decimal("3.75"), Decimal("0.00"), "agrees"),
        (Decimal("7.00"), Decimal("6.00"), Decimal("-1.00"), "differs"),
    ]


async def test_models_can_be_renamed(store: Store) -> None:
    found = await reconcile(
        store, [line(SECOND_DAY, "Our Deployment", "7")], "openai", names={"our deployment": "gpt-4o"}
    )
    assert [(row.model, row.verdict) for row in found.rows] == [("gpt-4o", "agrees")]


async def test_only_the_project_that_is_seen_is_compared(target: str) -> None:
    async with Store.open(target, project="spring") as store:
        found = await reconcile(store, [line(FIRST, "gpt-4o-mini", "0.5")], "openai")
        with pytest.raises(StoreError, match="opened for project"):
            await reconcile(store, [line(FIRST, "gpt-4o-mini", "0.5")], "openai", project="autumn")
    assert (found.project, found.agrees, len(found.rows)) == ("spring", True, 1)


async def test_an_invoice_without_lines_is_refused(store: Store) -> None:
    with pytest.raises(ReamonError, match="no lines"):
        await reconcile(store, [], "openai")


@pytest.mark.parametrize(
    ("tolerance", "recorded", "billed", "allowed"),
    [
        (Tolerance(), "100", "101.01", True),
        (Tolerance(), "100", "101.02", False),
        (Tolerance(), "0.001", "0.006", True),  # half a cent: invoices are rounded
        (Tolerance(share=Decimal(0), usd=Decimal("0.5")), "10", "10.5", True),
        (Tolerance(share=Decimal(0), usd=Decimal("0.5")), "10", "9.49", False),
        (Tolerance(), "-5", "-5", True),
    ],
)
def test_a_tolerance_is_a_share_and_an_amount(tolerance: Tolerance, recorded: str, billed: str, allowed: bool) -> None:
    assert tolerance.allows(Decimal(recorded), Decimal(billed)) is allowed
