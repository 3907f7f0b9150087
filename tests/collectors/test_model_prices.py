"""Known model prices: resolved once, and then the same as the library that knows them says."""

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import genai_prices
import pytest
from genai_prices import data_snapshot
from hypothesis import given, settings
from hypothesis import strategies as st

from reamon.collectors import PriceBook
from reamon.collectors.model_prices import ModelPrices
from reamon.model import Usage

MOMENT = datetime(2026, 11, 1, 12, tzinfo=UTC)
MODELS = [
    ("openai", "gpt-4o-mini"),
    ("openai", "o3"),
    ("openai", "gpt-4o-realtime-preview"),
    ("openai", "text-embedding-3-small"),
    ("anthropic", "claude-sonnet-4-5-20250929"),
    ("anthropic", "claude-opus-4-1"),
    ("google", "gemini-2.5-pro"),
    ("google", "gemini-2.5-flash"),
    ("azure", "gpt-4o"),
    ("groq", "llama-3.3-70b-versatile"),
    ("deepseek", "deepseek-chat"),
    ("perplexity", "sonar-pro"),
    ("mistral", "mistral-large-latest"),
    ("x-ai", "grok-4"),
]
BOOK = PriceBook()


def theirs(provider: str, model: str, usage: dict[str, int], context: dict[str, str] | None = None) -> Decimal:
    names = {"cached_input_tokens": "cache_read_tokens", "cached_audio_tokens": "cache_audio_read_tokens"}
    given_as = genai_prices.Usage(**{names.get(name, name): amount for name, amount in usage.items()})
    return genai_prices.calc_price(
        given_as, model, provider_id=provider, genai_request_timestamp=MOMENT, price_context=context
    ).total_price


@settings(deadline=None)
@given(
    st.sampled_from(MODELS),
    st.integers(0, 400_000),
    st.integers(0, 10_000),
    st.integers(0, 100_000),
    st.integers(0, 100_000),
    st.integers(0, 100_000),
    st.sampled_from([None, "batch", "flex", "priority"]),
)
def test_our_prices_are_theirs(
    which: tuple[str, str], rest: int, output: int, read: int, written: int, for_an_hour: int, tier: str | None
) -> None:
    usage = {"input_tokens": rest + read + written + for_an_hour, "output_tokens": output}
    usage |= {"cached_input_tokens": read, "cache_write_tokens": written + for_an_hour}
    usage |= {"cache_write_1h_tokens": for_an_hour}
    attributes = {} if tier is None else {"openai.response.service_tier": tier}
    details = BOOK.price(Usage(provider=which[0], model=which[1], **usage), at=MOMENT, attributes=attributes)
    ours = sum(detail.amount for detail in details if detail.amount is not None)
    context = {"processing": "batch"} if tier == "batch" else {"service_tier": tier} if tier else None
    assert abs(ours - theirs(*which, usage, context)) <= Decimal("2e-12")


@pytest.mark.parametrize("which", [("openai", "gpt-4o-realtime-preview"), ("google", "gemini-2.5-flash")])
def test_audio_tokens_cost_what_theirs_do(which: tuple[str, str]) -> None:
    usage = {"input_tokens": 1000, "input_audio_tokens": 400, "output_tokens": 200}
    usage |= {"cached_input_tokens": 300, "cached_audio_tokens": 150}
    details = BOOK.price(Usage(provider=which[0], model=which[1], **usage), at=MOMENT)
    assert sum(detail.amount for detail in details if detail.amount is not None) == theirs(*which, usage)


def test_searches_of_the_web_cost_what_theirs_do() -> None:
    usage = {"input_tokens": 1000, "output_tokens": 200, "web_searches": 3}
    details = BOOK.price(Usage(provider="anthropic", model="claude-sonnet-4-5-20250929", **usage), at=MOMENT)
    searches = [detail for detail in details if detail.unit == "web_searches"]
    assert [detail.amount for detail in searches] == [Decimal("0.03")]
    assert sum(detail.amount for detail in details if detail.amount is not None) == theirs(
        "anthropic", "claude-sonnet-4-5-20250929", usage
    )


