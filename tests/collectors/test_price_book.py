"""The price book: golden cases, each worked out by hand, and who is asked in which order."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reamon.collectors import PriceBook
from reamon.errors import ConfigurationError
from reamon.model import CostData, Usage

DAY = date(2026, 7, 1)

COMPANY = {
    "deepgram/nova-3": {"minutes": "0.0043"},
    "elevenlabs": {"per": 1000, "characters": "0.18"},
    "twilio/voice": {"minutes": "0.014", "increment": 1},
    "twilio/sms": {"messages": "0.0079"},
    "carrier": {"audio_seconds": "0.0002", "increment": 6, "minimum": 30},
    "own/infrastructure": {"calls": "0.001"},
}


def amounts(details: tuple[CostData, ...]) -> dict[str | None, str]:
    return {detail.unit: f"{detail.amount:f}" if detail.amount is not None else "unknown" for detail in details}


def priced(book: PriceBook, at: date = DAY, attributes: dict[str, Any] | None = None, **usage: Any) -> dict[Any, str]:
    return amounts(book.price(Usage(**usage), at=at, attributes=attributes or {}))


def test_openai_with_a_cache_read() -> None:
    # 2.50 for a million of input, 1.25 for those read from the cache, 10 for output
    usage = {"provider": "openai", "model": "gpt-4o-2024-08-06"}
    assert priced(PriceBook(), **usage, input_tokens=1500, cached_input_tokens=1024, output_tokens=300) == {
        "input_tokens": "0.001190000000",  # 476 × 0.0000025
        "cached_input_tokens": "0.001280000000",  # 1024 × 0.00000125
        "output_tokens": "0.003000000000",  # 300 × 0.00001
    }


def test_anthropic_with_a_cache_read_and_a_cache_write() -> None:
    # 3 for a million of input, 0.30 read, 3.75 written, 15 for output; the input includes what was read and written
    usage = {"provider": "anthropic", "model": "claude-sonnet-4-5-20250929", "output_tokens": 300}
    assert priced(PriceBook(), **usage, input_tokens=10_000, cached_input_tokens=4000, cache_write_tokens=1000) == {
        "input_tokens": "0.015000000000",  # 5000 × 0.000003
        "cached_input_tokens": "0.001200000000",  # 4000 × 0.0000003
        "cache_write_tokens": "0.003750000000",  # 1000 × 0.00000375
        "output_tokens": "0.004500000000",  # 300 × 0.000015
    }


def test_anthropic_with_cache_writes_for_an_hour_and_searches_of_the_web() -> None:
    # 6 for a million that is kept for an hour, 3.75 for what is kept for five minutes, and 10 for a thousand searches
    usage = {"provider": "anthropic", "model": "claude-sonnet-4-5-20250929", "output_tokens": 300, "web_searches": 2}
    assert priced(PriceBook(), **usage, input_tokens=10_000, cache_write_tokens=5000, cache_write_1h_tokens=4000) == {
        "input_tokens": "0.015000000000",  # 5000 × 0.000003
        "cache_write_tokens": "0.003750000000",  # 1000 × 0.00000375
        "cache_write_1h_tokens": "0.024000000000",  # 4000 × 0.000006
        "output_tokens": "0.004500000000",  # 300 × 0.000015
        "web_searches": "0.020000000000",  # 2 × 0.01
    }


def test_what_has_no_price_for_an_hour_pays_that_of_a_cache_write() -> None:
    book = PriceBook({"x": {"input_tokens": 1, "cache_write_tokens": 2}}, model_prices=False)
    assert priced(book, provider="x", input_tokens=10, cache_write_tokens=4, cache_write_1h_tokens=3) == {
        "input_tokens": "6.000000000000",
        "cache_write_tokens": "8.000000000000",
    }


def test_searches_without_a_price_are_unknown_and_not_free() -> None:
    book = PriceBook({"x": {"input_tokens": 1}}, model_prices=False)
    assert priced(book, provider="x", input_tokens=10, web_searches=2)["web_searches"] == "unknown"
    assert "web_searches" not in priced(book, provider="x", input_tokens=10, web_searches=0)


@pytest.mark.parametrize(
    ("input_tokens", "expected"),
    [
        (200_000, {"input_tokens": "0.250000000000", "output_tokens": "0.010000000000"}),  # 1.25 and 10 a million
        (200_001, {"input_tokens": "0.500002500000", "output_tokens": "0.015000000000"}),  # 2.50 and 15 for all of them
    ],
)
def test_google_with_a_tier_above_200_000_tokens(input_tokens: int, expected: dict[str, str]) -> None:
    usage = {"provider": "gcp.gemini", "model": "gemini-2.5-pro", "output_tokens": 1000}
    assert priced(PriceBook(), **usage, input_tokens=input_tokens) == expected


def test_ollama_is_free_which_is_a_price() -> None:
    (detail,) = PriceBook().price(Usage(provider="ollama", model="llama3.2:3b", input_tokens=900), at=DAY)
    assert (detail.amount, detail.price_source, detail.unit) == (0, "local", None)


def test_elevenlabs_by_characters() -> None:
    usage = {"provider": "ElevenLabs", "model": "eleven_flash_v2_5", "characters": 310}
    assert priced(PriceBook(COMPANY), **usage) == {"characters": "0.055800000000"}  # 310 × 0.18 / 1000


def test_deepgram_by_the_minute_for_audio_counted_in_seconds() -> None:
    usage = {"provider": "deepgram", "model": "nova-3", "audio_seconds": Decimal("2.4")}
    assert priced(PriceBook(COMPANY), **usage) == {"audio_seconds": "0.000172000000"}  # 2.4 × 0.0043 / 60


def test_whisper_by_the_hour_for_audio_counted_in_seconds_or_minutes() -> None:
    # 0.36 an hour
    whisper = {"provider": "openai", "model": "whisper-1"}
    assert priced(PriceBook(), **whisper, audio_seconds=Decimal("61.5")) == {"audio_seconds": "0.006150000000"}
    assert priced(PriceBook(), **whisper, minutes=Decimal("1.5")) == {"audio_seconds": "0.009000000000"}


@pytest.mark.parametrize(
    ("minutes", "billed", "expected"),
    [("0", "0", "0.000000000000"), ("0.01", "1", "0.014000000000"), ("1", "1", "0.014000000000"),
     ("1.58", "2", "0.028000000000"), ("2", "2", "0.028000000000")],
)  # fmt: skip
def test_twilio_voice_where_a_minute_begun_is_a_minute_paid(minutes: str, billed: str, expected: str) -> None:
    usage = Usage(provider="twilio", model="voice", minutes=Decimal(minutes))
    (detail,) = PriceBook(COMPANY).price(usage, at=DAY)
    assert (detail.cost_type, detail.usage_units, f"{detail.amount:f}") == ("telephony", Decimal(billed), expected)


def test_twilio_sms_by_the_message() -> None:
    assert priced(PriceBook(COMPANY), provider="twilio", model="sms", messages=3) == {"messages": "0.023700000000"}


@pytest.mark.parametrize(("seconds", "billed"), [("1", 30), ("30", 30), ("30.5", 36), ("36", 36), ("37", 42)])
def test_an_increment_and_a_minimum(seconds: str, billed: int) -> None:
    (detail,) = PriceBook(COMPANY).price(Usage(provider="carrier", audio_seconds=Decimal(seconds)), at=DAY)
    assert (detail.usage_units, detail.amount) == (billed, billed * Decimal("0.0002"))


def test_an_increment_of_minutes_for_seconds() -> None:
    usage = Usage(provider="twilio", model="voice", audio_seconds=Decimal(95))
    (detail,) = PriceBook(COMPANY).price(usage, at=DAY)
    assert (detail.unit, detail.usage_units, detail.amount) == ("audio_seconds", 120, Decimal("0.028"))


def test_infrastructure_once_for_each_call() -> None:
    (detail,) = PriceBook(COMPANY).per_call(DAY)
    assert (detail.cost_type, detail.provider, detail.unit, detail.amount) == (
        "infrastructure", "own", "calls", Decimal("0.001"),
    )  # fmt: skip
    assert PriceBook().per_call(DAY) == ()


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"provider": "openai", "model": "gpt-4", "input_tokens": 1000, "output_tokens": 500}, ("0.03", "0.015")),
        ({"provider": "openai", "model": "gpt-4-0613", "input_tokens": 1000}, ("0.03",)),
        ({"provider": "openai-gpt-3.5", "input_tokens": 1000, "output_tokens": 500}, ("0.002", "0.001")),
        ({"provider": "elevenlabs", "model": "eleven_turbo_v2", "characters": 100}, ("0.02",)),
        ({"provider": "openai", "model": "whisper-1", "minutes": Decimal("2.5")}, ("0.015",)),
        ({"provider": "twilio", "model": "voice", "minutes": Decimal("1.58")}, ("0.01343",)),
        ({"provider": "twilio", "model": "sms", "messages": 2}, ("0.015",)),
        ({"provider": "ollama", "model": "llama3", "input_tokens": 7}, ("0",)),
    ],
)
def test_the_rates_of_reautomation2(usage: dict[str, Any], expected: tuple[str, ...]) -> None:
    details = PriceBook(profile="reautomation2").price(Usage(**usage), at=DAY)
    assert [detail.amount for detail in details] == [Decimal(amount) for amount in expected]
    assert {detail.price_source for detail in details} <= {"reautomation2", "local"}


def test_a_batch_pays_what_batches_pay() -> None:
    tokens = {"provider": "openai", "model": "gpt-4o", "input_tokens": 1000, "output_tokens": 100}
    november = date(2026, 11, 1)
    half = {"input_tokens": "0.001250000000", "output_tokens": "0.000500000000"}
    assert priced(PriceBook(), november, {"reamon.batch": True}, **tokens) == half
    own = {"openai/gpt-4o": {"input_tokens": "0.0000025", "output_tokens": "0.00001", "service_tiers": {"batch": 0.5}}}
    assert priced(PriceBook(own), DAY, {"anthropic.response.service_tier": "batch"}, **tokens) == half


def test_a_service_tier_is_paid_as_it_was_answered_not_as_it_was_asked() -> None:
    own = {"x": {"input_tokens": 1, "service_tiers": {"priority": 2}}}
    asked = {"gen_ai.request.service_tier": "priority"}
    assert priced(PriceBook(own), DAY, asked, provider="x", input_tokens=3) == {"input_tokens": "6.000000000000"}
    answered = {**asked, "openai.response.service_tier": "default"}
    assert priced(PriceBook(own), DAY, answered, provider="x", input_tokens=3) == {"input_tokens": "3.000000000000"}


def test_an_answer_from_a_cache_costs_nothing() -> None:
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=100)
    (detail,) = PriceBook().price(usage, at=DAY, attributes={"reamon.cache_hit": True})
    assert (detail.amount, detail.price_source) == (0, "cache-hit")


def test_your_own_rates_come_before_the_profile_that_before_local_ones_and_known_prices_last() -> None:
    own = {"ollama": {"input_tokens": 1}, "openai/gpt-4": {"input_tokens": 2}}
    book = PriceBook(own, profile="reautomation2")
    usages = [("openai", "gpt-4"), ("openai", "gpt-3.5-turbo"), ("ollama", "x"), ("vllm", "x"), ("openai", "gpt-4o")]
    details = [book.price(Usage(provider=payee, model=model, input_tokens=1), at=DAY) for payee, model in usages]
    assert [detail.price_source for (detail,) in details] == [
        "rates", "reautomation2", "rates", "local", "genai-prices",
    ]  # fmt: skip


def test_every_detail_says_where_its_price_comes_from_and_since_when() -> None:
    own = {"acme": [{"from": date(2026, 1, 1), "input_tokens": 1}, {"from": date(2026, 7, 1), "input_tokens": 2}]}
    book = PriceBook(own)
    (detail,) = book.price(Usage(provider="acme", input_tokens=5), at=date(2026, 8, 1))
    assert (detail.price_source, detail.effective_date, detail.unit_cost) == ("rates", "2026-07-01", 2)
    assert detail.price_version == book.sources[0]
    (known,) = book.price(Usage(provider="openai", model="o3", input_tokens=1000), at=DAY)
    assert (known.price_source, known.effective_date) == ("genai-prices", "2025-06-10")
    assert known.price_version.startswith("genai-prices@")


@pytest.mark.parametrize(
    ("day", "amount"),
    [("2025-12-31", None), ("2026-01-01", 1), ("2026-06-30", 1), ("2026-07-01", 2), ("2030-01-01", 2)],
)
def test_the_edition_in_force_on_the_day_counts(day: str, amount: int | None) -> None:
    own = {"acme": [{"from": "2026-07-01", "input_tokens": 2}, {"from": "2026-01-01", "input_tokens": 1}]}
    (detail,) = PriceBook(own).price(Usage(provider="acme", input_tokens=1), at=date.fromisoformat(day))
    assert detail.amount == amount


def test_a_known_price_is_that_of_the_day() -> None:
    usage = Usage(provider="openai", model="o3", input_tokens=1_000_000)
    before, after = (PriceBook().price(usage, at=date(2025, 6, day)) for day in (9, 10))
    assert (before[0].amount, after[0].amount) == (10, 2)


def test_a_price_that_depends_on_the_hour_is_that_of_the_hour() -> None:
    book = PriceBook()
    usage = Usage(provider="deepseek", model="deepseek-chat", input_tokens=1_000_000)
    night, noon = (book.price(usage, at=datetime(2025, 8, 1, hour, 15, tzinfo=UTC)) for hour in (0, 12))
    assert (night[0].amount, noon[0].amount) == (Decimal("0.135"), Decimal("0.27"))


def test_a_moment_is_taken_as_the_day_that_it_is_in_utc() -> None:
    own = {"acme": [{"from": "2026-01-01", "input_tokens": 1}, {"from": "2026-07-01", "input_tokens": 2}]}
    late = datetime(2026, 6, 30, 22, 30, tzinfo=timezone(-timedelta(hours=5)))
    assert PriceBook(own).price(Usage(provider="acme", input_tokens=1), at=late)[0].amount == 2


@pytest.mark.parametrize(
    "usage",
    [
        {"provider": "unheard of", "input_tokens": 5},
        {"provider": "openai", "model": "gpt-99-imaginary", "input_tokens": 5},
        {"provider": "openai.example.com:8000", "model": "gpt-4o", "input_tokens": 5},  # somebody's proxy
        {"model": "gpt-4o", "input_tokens": 5},  # who bills that, nobody said
        {"provider": "openai", "input_tokens": 5},
        {"provider": "deepgram", "model": "nova-3", "characters": 5},  # priced by the minute
    ],
)
def test_an_unknown_price_is_unknown_and_not_zero(usage: dict[str, Any]) -> None:
    (detail,) = PriceBook(COMPANY).price(Usage(**usage), at=DAY)
    assert (detail.amount, detail.price_source, detail.price_version) == (None, "unknown", "unknown")
    assert (detail.provider, detail.model) == (usage.get("provider"), usage.get("model"))


def test_a_part_that_has_no_price_is_told_beside_what_has_one() -> None:
    book = PriceBook({"x": {"input_tokens": 1}, "twilio": {"minutes": 1}})
    assert priced(book, provider="x", input_tokens=2, output_tokens=3) == {
        "input_tokens": "2.000000000000",
        "output_tokens": "unknown",
    }
    assert priced(book, provider="x", input_tokens=2, output_tokens=0) == {"input_tokens": "2.000000000000"}
    assert priced(book, provider="twilio", minutes=Decimal(2), messages=1) == {
        "minutes": "2.000000000000",
        "messages": "unknown",
    }


def test_another_measure_of_the_same_is_not_missed() -> None:
    book = PriceBook({"speech": {"characters": 1}})
    usage = {"provider": "speech", "characters": 2, "audio_seconds": Decimal(9), "requests": 1}
    assert priced(book, **usage) == {"characters": "2.000000000000"}


def test_a_price_for_each_request() -> None:
    book = PriceBook({"search": {"requests": "0.005"}})
    assert priced(book, provider="search", requests=3) == {"requests": "0.015000000000"}
    assert priced(book, provider="search", input_tokens=3) == {"requests": "0.005000000000"}  # somebody asked, once


def test_a_tier_of_your_own_counts_for_all_units_above_its_size() -> None:
    own = {
        "acme/long": {"per": 1000, "input_tokens": 1, "output_tokens": 2,
                      "tiers": [{"above": 5000, "input_tokens": 3}, {"above": 1000, "input_tokens": 2}]},
        "sms": {"messages": 2, "tiers": [{"above": 10, "messages": 1}]},
    }  # fmt: skip
    book = PriceBook(own)
    long = {"provider": "acme", "model": "long", "output_tokens": 1000}
    inputs = [priced(book, **long, input_tokens=size)["input_tokens"] for size in (1000, 1001, 5000, 5001)]
    assert [Decimal(amount) for amount in inputs] == [1, Decimal("2.002"), 10, Decimal("15.003")]
    assert priced(book, **long, input_tokens=9000)["output_tokens"] == "2.000000000000"
    assert [priced(book, provider="sms", messages=count)["messages"][:2] for count in (10, 11)] == ["20", "11"]


def test_a_model_is_found_by_name_by_name_without_date_by_beginning_and_then_its_provider_is() -> None:
    own = {
        "acme": {"input_tokens": 1},
        "acme/big*": {"input_tokens": 2},
        "acme/big-fast*": {"input_tokens": 3},
        "acme/big-fast-1": {"input_tokens": 4},
    }
    book = PriceBook(own)
    models = ["small", "big-2", "BIG-FAST-2", "big-fast-1", "big-fast-1-2026-01-31", "big-fast-1@20260131", None]
    found = [book.price(Usage(provider="acme", model=model, input_tokens=1), at=DAY)[0].amount for model in models]
    assert found == [1, 2, 3, 4, 4, 4, 1]


def test_audio_tokens_and_reasoning_tokens_are_billed_once() -> None:
    own = {"x": {"input_tokens": 1, "input_audio_tokens": 10, "output_tokens": 2, "reasoning_tokens": 3}}
    tokens = {"input_tokens": 10, "input_audio_tokens": 4, "output_tokens": 8, "reasoning_tokens": 5}
    assert {unit: Decimal(amount) for unit, amount in priced(PriceBook(own), provider="x", **tokens).items()} == {
        "input_tokens": 6, "input_audio_tokens": 40, "output_tokens": 6, "reasoning_tokens": 15,
    }  # fmt: skip


def test_a_part_without_a_price_of_its_own_belongs_to_the_whole() -> None:
    usage = {"provider": "x", "input_tokens": 10, "cached_input_tokens": 4}
    assert priced(PriceBook({"x": {"input_tokens": 1}}), **usage) == {"input_tokens": "10.000000000000"}


def test_more_cached_tokens_than_input_tokens_never_make_a_negative_cost() -> None:
    own = {"x": {"input_tokens": 1, "cached_input_tokens": "0.5"}}
    usage = {"provider": "x", "input_tokens": 1, "cached_input_tokens": 4}
    assert priced(PriceBook(own), **usage) == {"cached_input_tokens": "2.000000000000"}


def test_a_usage_of_nothing_costs_nothing() -> None:
    assert priced(PriceBook(COMPANY), provider="twilio", model="sms", messages=0) == {"messages": "0.000000000000"}


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "rates.toml"
    path.write_text('version = "2026-06"\n[rates]\nacme = { per = 1000, input_tokens = 0.1 }\n')
    book = PriceBook.load(path)
    assert priced(book, provider="acme", input_tokens=7) == {"input_tokens": "0.000700000000"}
    assert book.sources[0] == "rates@2026-06"


def test_another_book_has_another_version_and_the_same_one_the_same() -> None:
    one, same, other = (PriceBook({"x": {"input_tokens": price}}) for price in ("0.1", 0.1, "0.2"))
    assert one.version == same.version != other.version
    assert PriceBook(model_prices=False).version == PriceBook(model_prices=False).version != PriceBook().version


def test_without_known_prices_only_rates_count() -> None:
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1)
    assert PriceBook(model_prices=False).price(usage, at=DAY)[0].amount is None


def test_what_a_model_costs_can_be_asked_without_using_it() -> None:
    prices = PriceBook(profile="reautomation2").prices("openai", "gpt-4", at=DAY)
    assert prices is not None
    assert prices.units["input_tokens"].price / prices.units["input_tokens"].per == Decimal("0.00003")
    assert PriceBook().prices("nobody", at=DAY) is None


@pytest.mark.parametrize("wrong", ["2026-07-01", 1_780_000_000, None])
def test_a_day_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(ConfigurationError, match="aware datetime"):
        PriceBook().price(Usage(provider="x"), at=wrong)


def test_an_unknown_profile_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match=r"'cheap'.*reautomation2"):
        PriceBook(profile="cheap")


def test_what_is_remembered_of_prices_is_bounded() -> None:
    book = PriceBook({"x": {"input_tokens": 1}}, model_prices=False)
    for number in range(20_000):
        book.price(Usage(provider="x", model=f"model {number}", input_tokens=1), at=DAY)
    for number in range(1_000):
        book.per_call(DAY + timedelta(days=number))
    assert len(book._found) <= 8_192
    assert len(book._per_call) <= 101


def test_audio_from_a_cache_is_billed_as_cached_and_not_as_audio_too() -> None:
    own = {"x": {"input_tokens": 1, "cached_input_tokens": "0.1", "input_audio_tokens": 8}}
    tokens = {"input_tokens": 1000, "cached_input_tokens": 600, "input_audio_tokens": 800}
    assert {unit: Decimal(amount) for unit, amount in priced(PriceBook(own), provider="x", **tokens).items()} == {
        "cached_input_tokens": 60, "input_audio_tokens": 3200,
    }  # fmt: skip
    (spoken,) = PriceBook().price(
        Usage(
            provider="openai", model="gpt-realtime", input_tokens=900, cached_input_tokens=900, input_audio_tokens=900
        ),
        at=DAY,
    )
    assert spoken.unit == "cached_input_tokens"


@pytest.mark.parametrize(
    ("rates", "usage"),
    [
        ({"audio_seconds": 1}, {"minutes": Decimal(-1)}),
        ({"minutes": 1}, {"audio_seconds": Decimal(-1)}),
        ({"input_tokens": 1}, {"input_tokens": -1}),
    ],
)
def test_a_negative_usage_is_never_a_refund(rates: dict[str, Any], usage: dict[str, Any]) -> None:
    (detail,) = PriceBook({"x": rates}).price(Usage(provider="x", **usage), at=DAY)
    assert detail.amount == 0


def test_a_negative_part_does_not_make_its_whole_dearer() -> None:
    own = {"x": {"input_tokens": 1, "cached_input_tokens": "0.5"}}
    assert priced(PriceBook(own), provider="x", input_tokens=10, cached_input_tokens=-5) == {
        "input_tokens": "10.000000000000"
    }


def test_more_than_money_has_digits_for_is_unknown() -> None:
    assert priced(PriceBook({"x": {"minutes": 1}}), provider="x", minutes=Decimal("1e60")) == {"minutes": "unknown"}


def test_more_than_anybody_pays_is_unknown() -> None:
    book = PriceBook({"x": {"messages": 1}}, model_prices=False)
    assert priced(book, provider="x", messages=10**9) == {"messages": "1000000000.000000000000"}
    assert priced(book, provider="x", messages=10**9 + 1) == {"messages": "unknown"}


def test_a_part_without_a_price_whose_whole_was_not_told_is_not_lost() -> None:
    own = {"x": {"input_tokens": 1, "output_tokens": 1}}
    assert priced(PriceBook(own), provider="x", output_tokens=1, cached_input_tokens=100) == {
        "output_tokens": "1.000000000000",
        "cached_input_tokens": "unknown",
    }
