"""The handle of a running span: what it records, and that nothing it is given can hurt."""

import inspect
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reamon
from reamon.guard import guard
from reamon.model import CostBreakdown, Span
from reamon.model.usage import AMOUNTS, COUNTS
from reamon.testing import Captured, FakeClock, capture_spans
from reamon.testing.time import START_NS
from reamon.tracing import ActiveSpan, NoopSpan

SECOND = 1_000_000_000


class Agents(Enum):
    """Agents, as an application may name them."""

    SCHEDULER = "scheduler"


class Hostile:
    """Raises whatever one does with it."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"no {name}")


def str_or_type(value: object) -> str:
    """What a test of `value` is called."""
    return value if isinstance(value, str) and value.isalpha() else type(value).__name__


def recorded(**settings: Any) -> "Recording":
    return Recording(settings)


class Recording:
    """`with recorded() as span: ...`, and afterwards `.result` is its record."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._capturing = capture_spans(**settings)
        self._scope = reamon.trace_agent("agent")

    def __enter__(self) -> Any:
        self._captured = self._capturing.__enter__()
        return self._scope.__enter__()

    def __exit__(self, *raised: Any) -> None:
        self._scope.__exit__(*raised)
        self.result: Span = self._captured.one("agent")
        self._capturing.__exit__(None, None, None)


# -- who it is -------------------------------------------------------------------------------------------------------


def test_a_handle_knows_what_its_record_will_say(captured: Captured) -> None:
    with reamon.trace_workflow("turn", call_id="c-1") as turn, reamon.trace_tool("tool") as tool:
        assert isinstance(tool, ActiveSpan)
        assert tool.is_recording
        assert repr(tool) == f"<ActiveSpan tool 'tool' {tool.span_id}>"
        handle = (tool.span_id, tool.trace_id, tool.parent_id, tool.ancestors, tool.kind, tool.name, tool.call_id)
    assert not tool.is_recording
    span = captured.one("tool")
    assert handle == (
        span.span_id,
        span.trace_id,
        span.parent_id,
        span.ancestors,
        span.kind,
        span.name,
        span.call_id,
    )
    assert span.parent_id == turn.span_id == turn.trace_id
    assert turn.parent_id is None


def test_the_handle_that_does_nothing_has_everything_that_the_other_has() -> None:
    of_the_library = {*ActiveSpan.__struct_fields__, "lineage"}
    public = {name for name in dir(ActiveSpan) if not name.startswith("_")} - of_the_library
    assert public == {name for name in dir(NoopSpan) if not name.startswith("_")}
    handle = NoopSpan()
    for name in public:
        member = getattr(handle, name)
        if callable(member) and inspect.ismethod(member):
            assert member("anything", at="all") is None
    assert repr(handle) == "<NoopSpan>"


# -- attributes, events, states --------------------------------------------------------------------------------------


def test_attributes_are_captured_as_they_are_now() -> None:
    items = [1]
    with (recording := recorded()) as span:
        span.set_attribute("items", items)
        span.set_attributes({"a": 1, 2: math.nan, "when": datetime(2026, 1, 1, tzinfo=UTC)})
        items.append(2)
        span.set_attribute("a", "again")
    assert recording.result.attributes == {
        "items": [1],
        "a": "again",
        "2": "NaN",
        "when": "2026-01-01T00:00:00+00:00",
    }


def test_events_have_a_moment() -> None:
    clock = FakeClock()
    with (recording := recorded(clock=clock)) as span:
        clock.advance(1)
        span.add_event("retry", attempt=2, name="any", self="ish")
        clock.advance(1)
        span.add_event("bare")
    first, second = recording.result.events
    assert (first.name, first.time_ns, first.attributes) == (
        "retry",
        START_NS + SECOND,
        {"attempt": 2, "name": "any", "self": "ish"},
    )
    assert (second.name, second.time_ns, second.attributes) == ("bare", START_NS + 2 * SECOND, {})


def test_states_before_and_after_tell_the_truth_about_one_mutated_object() -> None:
    state = {"score": 0, "history": ["hello"]}
    with (recording := recorded()) as span:
        span.set_state(before=state)
        state["score"] = 1
        state["history"].append("yes")  # type: ignore[attr-defined]
        span.set_state(after=state)
    before, after = recording.result.state_before, recording.result.state_after
    assert before is not None
    assert after is not None
    assert before.value == {"score": 0, "history": ["hello"]}
    assert after.value == {"score": 1, "history": ["hello", "yes"]}


