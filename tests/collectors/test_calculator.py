"""The cost calculator: what a call costs while it goes on, and where that is recorded."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal, localcontext
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reamon
from reamon.collectors import CostCalculator, CostCollector, PriceBook
from reamon.collectors.call_costs import Ledger
from reamon.errors import CostError, ReamonError
from reamon.exporters import MemoryExporter
from reamon.testing import Captured, capture_spans

KEYS = {"llm", "tts", "stt", "twilio", "infrastructure", "total"}


@pytest.fixture
def calculator() -> CostCalculator:
    return CostCalculator()


def stated(captured: Captured) -> list[tuple[str, str | None, str]]:
    return [(span.name, span.call_id, cost.cost_type) for span in captured.spans for cost in span.costs]


def test_a_call_from_its_beginning_to_its_end(calculator: CostCalculator) -> None:
    assert calculator.initialize_call_costs("call-1")["infrastructure"] == Decimal("0.001")
    assert calculator.calculate_llm_cost("call-1", "openai-gpt-4", 1000, 500) == Decimal("0.045")
    assert calculator.calculate_llm_cost("call-1", "openai-gpt-3.5", 1000, 500) == Decimal("0.003")
    assert calculator.calculate_llm_cost("call-1", "ollama", 1000, 500) == 0
    assert calculator.calculate_tts_cost("call-1", "elevenlabs", 310) == Decimal("0.062")
    assert calculator.calculate_tts_cost("call-1", "piper", 310) == 0
    assert calculator.calculate_stt_cost("call-1", "whisper-api", 2.5) == Decimal("0.015")
    assert calculator.calculate_stt_cost("call-1", "whisper-local", 2.5) == 0
    assert calculator.calculate_twilio_cost("call-1", 3) == Decimal("0.0255")
    assert calculator.calculate_twilio_cost("call-1", 0, sms_count=2) == Decimal("0.015")
    expected = {
        "llm": Decimal("0.048"),
        "tts": Decimal("0.062"),
        "stt": Decimal("0.015"),
        "twilio": Decimal("0.0405"),
        "infrastructure": Decimal("0.001"),
        "total": Decimal("0.1665"),
    }
    assert calculator.get_call_cost_breakdown("call-1") == expected
    assert calculator.get_total_call_cost("call-1") == expected["total"]
    assert calculator.finalize_call_costs("call-1") == expected
    assert all(type(amount) is Decimal for amount in calculator.get_call_cost_breakdown("call-1").values())


def test_a_call_begins_with_what_is_first_heard_of_it_and_begins_once(calculator: CostCalculator) -> None:
    calculator.calculate_tts_cost("call-1", "local", 10)
    calculator.initialize_call_costs("call-1")
    assert calculator.initialize_call_costs("call-1")["infrastructure"] == Decimal("0.001")


def test_calls_do_not_mix(calculator: CostCalculator) -> None:
    calculator.calculate_tts_cost("a", "elevenlabs", 1)
    calculator.calculate_tts_cost("b", "elevenlabs", 2)
    assert [calculator.get_call_cost_breakdown(call)["tts"] for call in "ab"] == [Decimal("0.0002"), Decimal("0.0004")]


@pytest.mark.parametrize(
    ("method", "arguments", "named"),
    [
        ("calculate_llm_cost", ("gpt-5", 1, 1), r"calculate_llm_cost\(\): .*'gpt-5'.*openai-gpt-4"),
        ("calculate_tts_cost", ("polly", 1), r"calculate_tts_cost\(\): .*'polly'.*elevenlabs"),
        ("calculate_stt_cost", ("deepgram", 1), r"calculate_stt_cost\(\): .*'deepgram'.*whisper-api"),
        ("calculate_tts_cost", ("openai-gpt-4", 1), "characters of the provider 'openai-gpt-4'"),
        ("calculate_llm_cost", ("ollama", -1, 1), "input_tokens = -1: it is not negative"),
        ("calculate_llm_cost", ("ollama", 1, 1.5), "output_tokens = 1.5: it has to be a whole number"),
        ("calculate_llm_cost", ("ollama", None, 1), "input_tokens: .*NoneType"),
        ("calculate_stt_cost", ("whisper-api", "long"), "minutes: 'long' is not a number"),
        ("calculate_twilio_cost", (float("nan"),), "minutes"),
        ("calculate_twilio_cost", (1, -1), "sms_count"),
    ],
)
def test_what_has_no_price_is_refused_by_name_and_charges_nothing(
    calculator: CostCalculator, method: str, arguments: tuple[Any, ...], named: str
) -> None:
    with pytest.raises(CostError, match=named):
        getattr(calculator, method)("call-1", *arguments)
    with pytest.raises(CostError, match="nothing is known of the costs of call 'call-1'"):
        calculator.get_call_cost_breakdown("call-1")


def test_nothing_is_known_of_a_call_that_never_was(calculator: CostCalculator) -> None:
    for ask in (calculator.get_call_cost_breakdown, calculator.get_total_call_cost, calculator.finalize_call_costs):
        with pytest.raises(ReamonError, match="'nobody'"):
            ask("nobody")


def test_the_rest_of_a_call_is_estimated_and_not_charged(calculator: CostCalculator) -> None:
    calculator.initialize_call_costs("call-1")
    assert calculator.estimate_remaining_cost("call-1", 2, 5, 500) == Decimal("0.017")  # 2 × 0.0085, all else local
    assert calculator.estimate_remaining_cost("call-1", 2, 5, 500, tier="premium") == Decimal("0.117")
    paid = calculator.estimate_remaining_cost(
        "call-1", 2, 5, 500, "premium", llm_provider="openai-gpt-4", stt_provider="whisper-api"
    )
    assert paid == Decimal("0.117") + 500 * Decimal("0.00003") + 2 * Decimal("0.006")
    assert calculator.get_total_call_cost("call-1") == Decimal("0.001")
    with pytest.raises(CostError, match=r"no tier 'gold'.*local, premium"):
        calculator.estimate_remaining_cost("call-1", 1, tier="gold")


def test_before_a_call_is_dialled_what_it_costs_anyway_is_estimated_too(calculator: CostCalculator) -> None:
    assert calculator.estimate_remaining_cost("not yet", 2) == Decimal("0.018")
    with pytest.raises(CostError):
        calculator.get_total_call_cost("not yet")


def test_costs_that_come_after_the_end_still_belong_to_the_call(calculator: CostCalculator) -> None:
    calculator.initialize_call_costs("call-1")
    calculator.finalize_call_costs("call-1")
    calculator.calculate_llm_cost("call-1", "openai-gpt-4", 1000, 0)
    assert calculator.get_total_call_cost("call-1") == Decimal("0.031")
    assert calculator.get_cost_summary()["total_finalized_cost"] == Decimal("0.031")


def test_the_summary_counts_all_calls_of_the_process(calculator: CostCalculator) -> None:
    assert calculator.get_cost_summary()["average_cost_per_call"] is None
    for call in ("a", "b", "c"):
        calculator.calculate_tts_cost(call, "elevenlabs", 100)
    for call in ("a", "b"):
        calculator.finalize_call_costs(call)
    assert calculator.get_cost_summary() == {
        "active_calls": 1,
        "finalized_calls": 2,
        "total_active_cost": Decimal("0.021"),
        "total_finalized_cost": Decimal("0.042"),
        "total_cost": Decimal("0.063"),
        "average_cost_per_call": Decimal("0.021"),
    }


def test_calls_that_are_over_leave_first_and_then_those_of_which_nothing_was_heard_for_longest() -> None:
    calculator = CostCalculator(max_calls=3)
    for call in ("a", "b", "c"):
        calculator.initialize_call_costs(call)
    calculator.finalize_call_costs("b")
    calculator.calculate_tts_cost("a", "local", 1)
    calculator.initialize_call_costs("d")  # takes the place of b
    calculator.initialize_call_costs("e")  # takes the place of c
    known = [call for call in "abcde" if is_known(calculator, call)]
    assert known == ["a", "d", "e"]
    assert calculator.get_cost_summary()["finalized_calls"] == 2  # b, and c, of which nothing more is known


def test_calls_leave_with_time() -> None:
    seconds = [0.0]
    calculator = CostCalculator(max_age=100, now=lambda: seconds[0])
    calculator.initialize_call_costs("forgotten")
    calculator.initialize_call_costs("over")
    calculator.finalize_call_costs("over")
    seconds[0] = 50
    assert calculator.cleanup_old_calls(max_age_hours=40 / 3600) == 1
    seconds[0] = 101
    calculator.initialize_call_costs("new")
    assert [is_known(calculator, call) for call in ("forgotten", "over", "new")] == [False, False, True]


def is_known(calculator: CostCalculator, call: str) -> bool:
    try:
        calculator.get_total_call_cost(call)
    except CostError:
        return False
    return True


def test_a_call_that_left_in_the_middle_of_it_loses_nothing_else() -> None:
    ledger = Ledger(("llm",), max_calls=1, max_age=1)
    ledger.add("gone", "llm", Decimal(1))
    assert ledger.of("gone") is None


def test_an_amount_is_recorded_on_the_current_span() -> None:
    with capture_spans() as captured, reamon.trace_agent("qualification"):
        CostCalculator().calculate_llm_cost("call-1", "openai-gpt-4", 1000, 200)
    assert stated(captured) == [("qualification", "call-1", kind) for kind in ("infrastructure", "llm", "llm")]
    infrastructure, asked, told = captured.one("qualification").costs
    assert (asked.provider, asked.model, asked.unit, asked.usage_units) == ("openai", "gpt-4", "input_tokens", 1000)
    assert (asked.price_source, asked.amount, told.amount) == ("reautomation2", Decimal("0.03"), Decimal("0.006"))
    assert infrastructure.unit == "calls"


def test_where_no_span_is_current_the_money_has_a_span_of_its_own() -> None:
    with capture_spans() as captured:
        CostCalculator().calculate_twilio_cost("call-1", 2, sms_count=1)
    assert stated(captured) == [
        ("infrastructure cost", "call-1", "infrastructure"),
        ("telephony cost", "call-1", "telephony"),
        ("telephony cost", "call-1", "telephony"),
    ]
    assert all(span.parent_id is None for span in captured.spans)


def test_the_span_of_another_call_does_not_pay() -> None:
    with capture_spans() as captured, reamon.trace_workflow("other", call_id="call-2") as other:
        CostCalculator().calculate_tts_cost("call-1", "elevenlabs", 5)
        assert reamon.current_span() is other
    assert {call for _, call, _ in stated(captured)} == {"call-1"}
    assert captured.one("other").costs == ()


def test_a_span_that_has_ended_does_not_pay() -> None:
    with capture_spans() as captured, reamon.trace_step("early", call_id="call-1") as span:
        span.end()
        CostCalculator().calculate_tts_cost("call-1", "elevenlabs", 5)
    assert "tts cost" in {name for name, _, _ in stated(captured)}


def test_what_is_suppressed_or_not_wanted_is_calculated_and_not_recorded() -> None:
    with capture_spans() as captured:
        with reamon.suppress():
            assert CostCalculator().calculate_tts_cost("call-1", "elevenlabs", 5) == Decimal("0.001")
        CostCalculator(record=False).calculate_tts_cost("call-1", "elevenlabs", 5)
    assert captured.spans == []


def test_the_recorded_parts_of_a_call_sum_to_what_the_calculator_says() -> None:
    calculator = CostCalculator()
    with capture_spans() as captured:
        for number in range(1, 40):
            with reamon.trace_workflow("turn", call_id="call-1"):
                calculator.calculate_llm_cost("call-1", "openai-gpt-3.5", number * 7, number)
                calculator.calculate_stt_cost("call-1", "whisper-api", number / 7)
        calculator.calculate_twilio_cost("call-1", "3.1415926535897932")
    recorded = sum(cost.amount or 0 for span in captured.spans for cost in span.costs)
    assert recorded == calculator.get_total_call_cost("call-1")


def test_beside_a_collector_that_charges_for_calls_the_call_is_paid_for_once() -> None:
    collector = CostCollector(profile="reautomation2")
    with capture_spans(collectors=[collector]) as captured:
        for _ in range(3):
            with reamon.trace_workflow("turn", call_id="call-1"):
                pass
            CostCalculator(PriceBook({"elevenlabs": {"characters": 1}})).calculate_tts_cost("call-1", "elevenlabs", 5)
    assert [kind for _, _, kind in stated(captured)].count("infrastructure") == 1


def test_rates_of_your_own_and_the_names_in_them() -> None:
    rates = {"openai/gpt-4o": {"per": 1000, "input_tokens": 1, "output_tokens": 2}, "acme": {"minutes": 1}}
    calculator = CostCalculator(rates, record=False)
    assert calculator.calculate_llm_cost("call-1", "openai/gpt-4o", 1000, 500) == 2
    assert calculator.calculate_stt_cost("call-1", "acme", 3) == 3
    assert calculator.get_call_cost_breakdown("call-1")["infrastructure"] == 0
    assert set(calculator.get_call_cost_breakdown("call-1")) == KEYS
    with pytest.raises(CostError, match="twilio/voice"):
        calculator.calculate_twilio_cost("call-1", 1)


def test_the_decimal_context_of_the_application_changes_nothing() -> None:
    calculator = CostCalculator(record=False)
    with localcontext(prec=2):
        calculator.calculate_llm_cost("call-1", "openai-gpt-3.5", 1234, 5678)
        calculator.calculate_stt_cost("call-1", "whisper-api", "1.2345")
        assert calculator.finalize_call_costs("call-1")["total"] == Decimal("0.022231")
        assert calculator.get_cost_summary()["average_cost_per_call"] == Decimal("0.022231")


def test_threads_lose_nothing() -> None:
    calculator = CostCalculator(record=False)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: calculator.calculate_tts_cost("call-1", "elevenlabs", 1), range(2_000)))
    assert calculator.get_call_cost_breakdown("call-1")["tts"] == Decimal("0.4")


def test_a_forked_child_makes_its_own_lock() -> None:
    calculator = CostCalculator(record=False)
    calculator.initialize_call_costs("call-1")
    with calculator._ledger._lock:  # as if another thread were in there while the process forks
        child = multiprocessing.get_context("fork").Process(target=_calculate_and_leave, args=(calculator,))
        child.start()
    child.join(20)
    assert child.exitcode == 0


def _calculate_and_leave(calculator: CostCalculator) -> None:
    os._exit(0 if calculator.calculate_tts_cost("call-1", "elevenlabs", 5) == Decimal("0.001") else 1)


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6), st.decimals(0, 1000, places=5)), max_size=20))
def test_the_categories_sum_to_the_total_and_no_amount_is_negative(steps: list[tuple[int, int, Decimal]]) -> None:
    calculator = CostCalculator(record=False)
    calculator.initialize_call_costs("call-1")
    paid = Decimal("0.001")
    for tokens, characters, minutes in steps:
        paid += calculator.calculate_llm_cost("call-1", "openai-gpt-4", tokens, characters)
        paid += calculator.calculate_tts_cost("call-1", "elevenlabs", characters)
        paid += calculator.calculate_stt_cost("call-1", "whisper-api", minutes)
    breakdown = calculator.get_call_cost_breakdown("call-1")
    assert breakdown["total"] == paid == sum(amount for key, amount in breakdown.items() if key != "total")
    assert min(breakdown.values()) >= 0


def test_the_costs_of_calls_that_were_forgotten_stay_in_the_summary() -> None:
    calculator = CostCalculator(max_calls=3, record=False)
    for number in range(10):
        calculator.calculate_tts_cost(f"call-{number}", "elevenlabs", 5)
    summary = calculator.get_cost_summary()
    assert summary["total_cost"] == 10 * Decimal("0.002")
    assert (summary["active_calls"], summary["finalized_calls"]) == (3, 7)


def test_a_call_that_was_forgotten_and_goes_on_is_not_paid_for_again() -> None:
    calculator = CostCalculator(max_calls=1)
    with capture_spans() as captured:
        for call in ("a", "b", "a"):
            calculator.calculate_tts_cost(call, "elevenlabs", 5)
    assert [kind for _, call, kind in stated(captured) if call == "a"].count("infrastructure") == 1
    assert calculator.get_cost_summary()["total_cost"] == Decimal("0.005")
    assert calculator.get_cost_summary()["finalized_calls"] == 1


@pytest.mark.parametrize("nobody", [None, "", "  "])
def test_a_call_without_an_id_is_refused_and_not_mixed_with_others(calculator: CostCalculator, nobody: Any) -> None:
    for ask in (
        lambda: calculator.initialize_call_costs(nobody),
        lambda: calculator.calculate_tts_cost(nobody, "elevenlabs", 5),
        lambda: calculator.estimate_remaining_cost(nobody, 5),
    ):
        with pytest.raises(CostError, match=r"call_id = .*: a call needs an id"):
            ask()
    assert calculator.get_cost_summary()["total_cost"] == 0


def test_names_may_be_enums_and_ids_anything_with_a_name(calculator: CostCalculator) -> None:
    names = Enum("names", {"CALL": "call-1", "VOICE": "elevenlabs"})
    with capture_spans() as captured, reamon.trace_step("turn", call_id=names.CALL):
        calculator.calculate_tts_cost(names.CALL, names.VOICE, 5)
    assert calculator.get_call_cost_breakdown("call-1")["tts"] == Decimal("0.001")
    assert {name for name, _, _ in stated(captured)} == {"turn"}
    assert calculator.initialize_call_costs(7) == calculator.initialize_call_costs("7")


@pytest.mark.parametrize("much", ["1e60", "1e999999", 10**30, Decimal("1e9999999")])
def test_an_amount_beyond_all_reason_is_refused_at_once(calculator: CostCalculator, much: Any) -> None:
    with pytest.raises(CostError, match=r"characters = .*: more than anyone uses"):
        calculator.calculate_tts_cost("call-1", "elevenlabs", much)
    with pytest.raises(CostError, match=r"minutes = .*: more than anyone uses"):
        calculator.calculate_stt_cost("call-1", "whisper-api", much)


def test_hours_that_are_none_are_refused(calculator: CostCalculator) -> None:
    with pytest.raises(CostError, match="max_age_hours"):
        calculator.cleanup_old_calls("long")


@pytest.fixture
def memory() -> MemoryExporter:
    exporter = MemoryExporter()
    reamon.configure(exporters=[exporter], collectors=[CostCollector(profile="reautomation2")])
    return exporter


def charged(memory: MemoryExporter) -> int:
    reamon.flush()
    return sum(cost.cost_type == "infrastructure" for span in memory.spans for cost in span.costs)


def test_a_call_whose_turns_were_traced_before_the_calculator_heard_of_it_is_paid_for_once(
    memory: MemoryExporter,
) -> None:
    with reamon.trace_workflow("turn", call_id="call-1"):
        pass
    reamon.flush()
    calculator = CostCalculator()
    calculator.calculate_twilio_cost("call-1", 2)  # the application hangs up, and says what that was
    assert charged(memory) == 1
    assert calculator.get_call_cost_breakdown("call-1")["infrastructure"] == Decimal("0.001")


def test_a_call_that_two_calculators_hear_of_in_a_turn_that_goes_on_is_paid_for_once(memory: MemoryExporter) -> None:
    with reamon.trace_workflow("turn", call_id="call-1"):
        CostCalculator().calculate_tts_cost("call-1", "elevenlabs", 5)
        with reamon.trace_workflow("analytics", call_id="call-1"):
            CostCalculator().calculate_tts_cost("call-1", "elevenlabs", 5)
        reamon.flush()  # it has ended, before what was stated for the call does
    assert charged(memory) == 1
