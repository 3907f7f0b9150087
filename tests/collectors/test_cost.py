"""The cost collector: usage becomes cost details, exactly."""

from decimal import Decimal
from typing import Any

import pytest

import reamon
from reamon.collectors import CostCollector
from reamon.errors import ConfigurationError
from reamon.model import CostData, SpanKind, Usage
from reamon.testing import capture_spans, make_span

GPT = {"openai/gpt-4o": {"input_tokens": "0.0000025", "cached_input_tokens": "0.00000125", "output_tokens": "0.00001"}}


def test_every_usage_of_a_span_has_a_detail_of_its_own() -> None:
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1000)
    additions = CostCollector(GPT).collect(make_span(kind=SpanKind.LLM, usage=(usage, usage)))
    assert additions is not None
    assert [cost.amount for cost in additions.costs] == [Decimal("0.0025")] * 2


def test_a_cost_that_the_application_stated_stands() -> None:
    usage = (Usage(provider="openai", model="gpt-4o", input_tokens=1000),)
    stated = (CostData(cost_type="llm", amount=Decimal("0.01")),)
    assert CostCollector(GPT).collect(make_span(kind=SpanKind.LLM, usage=usage, costs=stated)) is None


def test_a_stated_cost_of_another_type_changes_nothing() -> None:
    usage = (Usage(provider="openai", model="gpt-4o", input_tokens=1000),)
    stated = (CostData(cost_type="infrastructure", amount=Decimal("0.001")),)
    additions = CostCollector(GPT).collect(make_span(kind=SpanKind.LLM, usage=usage, costs=stated))
    assert additions is not None
    assert additions.costs[0].amount == Decimal("0.0025")


def test_the_cost_type_is_the_kind_and_an_agents_own_usage_is_its_models() -> None:
    usage = (Usage(provider="x", requests=1),)
    collector = CostCollector({"x": {"requests": 1}})
    for kind, cost_type in ((SpanKind.TTS, "tts"), (SpanKind.AGENT, "llm")):
        additions = collector.collect(make_span(kind=kind, usage=usage))
        assert additions is not None
        assert additions.costs[0].cost_type == cost_type


def test_without_usage_nothing_is_added() -> None:
    assert CostCollector(GPT).collect(make_span()) is None


@pytest.mark.parametrize(
    ("rates", "named"),
    [
        ({"openai": {"tokens": 1}}, "tokens"),
        ({"openai": {"input_tokens": "cheap"}}, "cheap"),
        ({"openai": {"input_tokens": -1}}, "negative"),
        ({"openai": {"input_tokens": float("nan")}}, "nan"),
    ],
)
def test_a_wrong_rate_is_refused_by_name(rates: dict[str, dict[str, Any]], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        CostCollector(rates)


def test_a_recorded_usage_arrives_with_its_cost() -> None:
    with capture_spans(collectors=[CostCollector(GPT)]) as captured, reamon.trace_llm("chat") as span:
        span.record_usage(provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=100)
    asked, told = captured.one("chat").costs
    assert (asked.unit, asked.amount) == ("input_tokens", Decimal("0.0025"))
    assert (told.unit, told.amount) == ("output_tokens", Decimal("0.001"))