@pytest.mark.parametrize(
    ("name", "known_as", "model"),
    [
        ("azure.ai.openai", "azure", "gpt-4o"),
        ("aws.bedrock", "aws", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("gcp.vertex_ai", "google", "gemini-2.5-pro"),
        ("google_genai", "google", "gemini-2.5-pro"),
        ("mistral_ai", "mistral", "mistral-large-latest"),
        ("x_ai", "x-ai", "grok-4"),
        ("az.ai.openai", "azure", "gpt-4o"),
        ("anthropic-bedrock", "aws", "us.anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ("anthropic-mantle", "aws", "anthropic.claude-opus-4-7"),
        ("bedrock-mantle", "aws", "anthropic.claude-opus-4-7"),
        ("anthropicvertex", "google", "claude-sonnet-4-5@20250929"),
        ("google-vertex", "google", "gemini-2.5-pro"),
        ("google-cloud", "google", "gemini-2.5-pro"),
        ("vertexai", "google", "gemini-2.5-pro"),
        ("moonshot", "moonshotai", "kimi-k2-0905-preview"),
    ],
)
def test_providers_are_known_by_the_names_of_others(name: str, known_as: str, model: str) -> None:
    (detail,) = BOOK.price(Usage(provider=name, model=model, input_tokens=1000), at=MOMENT)
    assert detail.amount == theirs(known_as, model, {"input_tokens": 1000})


@pytest.mark.parametrize(
    "model", ["models/gemini-2.5-pro", "publishers/google/models/gemini-2.5-pro", "google/gemini-2.5-pro"]
)
def test_google_s_models_are_known_by_the_names_of_resources(model: str) -> None:
    (detail,) = BOOK.price(Usage(provider="gcp.gemini", model=model, input_tokens=1000), at=MOMENT)
    assert detail.amount == theirs("google", "gemini-2.5-pro", {"input_tokens": 1000})


def test_anthropic_s_fast_mode_costs_more() -> None:
    usage = {"input_tokens": 1_000_000, "output_tokens": 1_000_000}
    told = {"anthropic.response.service_tier": "standard", "anthropic.response.speed": "fast"}
    details = BOOK.price(Usage(provider="anthropic", model="claude-opus-4-8", **usage), at=MOMENT, attributes=told)
    assert [detail.amount for detail in details] == [10, 50]  # $5 and $25 otherwise
    assert theirs("anthropic", "claude-opus-4-8", usage, {"speed": "fast"}) == 60


def test_groq_bills_ten_seconds_at_least() -> None:
    short, long = (
        BOOK.price(Usage(provider="groq", model="whisper-large-v3", audio_seconds=Decimal(seconds)), at=MOMENT)[0]
        for seconds in (3, 20)
    )
    assert (short.usage_units, long.usage_units) == (10, 20)


def test_a_model_is_asked_for_once_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: Counter[str] = Counter()
    find = ModelPrices.find

    def counted(self: ModelPrices, provider: str, model: str, *rest: Any) -> Any:
        asked[model] += 1
        return find(self, provider, model, *rest)

    monkeypatch.setattr(ModelPrices, "find", counted)
    book = PriceBook()
    for model in ["gpt-4o", "gpt-4o-mini", "no such model"] * 50:
        book.price(Usage(provider="openai", model=model, input_tokens=1), at=MOMENT)
    assert asked == {"gpt-4o": 1, "gpt-4o-mini": 1, "no such model": 1}


def test_prices_that_the_application_fetched_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    bundled = data_snapshot.get_snapshot()
    fetched = data_snapshot.DataSnapshot(bundled.providers, from_auto_update=True, timestamp=datetime(2026, 10, 31))
    monkeypatch.setattr(data_snapshot, "_custom_snapshot", fetched)
    (detail,) = PriceBook().price(Usage(provider="openai", model="gpt-4o", input_tokens=1), at=MOMENT)
    assert detail.price_version == f"genai-prices@{genai_prices.__version__}+2026-10-31"


def test_without_the_library_the_price_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reamon.collectors.model_prices.SOURCE", "genai-prices-which-nobody-has")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    book = PriceBook()
    assert book.price(Usage(provider="openai", model="gpt-4o", input_tokens=1), at=MOMENT)[0].amount is None
    assert book.sources == (book.sources[0],)
    assert ModelPrices().newest_price() is None


def test_it_says_how_young_its_youngest_price_is() -> None:
    newest = ModelPrices().newest_price()
    assert newest is not None
    assert newest > datetime(2026, 1, 1, tzinfo=UTC).date()


def test_the_library_is_imported_at_the_first_question_and_not_before() -> None:
    code = """
import sys, datetime
from reamon.collectors import CostCalculator, CostCollector, PriceBook
from reamon import Usage
book = CostCollector().book
CostCalculator().calculate_llm_cost("call", "openai-gpt-4", 1, 1)
book.price(Usage(provider="ollama", model="llama3", input_tokens=1), at=datetime.date(2026, 7, 1))
assert "genai_prices" not in sys.modules and "yaml" not in sys.modules
book.price(Usage(provider="openai", model="gpt-4o", input_tokens=1), at=datetime.date(2026, 7, 1))
assert "genai_prices" in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