def test_an_argument_that_the_function_mutates_is_recorded_as_it_came(captured: Captured) -> None:
    @reamon.trace_agent
    def node(state: dict[str, int]) -> dict[str, int]:
        state["score"] = 1
        return state

    result = node({"score": 0})
    result["score"] = 2
    span = captured.one("node")
    assert span.input is not None
    assert span.output is not None
    assert (span.input.value, span.output.value) == ({"state": {"score": 0}}, {"score": 1})


def test_an_output_that_was_set_stands_against_what_is_returned(captured: Captured) -> None:
    @reamon.trace_agent
    def answer() -> str:
        reamon.current_span().set_input("mine")
        reamon.current_span().set_output("mine too")
        return "returned"

    answer()
    span = captured.one("answer")
    assert span.input is not None
    assert span.output is not None
    assert (span.input.value, span.output.value) == ("mine", "mine too")


def test_a_call_id_that_is_known_late_is_the_whole_traces(captured: Captured) -> None:
    with reamon.trace_workflow("turn"), reamon.trace_agent("agent"):
        reamon.current_span().set_call_id(4711)
    assert [span.call_id for span in captured.spans] == ["4711", "4711"]


def test_an_outcome_comes_with_attributes() -> None:
    with (recording := recorded()) as span:
        span.set_outcome("appointment", day="Monday")
    assert (recording.result.outcome, recording.result.attributes) == ("appointment", {"day": "Monday"})


def test_a_decision_is_recorded() -> None:
    with (recording := recorded()) as span:
        span.record_decision(next_agent=Agents.SCHEDULER, reasoning="budget", confidence=1, action=Agents.SCHEDULER)
    decision = recording.result.decision
    assert decision is not None
    assert (decision.next_agent, decision.reasoning, decision.confidence, decision.action) == (
        "scheduler",
        "budget",
        1.0,
        "scheduler",
    )


# -- status ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["ok", "degraded", "error", "cancelled"])
def test_a_status_may_be_set_with_a_reason(status: str) -> None:
    with (recording := recorded()) as span:
        span.set_status(status, "because")
    assert (recording.result.status, recording.result.status_reason) == (status, "because")


@pytest.mark.parametrize("status", ["running", "interrupted", "fine", "", None, 5, ["ok"], Hostile()], ids=str_or_type)
def test_another_status_is_counted_and_changes_nothing(status: Any) -> None:
    before = guard.errors
    with (recording := recorded(strict=False)) as span:
        span.set_status("degraded", "before")
        span.set_status(status)
    assert guard.errors == before + 1
    assert (recording.result.status, recording.result.status_reason) == ("degraded", "before")


def test_a_status_stands_unless_an_exception_leaves(captured: Captured) -> None:
    @reamon.trace_agent
    def divide() -> float:
        reamon.current_span().set_status("degraded", "slow")
        return 1 / 0

    with pytest.raises(ZeroDivisionError):
        divide()
    assert captured.one("divide").status == "error"


def test_an_error_that_was_handled_is_recorded_and_makes_the_status() -> None:
    with (recording := recorded()) as span:
        try:
            raise TimeoutError("no answer within 500 ms")
        except TimeoutError as error:
            span.record_error(error)
    result = recording.result
    assert result.error is not None
    assert (result.status, result.error.type, result.error.message) == (
        "error",
        "TimeoutError",
        "no answer within 500 ms",
    )
    assert "raise TimeoutError" in result.error.stack


@pytest.mark.parametrize("status_first", [True, False])
def test_a_status_of_ones_own_wins_over_a_recorded_error(status_first: bool) -> None:
    with (recording := recorded()) as span:
        if status_first:
            span.set_status("degraded")
        span.record_error(TimeoutError())
        if not status_first:
            span.set_status("degraded")
    assert recording.result.status == "degraded"
    assert recording.result.error is not None


# -- usage and cost --------------------------------------------------------------------------------------------------


def test_usage_has_what_applies_and_nothing_else() -> None:
    with (recording := recorded()) as span:
        span.record_usage(provider="openai", model="gpt-4o", input_tokens=10, output_tokens=None)
        span.record_usage(provider="twilio", minutes=1.5, audio_seconds="2.50")
    chat, call = recording.result.usage
    assert (chat.provider, chat.model, chat.input_tokens, chat.output_tokens) == ("openai", "gpt-4o", 10, None)
    assert (call.minutes, call.audio_seconds) == (Decimal("1.5"), Decimal("2.50"))


