"""Filters: what cannot be meant is refused by name."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from reamon.errors import StoreError
from reamon.store import (
    AlertFilter,
    CostDetailFilter,
    ExecutionFilter,
    MetricFilter,
    OperationFilter,
    TraceFilter,
)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
WEST = timezone(timedelta(hours=-5))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: TraceFilter(status="ok"), "TraceFilter: status='ok' .*there are running, completed, failed"),
        (lambda: TraceFilter(status=("failed", "broken")), "has 'broken'; there are"),
        (lambda: ExecutionFilter(status="completed"), "ExecutionFilter: status='completed' .*there are running, ok"),
        (lambda: OperationFilter(kind="guess"), "kind='guess' .*there are workflow, agent, llm"),
        (lambda: TraceFilter(status=()), r"status=\(\) is empty"),
        (lambda: TraceFilter(since=datetime(2026, 11, 26)), "since=2026-11-26 00:00:00 has no time zone"),
        (lambda: MetricFilter(until=datetime(2026, 11, 26)), "MetricFilter: until=.* has no time zone"),
        (lambda: AlertFilter(since="yesterday"), "since='yesterday' is not a datetime"),
        (
            lambda: TraceFilter(until=datetime.max.replace(tzinfo=WEST)),
            "until=9999.* is no moment of the years 1 to 9999",
        ),
        (lambda: TraceFilter(since=NOON, until=NOON.replace(hour=11)), "since=.*12:00.* is more than until=.*11:00"),
        (lambda: TraceFilter(min_cost="0.2", max_cost="0.1"), "min_cost=.*0.2.* is more than max_cost=0.1"),
        (lambda: CostDetailFilter(min_amount=0.1), "min_amount=0.1 is a float, which money never is"),
        (lambda: TraceFilter(min_cost="much"), "min_cost='much' cannot be used"),
        (lambda: TraceFilter(max_cost=Decimal("NaN")), "max_cost=.* cannot be used"),
        (lambda: TraceFilter(max_cost=Decimal("1e30")), "is more than any amount can be"),
        (lambda: TraceFilter(min_duration_ms=float("nan")), "min_duration_ms=nan is not a number"),
        (lambda: ExecutionFilter(min_confidence=0.9, max_confidence=0.1), "min_confidence=0.9 is more than"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(make: Callable[[], object], why: str) -> None:
    with pytest.raises(StoreError, match=why):
        make()


def test_one_value_is_as_good_as_several() -> None:
    assert TraceFilter(status="failed") == TraceFilter(status=["failed"]) == TraceFilter(status=("failed", "failed"))


def test_money_may_be_written_as_text() -> None:
    assert TraceFilter(min_cost="0.10").min_cost == Decimal("0.10")


def test_a_filter_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        TraceFilter(call_id="call-1").call_id = "call-2"  # type: ignore[misc]
