"""The cost collector: usage becomes cost details, by a price book."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import reamon
from reamon.collectors import CostCollector, PriceBook
from reamon.errors import ConfigurationError
from reamon.guard import guard
from reamon.model import CostData, Span, SpanKind, Usage
from reamon.testing import capture_spans, make_span

GPT = {"openai/gpt-4o": {"input_tokens": "0.0000025", "cached_input_tokens": "0.00000125", "output_tokens": "0.00001"}}
PER_CALL = {"own/infrastructure": {"calls": "0.001"}}


def costs(collector: CostCollector, span: Span) -> Sequence[CostData]:
    additions = collector.collect(span)
    return () if additions is None else additions.costs


def test_every_usage_of_a_span_has_a_detail_of_its_own() -> None:
    usage = Usage(provider="openai", model="gpt-4o", input_tokens=1000)
    span = make_span(kind=SpanKind.LLM, usage=(usage, usage))
    assert [cost.amount for cost in costs(CostCollector(GPT), span)] == [Decimal("0.0025")] * 2


def test_retries_that_were_billed_are_paid_each_by_its_own_model() -> None:
    first = Usage(provider="openai", model="gpt-4o", input_tokens=1000)
    second = Usage(provider="ollama", model="llama3", input_tokens=1000)
    details = costs(CostCollector(GPT), make_span(kind=SpanKind.LLM, usage=(first, second)))
    assert [(cost.model, cost.amount) for cost in details] == [("gpt-4o", Decimal("0.0025")), ("llama3", 0)]


def test_a_cost_that_the_application_stated_stands() -> None:
    usage = (Usage(provider="openai", model="gpt-4o", input_tokens=1000),)
    stated = (CostData(cost_type="llm", amount=Decimal("0.01")),)
    assert costs(CostCollector(GPT), make_span(kind=SpanKind.LLM, usage=usage, costs=stated)) == ()


def test_a_stated_cost_of_another_type_changes_nothing() -> None:
    usage = (Usage(provider="openai", model="gpt-4o", input_tokens=1000),)
    stated = (CostData(cost_type="infrastructure", amount=Decimal("0.001")),)
    (cost,) = costs(CostCollector(GPT), make_span(kind=SpanKind.LLM, usage=usage, costs=stated))
    assert cost.amount == Decimal("0.0025")


@pytest.mark.parametrize(
    ("kind", "usage", "cost_type"),
    [
        ("tts", {"requests": 1}, "tts"),
        ("retrieval", {"input_tokens": 1}, "retrieval"),
        ("agent", {"requests": 1}, "llm"),
        ("agent", {"input_tokens": 1}, "llm"),
        ("workflow", {"characters": 1}, "tts"),
        ("step", {"audio_seconds": Decimal(1)}, "stt"),
        ("step", {"minutes": Decimal(1)}, "telephony"),
        ("step", {"messages": 1}, "telephony"),
    ],
)
def test_the_cost_type_is_the_kind_and_of_what_only_encloses_what_was_used(
    kind: str, usage: dict[str, Any], cost_type: str
) -> None:
    (cost,) = costs(CostCollector(), make_span(kind=kind, usage=(Usage(provider="x", **usage),)))
    assert cost.cost_type == cost_type


def test_without_usage_nothing_is_added() -> None:
    root = make_span(kind="workflow", call_id="call-1")
    for span in (root, make_span(parent=root)):
        assert CostCollector(GPT).collect(span) is None


def test_by_itself_it_knows_what_models_cost_and_that_local_ones_cost_nothing() -> None:
    usages = (
        Usage(provider="anthropic", model="claude-opus-4-1", output_tokens=1000),
        Usage(provider="ollama", model="llama3", output_tokens=1000),
    )
    details = costs(CostCollector(), make_span(kind="llm", usage=usages))
    assert [cost.amount for cost in details] == [Decimal("0.075"), 0]


def test_usage_without_a_price_is_counted_by_provider_and_model() -> None:
    collector = CostCollector(model_prices=False)
    nobody = Usage(provider="nobody", model="m", input_tokens=1)
    assert costs(collector, make_span(usage=(nobody, nobody)))[0].amount is None
    costs(collector, make_span(usage=(Usage(input_tokens=1),)))
    costs(collector, make_span(usage=(Usage(provider="ollama", input_tokens=1),)))
    assert collector.unknown() == {"nobody/m": 2, "?/?": 1}


def test_what_is_counted_is_bounded() -> None:
    collector = CostCollector(model_prices=False)
    for number in range(3_000):
        collector.collect(make_span(usage=(Usage(provider=f"host-{number}", input_tokens=1),)))
    counted = collector.unknown()
    assert len(counted) == 1_001
    assert sum(counted.values()) == 3_000


def test_a_call_is_paid_for_once_however_many_turns_it_has() -> None:
    collector = CostCollector(PER_CALL)
    turns = [make_span("turn", "workflow", call_id=call) for call in ("a", "a", "b", "a")]
    details = [cost for turn in turns for cost in costs(collector, turn)]
    assert [(cost.cost_type, cost.amount) for cost in details] == [("infrastructure", Decimal("0.001"))] * 2


def test_a_call_is_paid_for_on_the_root_of_a_turn_and_only_where_there_is_a_call() -> None:
    collector = CostCollector(PER_CALL)
    turn = make_span("turn", "workflow", call_id="call-1")
    assert costs(collector, make_span("reply", "llm", parent=turn)) == ()
    assert costs(collector, make_span("job", "workflow")) == ()
    assert len(costs(collector, turn)) == 1


def test_a_call_for_which_the_application_stated_it_is_not_paid_for_again() -> None:
    collector = CostCollector(PER_CALL)
    turn = make_span("turn", "workflow", call_id="call-1")
    stated = (CostData(cost_type="infrastructure", amount=Decimal("0.002")),)
    assert costs(collector, make_span("dial", "step", parent=turn, costs=stated)) == ()
    assert costs(collector, turn) == ()


def test_the_day_that_counts_is_that_of_the_end() -> None:
    rates = {"x": [{"from": "1970-01-01", "characters": 1}, {"from": "1970-01-02", "characters": 2}]}
    second = 1_000_000_000
    before, after = 86_399 * second, 86_401 * second
    usage = (Usage(provider="x", characters=1),)
    (cost,) = costs(CostCollector(rates), make_span(usage=usage, start_ns=before, end_ns=after))
    assert cost.amount == 2


def test_a_price_book_or_a_file_will_do(tmp_path: Path) -> None:
    path = tmp_path / "rates.toml"
    path.write_text('[rates."openai/gpt-4o"]\ninput_tokens = 0.0000025\n')
    usage = (Usage(provider="openai", model="gpt-4o", input_tokens=1000),)
    for rates in (path, str(path), PriceBook(GPT)):
        assert costs(CostCollector(rates), make_span(usage=usage))[0].amount == Decimal("0.0025")


@pytest.mark.parametrize("beside", [{"profile": "reautomation2"}, {"model_prices": False}])
def test_what_a_price_book_decides_itself_is_refused_beside_it(beside: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="to PriceBook"):
        CostCollector(PriceBook(), **beside)


def test_wrong_rates_are_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="there is no unit or option 'tokens'"):
        CostCollector({"openai": {"tokens": 1}})


def test_a_recorded_usage_arrives_with_its_cost() -> None:
    with capture_spans(collectors=[CostCollector(GPT)]) as captured, reamon.trace_llm("chat") as span:
        span.record_usage(provider="openai", model="gpt-4o", input_tokens=1000, output_tokens=100)
    asked, told = captured.one("chat").costs
    assert (asked.unit, asked.amount) == ("input_tokens", Decimal("0.0025"))
    assert (told.unit, told.amount) == ("output_tokens", Decimal("0.001"))


def test_the_settings_say_how_the_collector_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rates.toml"
    path.write_text('[rates."acme"]\nfree = true\n')
    monkeypatch.setenv("REAMON_COSTS__RATES", str(path))
    monkeypatch.setenv("REAMON_COSTS__PROFILE", "reautomation2")
    with capture_spans(collectors="cost") as captured, reamon.trace_workflow("turn", call_id="call-1") as span:
        span.record_usage(provider="acme", input_tokens=1)
        span.record_usage(provider="openai", model="gpt-4", output_tokens=1000)
    details = captured.one("turn").costs
    assert [(cost.price_source, cost.amount) for cost in details] == [
        ("rates", 0), ("reautomation2", Decimal("0.03")), ("reautomation2", Decimal("0.001")),
    ]  # fmt: skip


def test_rates_that_cannot_be_read_end_configure_and_not_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_COSTS__RATES", "nowhere.toml")
    with pytest.raises(ConfigurationError, match=r"there is no file nowhere\.toml"):
        reamon.configure(exporters=[])


def test_a_usage_that_cannot_be_priced_does_not_take_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = CostCollector({"acme": {"input_tokens": 1}})
    price_at = collector.book.price_at

    def brittle(usage: Usage, *rest: Any, **more: Any) -> Any:
        if usage.model == "broken":
            raise LookupError("a price that was fetched makes no sense")
        return price_at(usage, *rest, **more)

    monkeypatch.setattr(collector.book, "price_at", brittle)
    usages = tuple(Usage(provider="acme", model=model, input_tokens=1) for model in ("broken", "good"))
    with guard.relaxed():
        additions = collector.collect(make_span(kind="llm", usage=usages))
    assert additions is not None
    assert [cost.amount for cost in additions.costs] == [None, 1]
    assert collector.unknown() == {"acme/broken": 1}


def test_a_call_that_goes_on_is_not_paid_for_again_however_many_others_there_are() -> None:
    collector = CostCollector({"own": {"calls": 1}})
    paid = 0
    for number in range(30_000):
        for call in ("long", f"call-{number}") if number % 1000 == 0 else (f"call-{number}",):
            additions = collector.collect(make_span(kind="workflow", call_id=call))
            paid += call == "long" and additions is not None
    assert paid == 1
