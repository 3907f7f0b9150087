"""The cost collector: usage becomes cost details, exactly."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reamon
from reamon.collectors import CostCollector
from reamon.errors import ConfigurationError
from reamon.model import CostData, SpanKind, Usage
from reamon.model.usage import AMOUNTS, COUNTS
from reamon.testing import capture_spans, make_span

GPT = {"openai/gpt-4o": {"input_tokens": "0.0000025", "cached_input_tokens": "0.00000125", "output_tokens": "0.00001"}}


def price(rates: dict[str, dict[str, Any]], **usage: Any) -> CostData:
    return CostCollector(rates).price(Usage(**usage), "llm")


def test_each_unit_is_billed_at_its_rate() -> None:
    cost = price(GPT, provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=100)
    assert cost.amount == Decimal("0.0035")
    assert (cost.cost_type, cost.provider, cost.model, cost.price_source) == ("llm", "openai", "gpt-4o", "rates")


def test_cached_tokens_are_not_billed_twice() -> None:
    cost = price(GPT, provider="openai", model="gpt-4o", input_tokens=1000, cached_input_tokens=400)
    assert cost.amount == 600 * Decimal("0.0000025") + 400 * Decimal("0.00000125")


def test_cached_tokens_without_a_rate_of_their_own_are_input_tokens() -> None:
    cost = price({"x": {"input_tokens": 1}}, provider="x", input_tokens=10, cached_input_tokens=4)
    assert cost.amount == 10


def test_more_cached_tokens_than_input_tokens_never_make_a_negative_cost() -> None:
    cost = price(GPT, provider="openai", model="gpt-4o", input_tokens=1, cached_input_tokens=400)
    assert cost.amount == 400 * Decimal("0.00000125")


def test_a_rate_for_the_provider_covers_the_models_that_are_not_named() -> None:
    rates = {"twilio": {"minutes": "0.0085"}, "twilio/sms": {"messages": "0.0075"}}
    assert price(rates, provider="Twilio", minutes=Decimal("1.5")).amount == Decimal("0.01275")
    assert price(rates, provider="twilio", model="SMS", messages=2).amount == Decimal("0.0150")


def test_a_single_unit_shows_what_was_consumed_and_at_what_price() -> None:
    cost = price({"elevenlabs": {"characters": "0.0002"}}, provider="elevenlabs", characters=310)
    assert (cost.usage_units, cost.unit, cost.unit_cost) == (310, "characters", Decimal("0.0002"))
    several = price(GPT, provider="openai", model="gpt-4o", input_tokens=1, output_tokens=1)
    assert (several.usage_units, several.unit, several.unit_cost) == (None, None, None)


@pytest.mark.parametrize(
    "usage",
    [{"provider": "unheard of", "input_tokens": 5}, {"input_tokens": 5}, {"provider": "openai", "model": "gpt-4o"}],
)
def test_an_unknown_price_is_unknown_and_not_zero(usage: dict[str, Any]) -> None:
    assert price(GPT, **usage).amount is None


def test_a_usage_of_nothing_is_free() -> None:
    assert price({"ollama": {"input_tokens": 0}}, provider="ollama", input_tokens=900).amount == 0


counts = st.none() | st.integers(0, 10**9)
prices = st.decimals(0, 1, places=12)


@given(
    st.fixed_dictionaries(dict.fromkeys(COUNTS, counts)),
    st.fixed_dictionaries({}, optional=dict.fromkeys(COUNTS + AMOUNTS, prices)),
)
def test_a_cost_is_the_exact_sum_of_its_parts(usage: dict[str, int | None], rates: dict[str, Decimal]) -> None:
    cost = price({"x": rates}, provider="x", **usage)
    inside = {
        "input_tokens": ("cached_input_tokens", "cache_write_tokens", "input_audio_tokens"),
        "output_tokens": ("reasoning_tokens", "output_audio_tokens"),
    }
    expected, known = Fraction(0), False
    for unit, rate in rates.items():
        consumed = usage.get(unit)
        if consumed is not None:
            known = True
            parts = sum(usage[part] or 0 for part in inside.get(unit, ()) if part in rates)
            expected += max(consumed - parts, 0) * Fraction(rate)
    assert (cost.amount is None) == (not known)
    assert Fraction(cost.amount or 0) == expected


def test_every_usage_of_a_span_is_a_detail_with_a_key_of_its_own() -> None:
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1000)
    additions = CostCollector(GPT).collect(make_span(kind=SpanKind.LLM, usage=(usage, usage)))
    assert additions is not None
    assert [cost.amount for cost in additions.costs] == [Decimal("0.0025")] * 2
    assert len({(cost.cost_type, cost.price_version) for cost in additions.costs}) == 2


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


def test_without_rates_or_usage_nothing_is_added() -> None:
    usage = (Usage(provider="openai", input_tokens=1000),)
    assert CostCollector().collect(make_span(usage=usage)) is None
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
    (cost,) = captured.one("chat").costs
    assert cost.amount == Decimal("0.0035")