@pytest.mark.parametrize("name", [*COUNTS, *AMOUNTS])
def test_every_unit_can_be_recorded(name: str) -> None:
    with (recording := recorded()) as span:
        span.record_usage(**{name: 3})
    (usage,) = recording.result.usage
    assert getattr(usage, name) == 3


@pytest.mark.parametrize(
    "wrong", [{"tokens": 5}, {"input_tokens": -1}, {"input_tokens": "many"}, {"minutes": math.nan}]
)
def test_a_wrong_amount_is_counted_and_the_others_are_kept(wrong: dict[str, Any]) -> None:
    before = guard.errors
    with (recording := recorded(strict=False)) as span:
        span.record_usage(provider="openai", output_tokens=7, **wrong)
    assert guard.errors == before + 1
    (usage,) = recording.result.usage
    assert (usage.output_tokens, usage.input_tokens, usage.minutes) == (7, None, None)


def test_a_stated_cost_is_rounded_once_half_to_even() -> None:
    with (recording := recorded()) as span:
        span.record_cost("0.0000000000025", cost_type="llm", provider="openai", model="gpt-4o")
        span.record_cost(0.1, cost_type="tts", usage_units=10, unit="characters", unit_cost="0.01")
        span.record_cost(None, cost_type="sms")
    llm, tts, sms = recording.result.costs
    assert (llm.amount, llm.provider, llm.model, llm.price_source) == (Decimal("2E-12"), "openai", "gpt-4o", "stated")
    assert (tts.amount, tts.usage_units, tts.unit, tts.unit_cost) == (Decimal("0.1"), 10, "characters", Decimal("0.01"))
    assert sms.amount is None


def test_a_cost_that_nobody_can_have_paid_is_unknown_and_told() -> None:
    before = guard.errors
    with (recording := recorded(strict=False)) as span:
        for amount in (10**9, 10**9 + 1, Decimal("1e25")):
            span.record_cost(amount, cost_type="llm")
    assert [cost.amount for cost in recording.result.costs] == [Decimal(10**9), None, None]
    assert guard.errors == before + 2


@settings(max_examples=25)
@given(st.lists(st.tuples(st.sampled_from(["llm", "tts"]), st.decimals(0, 10**6, places=12)), max_size=6))
def test_stated_costs_keep_keys_of_their_own_and_sum_exactly(costs: list[tuple[str, Decimal]]) -> None:
    with (recording := recorded()) as span:
        for cost_type, amount in costs:
            span.record_cost(amount, cost_type=cost_type)
    details = recording.result.costs
    assert len({(detail.cost_type, detail.price_version) for detail in details}) == len(costs)
    total = CostBreakdown.of(details).total
    assert Fraction(total or 0) == sum(Fraction(amount) for _, amount in costs)


# -- times -----------------------------------------------------------------------------------------------------------


def test_waits_add_up() -> None:
    with (recording := recorded()) as span:
        span.record_wait(0.25)
        span.record_wait(Decimal("0.5"))
        span.record_wait(-3)
    assert recording.result.queue_wait_ns == 750_000_000


def test_only_the_first_token_counts() -> None:
    clock = FakeClock()
    with (recording := recorded(clock=clock)) as span:
        clock.advance(0.5)
        span.mark_first_token()
        clock.advance(0.5)
        span.mark_first_token()
    assert recording.result.first_token_ns == 500_000_000


# -- wrong arguments -------------------------------------------------------------------------------------------------

