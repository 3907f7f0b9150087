"""Estimates: what a model call may have used whose provider did not say; only where asked for, and never twice."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from reamon.collectors import CostCollector
from reamon.collectors.estimates import tokens_of
from reamon.model import CostData, Payload, Span, Usage
from reamon.testing import make_span

RATES = {"acme": {"input_tokens": 1, "output_tokens": 10}}
ATTRIBUTES = {"gen_ai.provider.name": "acme", "gen_ai.request.model": "large"}


def streamed(**fields: Any) -> Span:
    asked = {"messages": [{"role": "user", "content": "What is my house worth?"}]}  # 23 characters: 6 tokens
    defaults = {"input": asked, "output": "That depends.", "attributes": ATTRIBUTES}  # 13 characters: 4 tokens
    return make_span("chat", "llm", **{**defaults, **fields})


def costs(collector: CostCollector, span: Span) -> Sequence[CostData]:
    additions = collector.collect(span)
    return () if additions is None else additions.costs


@pytest.fixture
def collector() -> CostCollector:
    return CostCollector(RATES, estimate=True)


def test_nothing_is_guessed_unless_asked_for() -> None:
    assert costs(CostCollector(RATES), streamed()) == ()


def test_usage_that_is_absent_is_guessed_from_the_text_and_marked(collector: CostCollector) -> None:
    asked, told = costs(collector, streamed())
    assert (asked.usage_units, asked.amount, asked.estimated) == (6, 6, True)
    assert (told.usage_units, told.amount, told.estimated) == (4, 40, True)
    assert (asked.provider, asked.model, asked.cost_type) == ("acme", "large", "llm")


def test_a_guess_without_a_price_is_unknown(collector: CostCollector) -> None:
    (cost,) = costs(collector, streamed(attributes={**ATTRIBUTES, "gen_ai.provider.name": "nobody"}))
    assert (cost.amount, cost.estimated) == (None, True)


def test_usage_that_was_reported_is_not_guessed(collector: CostCollector) -> None:
    details = costs(collector, streamed(usage=(Usage(provider="acme", input_tokens=5),)))
    assert [(cost.amount, cost.estimated) for cost in details] == [(5, False)]


@pytest.mark.parametrize(
    "fields",
    [
        {"attributes": {**ATTRIBUTES, "reamon.cache_hit": True}},
        {"attributes": {"gen_ai.provider.name": "acme"}},  # nobody knows the model
        {"attributes": {"gen_ai.request.model": "large"}},  # nor who bills it
        {"output": None},  # nothing was answered
        {"costs": (CostData(cost_type="llm", amount=Decimal(3)),)},  # the application knows
        {"kind": "tool"},
    ],
)
def test_where_there_is_nothing_to_guess_nothing_is_guessed(collector: CostCollector, fields: dict[str, Any]) -> None:
    span = streamed(**{name: value for name, value in fields.items() if name != "kind"})
    assert costs(collector, span.replace(kind="tool") if "kind" in fields else span) == ()


def test_a_call_around_one_that_was_billed_or_guessed_is_not_guessed_too(collector: CostCollector) -> None:
    for inner in ({"usage": (Usage(provider="acme", input_tokens=5),)}, {}):
        outer = streamed()
        request = streamed(parent=outer, **inner)
        assert costs(collector, request) != ()
        assert costs(collector, outer) == ()


@pytest.mark.parametrize(
    ("value", "tokens"),
    [
        (None, 0),
        ("", 0),
        ("a", 1),
        ("abcd", 1),
        ("abcde", 2),
        ({"role": "assistant", "id": "msg_1", "content": ["abcd", {"type": "text", "text": "efgh"}]}, 2),
        ({"image_url": {"url": "data:image/png;base64,AAAA"}, "n": 12}, 0),
        ([[["a"] * 100]], 25),
    ],
)
def test_text_is_counted_and_names_and_pictures_are_not(value: Any, tokens: int) -> None:
    assert tokens_of(None if value is None else Payload.of(value)) == tokens
