"""A budget says early what cannot be used, and what happens at which share of it."""

from decimal import Decimal
from typing import Any

import pytest

from reamon.budgets import Budget
from reamon.errors import ConfigurationError


def marks(budget: Budget) -> list[tuple[str, str]]:
    return [(f"{mark.share:f}", mark.action.value) for mark in budget.marks]


def test_by_default_it_warns_at_80_percent_and_stops_at_the_limit() -> None:
    assert marks(Budget("day", 50)) == [("0.8", "warn"), ("1", "stop")]


def test_the_shares_of_a_campaign() -> None:
    budget = Budget("day", "50", warn_at="0.70", degrade_at="0.85", stop_at="0.95")
    assert marks(budget) == [("0.70", "warn"), ("0.85", "degrade"), ("0.95", "stop"), ("1", "stop")]


def test_at_one_share_the_gravest_counts() -> None:
    assert marks(Budget("day", 50, warn_at=("0.9", "1"), degrade_at="0.9")) == [("0.9", "degrade"), ("1", "stop")]


def test_a_limit_counts_digit_for_digit() -> None:
    assert [Budget("call", limit).limit for limit in (0.1, "0.10", Decimal("0.1"), 1)] == [
        Decimal("0.1"),
        Decimal("0.1"),
        Decimal("0.1"),
        Decimal(1),
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": ""}, "a budget has a name"),
        ({"limit": 0}, "more than 0"),
        ({"limit": "-1"}, "more than 0"),
        ({"limit": "0.0000000000001"}, "more than 0"),
        ({"limit": 10**10}, "1,000,000,000 USD at most"),
        ({"limit": "1e400"}, "1,000,000,000 USD at most"),
        ({"limit": "fifty"}, r"'day', limit='fifty'.*not a number"),
        ({"limit": "NaN"}, "not a finite number"),
        ({"limit": True}, "not bool"),
        ({"limit": None}, "of use with `spike` only"),
        ({"per": "year"}, "per='year'.*call, hour, day, week, month, total"),
        ({"project": ""}, "project=''"),
        ({"timezone": "Mars"}, "no time zone 'Mars'"),
        ({"warn_at": "80"}, "more than 0 and at most 1"),
        ({"warn_at": ("0.8", 0)}, "more than 0 and at most 1"),
        ({"degrade_at": "x"}, "degrade_at='x'"),
        ({"stop_at": 1.5}, "stop_at=1.5|stop_at=Decimal"),
        ({"on_exceeded": "explode"}, "warn, degrade, stop"),
        ({"on_exceeded": "warn", "stop_at": "0.9"}, "on_exceeded.*it would warn, but before that it would stop"),
        ({"degrade_at": "0.7", "warn_at": "0.8"}, "it would warn, but before that it would degrade"),
        ({"spike": 1}, "more than 1"),
        ({"spike": 2, "per": "call"}, "nothing is usual per call"),
        ({"spike": 2, "spike_least": 20}, "from 1 to spike_history, which is 14"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Budget(**{"name": "day", "limit": 50, **arguments})