ATTACKS: dict[str, Callable[[Any], Any]] = {
    "attribute without a value": lambda span: span.set_attribute("key"),
    "attribute with a key without text": lambda span: span.set_attribute(Hostile(), 1),
    "attributes that are none": lambda span: span.set_attributes(5),
    "attributes with a key without text": lambda span: span.set_attributes({1: 1} | dict.fromkeys([Unspeakable()])),
    "event without a name": lambda span: span.add_event(),
    "event of a name without text": lambda span: span.add_event(Hostile()),
    "too many states": lambda span: span.set_state(1, 2, 3),
    "call id without text": lambda span: span.set_call_id(Hostile()),
    "no call id": lambda span: span.set_call_id(),
    "outcome without text": lambda span: span.set_outcome(Hostile()),
    "usage by position": lambda span: span.record_usage(100, 20),
    "usage of a provider without text": lambda span: span.record_usage(provider=Hostile(), input_tokens=1),
    "usage of infinitely many tokens": lambda span: span.record_usage(input_tokens=math.inf),
    "usage of hostile tokens": lambda span: span.record_usage(input_tokens=Hostile()),
    "cost without a type": lambda span: span.record_cost(1),
    "cost that is no number": lambda span: span.record_cost("a lot", cost_type="llm"),
    "cost that is NaN": lambda span: span.record_cost(math.nan, cost_type="llm"),
    "cost that is negative": lambda span: span.record_cost(-1, cost_type="llm"),
    "cost beyond all bounds": lambda span: span.record_cost("1e999999", cost_type="llm"),
    "cost of a hostile type": lambda span: span.record_cost(1, cost_type=Hostile()),
    "wait that is no number": lambda span: span.record_wait("long"),
    "endless wait": lambda span: span.record_wait(math.inf),
    "wait of NaN": lambda span: span.record_wait(math.nan),
    "first token with an argument": lambda span: span.mark_first_token(5),
    "decision by position": lambda span: span.record_decision("scheduler"),
    "decision without text": lambda span: span.record_decision(reasoning=Hostile()),
    "decision of a confidence that is none": lambda span: span.record_decision(confidence="sure"),
    "decision for an agent without text": lambda span: span.record_decision(next_agent=Hostile()),
    "no error": lambda span: span.record_error(),
    "input without a value": lambda span: span.set_input(),
    "too much output": lambda span: span.set_output(1, 2),
    "status of a reason without text": lambda span: span.set_status("ok", Hostile()),
}


class Unspeakable:
    """Can be a key, and has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_wrong_arguments_are_contained_and_counted_and_the_span_arrives(attack: Callable[[Any], Any]) -> None:
    before = guard.errors
    with (recording := recorded(strict=False)) as span:
        span.set_attribute("before", 1)
        assert attack(span) is None
        span.set_attribute("after", 2)
    assert guard.errors == before + 1
    result = recording.result
    assert result.status == "ok"
    assert (result.attributes["before"], result.attributes["after"]) == (1, 2)


HOSTILE_VALUES = [Hostile(), math.nan, b"x", "\ud800", 10**400, lambda: None, (_ for _ in ()), {Hostile: Hostile()}]


@pytest.mark.parametrize("value", HOSTILE_VALUES, ids=str_or_type)
def test_hostile_values_are_recorded_as_well_as_they_can_be(value: Any) -> None:
    with (recording := recorded()) as span:
        span.set_input(value)
        span.set_output([value])
        span.set_state(before={"a": value}, after=value)
        span.set_attribute("value", value)
        span.add_event("event", value=value)
    result = recording.result
    for payload in (result.input, result.output, result.state_before, result.state_after):
        assert payload is not None
        assert payload.raw
    assert "value" in result.attributes
    assert "value" in result.events[0].attributes


@pytest.mark.parametrize("field", ["provider", "model", "unit", "price_source", "price_version", "effective_date"])
def test_whatever_a_cost_is_labelled_with_becomes_text(field: str) -> None:
    with (recording := recorded(strict=False)) as span:
        span.record_cost(1, cost_type="llm", **{field: Agents.SCHEDULER})
    (cost,) = recording.result.costs
    assert getattr(cost, field) == "scheduler"


# -- after the end ---------------------------------------------------------------------------------------------------


def test_what_comes_after_the_end_is_too_late_and_ignored(captured: Captured) -> None:
    span = reamon.start_span("step", "over")
    span.set_attribute("in time", 1)
    span.end()
    span.set_input("late")
    span.set_output("late")
    span.set_attribute("late", 1)
    span.add_event("late")
    span.set_status("degraded")
    span.record_usage(input_tokens=1)
    span.record_error(ValueError("late"))
    span.mark_first_token()
    result = captured.one("over")
    assert (result.input, result.output, result.attributes, result.events) == (None, None, {"in time": 1}, ())
    assert (result.status, result.usage, result.error, result.first_token_ns) == ("ok", (), None, None)


def test_a_record_never_changes(captured: Captured) -> None:
    span = reamon.start_span("step", "over")
    span.set_attribute("in time", 1)
    span.end()
    result = captured.one("over")
    span.set_attribute("late", 1)
    assert result.attributes == {"in time": 1}


def test_a_call_id_may_come_after_the_end_for_the_spans_that_follow(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        child = reamon.start_span("step", "child")
        child.end()
        child.set_call_id("c-1")
        assert turn.call_id == "c-1"


def test_a_handle_that_outlives_recording_takes_no_harm(captured: Captured) -> None:
    span = reamon.start_span("step", "outlives")
    reamon.shutdown()
    span.add_event("late")
    span.mark_first_token()
    span.set_output(1)
    span.end()
    assert span.is_recording
