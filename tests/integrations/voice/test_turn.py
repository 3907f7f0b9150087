"""A voice turn takes events as they come, and says what the caller waited for."""

import asyncio
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reamon
from reamon.collectors import CostCollector
from reamon.exporters import MemoryExporter
from reamon.guard import guard
from reamon.integrations import VoiceTurn
from reamon.model import Span, Usage
from reamon.testing import Captured, FakeClock, capture_spans
from reamon.testing.time import START_NS


def outline(captured: Captured) -> list[tuple[Any, ...]]:
    """Every span as `(kind, name, parent's name, start, end, status)`, in milliseconds from the clock's start."""
    spans = sorted(captured.spans, key=lambda span: (span.start_ns, span.span_id))
    names = {span.span_id: span.name for span in spans}

    def row(span: Span) -> tuple[Any, ...]:
        assert span.end_ns is not None
        moments = [round((moment - START_NS) / 1_000_000) for moment in (span.start_ns, span.end_ns)]
        return (span.kind.value, span.name, names.get(span.parent_id or ""), *moments, span.status.value)

    return [row(span) for span in spans]


def of_voice(captured: Captured, name: str = "turn") -> dict[str, Any]:
    """What the turn says about itself."""
    return {key.removeprefix("reamon.voice."): value for key, value in captured.one(name).attributes.items()}


def test_a_whole_turn_is_recorded_with_its_spans_and_its_breakdown(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn(call_id="call-1", number=3)
    turn.user_started()
    clock.advance(2.0)
    turn.user_stopped()
    clock.advance(0.180)
    turn.stt_final("What is my house worth?", provider="deepgram", model="nova-3", audio_seconds="2.0")
    clock.advance(0.020)
    turn.agent_started("conversation")
    turn.model_started("chat")
    clock.advance(0.300)
    turn.model_first_token()
    clock.advance(0.050)
    turn.tts_started("About half a million.")
    clock.advance(0.100)
    turn.tts_first_byte()
    turn.model_ended("About half a million.", provider="openai", model="gpt-4o", input_tokens=90, output_tokens=7)
    turn.agent_ended("About half a million.")
    clock.advance(0.030)
    turn.bot_started()
    turn.tts(characters=21, provider="elevenlabs", model="eleven_flash_v2_5")
    clock.advance(0.200)
    turn.tts_ended()
    clock.advance(1.500)
    turn.bot_stopped()
    turn.end()

    assert outline(captured) == [
        ("workflow", "turn", None, 0, 4380, "ok"),
        ("stt", "stt", "turn", 2000, 2180, "ok"),
        ("agent", "conversation", "turn", 2200, 2650, "ok"),
        ("llm", "chat", "conversation", 2200, 2650, "ok"),
        ("tts", "tts", "turn", 2550, 2880, "ok"),
    ]
    assert of_voice(captured) == {
        "turn": 3,
        "stt_ms": 180.0,
        "handover_ms": 20.0,
        "model_ms": 300.0,
        "tts_ms": 150.0,
        "playback_ms": 30.0,
        "response_latency_ms": 650.0,
        "user_speech_ms": 2000.0,
        "bot_speech_ms": 1700.0,
    }
    whole = captured.one("turn")
    assert whole.call_id == "call-1"
    assert whole.input is not None
    assert whole.input.value == {"text": "What is my house worth?"}
    assert whole.output is not None
    assert whole.output.value == "About half a million."
    assert captured.one("chat").first_token_ns == 300_000_000
    assert captured.one("tts").first_token_ns == 100_000_000
    assert captured.one("stt").usage == (Usage(provider="deepgram", model="nova-3", audio_seconds=Decimal("2.0")),)
    assert captured.one("tts").usage == (Usage(provider="elevenlabs", model="eleven_flash_v2_5", characters=21),)
    assert captured.one("chat").usage == (
        Usage(provider="openai", model="gpt-4o", input_tokens=90, output_tokens=7),
    )  # fmt: skip


def test_times_that_the_application_gives_count(captured: Captured) -> None:
    start = START_NS / 1e9
    turn = VoiceTurn(at=start + 1)
    turn.user_stopped(at=start + 3)
    turn.stt_final("Yes", at=start + 3.25)
    turn.tts_first_byte(at=START_NS + 4_000_000_000)
    turn.end(at=start + 5)
    assert outline(captured) == [
        ("workflow", "turn", None, 1000, 5000, "ok"),
        ("stt", "stt", "turn", 3000, 3250, "ok"),
        ("tts", "tts", "turn", 4000, 5000, "ok"),
    ]
    assert of_voice(captured) == {"stt_ms": 250.0, "response_latency_ms": 1000.0}


def test_a_turn_without_any_event_is_a_turn(captured: Captured) -> None:
    VoiceTurn().end()
    assert outline(captured) == [("workflow", "turn", None, 0, 0, "ok")]
    assert of_voice(captured) == {}


def test_repeated_events_count_once(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    for event in (turn.user_stopped, turn.agent_started, turn.model_first_token, turn.tts_first_byte, turn.bot_started):
        event()
        clock.advance(0.1)
        event()
    turn.agent_started("qualification")
    clock.advance(0.1)
    turn.agent_started("qualification")
    turn.end()
    turn.end()
    assert of_voice(captured)["response_latency_ms"] == 300.0
    assert [row[:5] for row in outline(captured) if row[0] == "agent"] == [("agent", "qualification", "turn", 500, 600)]


def test_the_last_part_of_a_transcript_before_the_agent_starts_is_the_final_one(
    captured: Captured, clock: FakeClock
) -> None:
    turn = VoiceTurn()
    turn.user_stopped()
    clock.advance(0.1)
    turn.stt_final("It has", provider="deepgram", audio_seconds=1)
    clock.advance(0.1)
    turn.stt_final("three rooms", provider="deepgram", audio_seconds=2)
    turn.agent_started()
    clock.advance(0.1)
    turn.stt_final("and a garden", provider="deepgram", audio_seconds=1)
    turn.end()
    assert of_voice(captured) == {"stt_ms": 200.0, "handover_ms": 0.0}
    assert [sum(usage.audio_seconds or 0 for usage in span.usage) for span in captured.named("stt")] == [1, 2, 1]
    whole = captured.one("turn")
    assert whole.input is not None
    assert whole.input.value == {"text": "It has three rooms and a garden"}


def test_a_transcript_before_the_end_of_speech_began_with_the_speech(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    clock.advance(0.5)
    turn.user_started()
    clock.advance(1.0)
    turn.stt_final("Hello")
    clock.advance(0.2)
    turn.user_stopped()
    turn.end()
    assert outline(captured)[1] == ("stt", "stt", "turn", 500, 1500, "ok")
    assert of_voice(captured) == {"stt_ms": 0.0, "user_speech_ms": 1200.0}


def test_a_hand_over_between_agents_makes_a_span_of_each(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    turn.agent_started("conversation")
    clock.advance(0.1)
    turn.agent_started("scheduler")
    turn.model_ended(provider="ollama", model="llama3", input_tokens=5)
    clock.advance(0.1)
    turn.end()
    assert outline(captured)[1:] == [
        ("agent", "conversation", "turn", 0, 100, "ok"),
        ("llm", "model", "scheduler", 0, 100, "ok"),
        ("agent", "scheduler", "turn", 100, 200, "ok"),
    ]
    assert [span.execution_order for span in captured.spans if span.kind == "agent"] == [1, 2]


# -- the agent runs below the turn -------------------------------------------------------------------------------------


@reamon.trace_agent
async def conversation(text: str) -> str:
    """An agent that is traced by itself."""
    return await chat(text)


@reamon.trace_llm
async def chat(text: str) -> str:
    """A model call of its own."""
    reamon.current_span().record_usage(provider="openai", model="gpt-4o", input_tokens=len(text))
    return "Good morning"


async def test_an_agent_that_is_traced_by_itself_runs_below_the_turn(captured: Captured) -> None:
    turn = VoiceTurn(call_id="call-7")
    with turn.agent() as span:
        assert reamon.current_span() is span is turn.span
        await conversation("Hello")
    assert reamon.current_trace_id() == ""
    turn.end()
    assert [row[:3] for row in outline(captured)] == [
        ("workflow", "turn", None),
        ("agent", "conversation", "turn"),
        ("llm", "chat", "conversation"),
    ]
    assert {span.call_id for span in captured.spans} == {"call-7"}


def test_a_named_agent_is_a_span_of_its_own(captured: Captured) -> None:
    turn = VoiceTurn()
    with turn.agent("qualification") as span:
        span.record_decision(next_agent="scheduler")
        turn.model_first_token()
        turn.model_ended(provider="openai", input_tokens=1)
    turn.end()
    agent = captured.one("qualification")
    assert agent.kind == "agent"
    assert agent.decision is not None
    assert captured.one("model").parent_id == agent.span_id


async def test_turns_at_once_do_not_mix(captured: Captured) -> None:
    async def serve(call_id: str) -> None:
        turn = VoiceTurn(call_id=call_id)
        with turn.agent():
            await asyncio.sleep(0)
            await conversation(call_id)
        turn.end()

    await asyncio.gather(*(serve(f"call-{number}") for number in range(20)))
    for agent in captured.named("conversation"):
        assert agent.input is not None
        assert agent.input.value == {"text": agent.call_id}
    assert len(captured.named("conversation")) == 20


def test_a_failed_agent_degrades_the_turn_and_its_error_goes_on(captured: Captured) -> None:
    turn = VoiceTurn()
    with pytest.raises(ValueError, match="no such slot"), turn.agent("scheduler"):
        raise ValueError("no such slot")
    turn.tts(text="I am sorry, could you say that again?")
    turn.end()
    assert captured.one("scheduler").status == "error"
    whole = captured.one("turn")
    assert (whole.status, whole.status_reason) == ("degraded", "the agent failed: ValueError: no such slot")
    assert whole.output is not None
    assert whole.output.value == "I am sorry, could you say that again?"


def test_an_agent_that_is_reported_to_have_failed_degrades_the_turn(captured: Captured) -> None:
    turn = VoiceTurn()
    turn.agent_started("scheduler")
    turn.agent_ended(error=TimeoutError("10 s"))
    turn.end()
    assert captured.one("scheduler").status == "error"
    assert captured.one("turn").status == "degraded"


async def test_an_agent_that_is_cancelled_by_a_barge_in_degrades_nothing(captured: Captured) -> None:
    turn = VoiceTurn()

    async def think() -> None:
        with turn.agent("conversation"):
            await asyncio.sleep(60)

    task = asyncio.create_task(think())
    await asyncio.sleep(0)
    turn.interrupted()
    task.cancel()
    await asyncio.wait([task])
    turn.end()
    assert captured.one("conversation").status == "cancelled"
    assert captured.one("turn").status == "ok"


def test_whatever_else_belongs_to_the_turn_can_run_below_it(captured: Captured) -> None:
    turn = VoiceTurn()
    with turn.current(), reamon.trace_tool("look up"):
        pass
    turn.end()
    assert captured.one("look up").parent_id == captured.one("turn").span_id


def test_an_error_that_the_turn_is_ended_with_is_recorded(captured: Captured) -> None:
    with pytest.raises(ConnectionError), VoiceTurn():
        raise ConnectionError("the media stream broke")
    error = captured.one("turn").error
    assert error is not None
    assert error.message == "the media stream broke"
    assert captured.one("turn").status == "error"


# -- the caller interrupts ---------------------------------------------------------------------------------------------


def test_a_barge_in_cuts_short_what_runs_and_says_how_much_was_heard(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    turn.user_stopped()
    turn.agent_started("conversation")
    clock.advance(0.5)
    turn.tts_first_byte()
    clock.advance(0.8)
    turn.user_started()
    turn.interrupted()
    clock.advance(0.3)
    turn.tts(characters=120, provider="elevenlabs")
    turn.end()
    assert outline(captured) == [
        ("workflow", "turn", None, 0, 1600, "ok"),
        ("agent", "conversation", "turn", 0, 1300, "cancelled"),
        ("tts", "tts", "turn", 0, 1300, "cancelled"),
    ]
    assert of_voice(captured) == {"response_latency_ms": 500.0, "bot_speech_ms": 800.0, "interrupted": True}
    assert captured.one("tts").status_reason == "the caller interrupted"
    assert captured.one("tts").usage == (Usage(provider="elevenlabs", characters=120),)


def test_who_speaks_after_the_reply_was_played_does_not_interrupt(captured: Captured) -> None:
    turn = VoiceTurn()
    turn.tts_first_byte()
    turn.bot_stopped()
    turn.user_started()
    turn.end()
    assert "interrupted" not in of_voice(captured)
    assert captured.one("tts").status == "ok"


def test_who_goes_on_speaking_before_the_reply_waits_from_when_they_stop_again(
    captured: Captured, clock: FakeClock
) -> None:
    turn = VoiceTurn()
    turn.user_started()
    clock.advance(1)
    turn.user_stopped()
    clock.advance(0.2)
    turn.stt_final("I would sell")
    turn.agent_started("conversation")
    clock.advance(0.1)
    turn.user_started()
    clock.advance(1)
    turn.user_stopped()
    clock.advance(0.3)
    turn.stt_final("if the price is right")
    turn.agent_started("conversation")
    clock.advance(0.4)
    turn.tts_first_byte()
    turn.end()
    voice = of_voice(captured)
    assert (voice["stt_ms"], voice["response_latency_ms"], voice["resumed"]) == (300.0, 700.0, 1)
    assert [row[3:] for row in outline(captured) if row[0] == "agent"] == [
        (1200, 1300, "cancelled"),
        (2600, 3000, "ok"),
    ]
    whole = captured.one("turn")
    assert whole.input is not None
    assert whole.input.value == {"text": "I would sell if the price is right"}


def test_the_start_of_speech_may_be_reported_after_its_end(captured: Captured) -> None:
    turn = VoiceTurn(at=START_NS)
    turn.user_stopped(at=START_NS + 2_000_000_000)
    turn.user_started(at=START_NS + 500_000_000)
    turn.end(at=START_NS + 3_000_000_000)
    assert of_voice(captured) == {"user_speech_ms": 1500.0}


# -- after the end, and without one ------------------------------------------------------------------------------------


def test_what_was_consumed_is_billed_even_after_the_end(captured: Captured) -> None:
    turn = VoiceTurn(call_id="call-1")
    turn.end()
    turn.tts(characters=40, provider="elevenlabs")
    turn.stt_final("late", provider="deepgram", audio_seconds=3)
    turn.model_ended(provider="openai", model="gpt-4o", output_tokens=8)
    for event in (turn.user_started, turn.user_stopped, turn.interrupted, turn.agent_started, turn.model_started):
        event()
    for event in (turn.model_first_token, turn.tts_started, turn.tts_first_byte, turn.tts_ended, turn.bot_started):
        event()
    turn.agent_started("too late")
    turn.agent_ended("too late")
    whole = captured.one("turn")
    late = [span for span in captured.spans if span is not whole]
    assert sorted((span.kind.value, span.parent_id, len(span.usage)) for span in late) == [
        ("llm", whole.span_id, 1),
        ("stt", whole.span_id, 1),
        ("tts", whole.span_id, 1),
    ]
    assert of_voice(captured) == {}


def test_speech_that_was_counted_after_its_end_is_billed_on_its_span(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    turn.tts_started("First.")
    clock.advance(0.1)
    turn.tts_ended()
    turn.tts(characters=6, provider="elevenlabs")
    clock.advance(0.1)
    turn.tts_started("Second.")
    turn.tts(characters=7, provider="elevenlabs")
    turn.end()
    assert [(row[3], row[4]) for row in outline(captured) if row[0] == "tts"] == [(0, 100), (200, 200)]
    assert [[usage.characters for usage in span.usage] for span in captured.named("tts")] == [[6], [7]]


def test_a_turn_that_is_dropped_ends_at_its_last_event(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn(call_id="call-1")
    clock.advance(1)
    turn.user_stopped()
    turn.agent_started("conversation")
    clock.advance(60)
    del turn
    gc.collect()
    assert outline(captured) == [
        ("workflow", "turn", None, 0, 1000, "cancelled"),
        ("agent", "conversation", "turn", 1000, 1000, "ok"),
    ]
    assert captured.one("turn").status_reason == "the turn was dropped without an end"


def test_a_turn_that_was_ended_is_dropped_without_a_trace(captured: Captured) -> None:
    turn = VoiceTurn()
    turn.end()
    del turn
    gc.collect()
    assert captured.one("turn").status == "ok"


def test_the_next_turn_ends_this_one_and_counts_on(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn(call_id="call-1", number=1, name="reply", capture=False)
    clock.advance(1)
    following = turn.next()
    following.stt_final("secret")
    following.end()
    assert [(span.name, span.call_id, span.attributes["reamon.voice.turn"]) for span in captured.named("reply")] == [
        ("reply", "call-1", 1),
        ("reply", "call-1", 2),
    ]
    assert following.number == 2


def test_no_text_is_recorded_where_that_is_not_wanted(captured: Captured) -> None:
    turn = VoiceTurn(capture=False)
    turn.stt_final("my number is 555")
    turn.agent_started("conversation")
    turn.model_ended("your number is 555", input_tokens=1)
    turn.agent_ended("your number is 555")
    turn.tts_started("your number is 555")
    turn.tts(text="your number is 555")
    turn.end()
    assert [(span.input, span.output) for span in captured.spans] == [(None, None)] * 5
    assert captured.one("tts").usage == (Usage(characters=18),)


def test_what_was_consumed_may_be_told_apart_from_the_events(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    turn.user_stopped()
    clock.advance(0.1)
    turn.stt_final("Hello")
    turn.agent_started()
    clock.advance(0.2)
    turn.model_first_token()
    turn.model(provider="openai", input_tokens=9)
    clock.advance(0.2)
    turn.model_ended("Good morning")
    turn.model(provider="openai", output_tokens=2)
    turn.stt(provider="deepgram", audio_seconds="1.5")
    turn.end()
    turn.stt(provider="deepgram", minutes="0.1")
    turn.model(provider="openai", reasoning_tokens=4)
    assert outline(captured)[:3] == [
        ("workflow", "turn", None, 0, 500, "ok"),
        ("stt", "stt", "turn", 0, 100, "ok"),
        ("llm", "model", "turn", 100, 500, "ok"),
    ]
    first_call, late_call = captured.named("model")
    assert first_call.usage == (Usage(provider="openai", input_tokens=9), Usage(provider="openai", output_tokens=2))
    assert first_call.first_token_ns == 200_000_000
    assert late_call.usage == (Usage(provider="openai", reasoning_tokens=4),)
    assert [span.usage[0].audio_seconds for span in captured.named("stt")] == [Decimal("1.5"), None]


def test_a_reply_that_pauses_is_one_reply(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    turn.bot_started()
    clock.advance(1)
    turn.bot_stopped()
    clock.advance(2)
    turn.bot_started()
    clock.advance(1)
    turn.user_started()
    turn.end()
    assert of_voice(captured) == {"bot_speech_ms": 4000.0, "interrupted": True}


def test_a_pause_in_speech_on_which_nothing_was_begun_is_no_false_end(captured: Captured, clock: FakeClock) -> None:
    turn = VoiceTurn()
    for _ in range(3):
        turn.user_started()
        clock.advance(1)
        turn.user_stopped()
        clock.advance(0.5)
    turn.tts_first_byte()
    turn.end()
    assert of_voice(captured) == {"response_latency_ms": 500.0, "user_speech_ms": 4000.0}


def test_a_turn_that_is_dropped_on_the_worker_does_not_wait_for_the_worker(tmp_path: Path) -> None:
    turns: list[VoiceTurn] = []

    def dropping(span: Span) -> Span:
        turns.clear()  # as the garbage collector may do on any thread
        return span

    memory = MemoryExporter()
    reamon.configure(exporters=[memory], processors=[dropping], home=tmp_path, durability="span", handle_sigterm=False)
    turns.append(VoiceTurn())
    turns[0].agent_started("conversation")
    with reamon.trace_step("another span"):
        pass
    assert reamon.flush(5)
    assert {span.name for span in memory.spans} == {"another span", "conversation", "turn"}


# -- what may not happen -----------------------------------------------------------------------------------------------

EVENTS: list[Callable[[VoiceTurn], object]] = [
    VoiceTurn.user_started,
    VoiceTurn.user_stopped,
    lambda turn: turn.stt_final("text", audio_seconds=1),
    lambda turn: turn.agent_started("agent"),
    VoiceTurn.model_started,
    VoiceTurn.model_first_token,
    lambda turn: turn.model(input_tokens=1),
    lambda turn: turn.model_ended(input_tokens=1),
    lambda turn: turn.stt(audio_seconds=1),
    VoiceTurn.agent_ended,
    VoiceTurn.tts_started,
    VoiceTurn.tts_first_byte,
    lambda turn: turn.tts(characters=1),
    VoiceTurn.tts_ended,
    VoiceTurn.bot_started,
    VoiceTurn.bot_stopped,
    VoiceTurn.interrupted,
    VoiceTurn.end,
]


def test_nothing_is_recorded_where_nothing_is_configured() -> None:
    turn = VoiceTurn(call_id="call-1", number=1)
    for event in EVENTS:
        event(turn)
    with turn.agent("conversation") as span, turn.current():
        span.set_attribute("a", 1)
        assert reamon.current_trace_id() == ""
    assert turn.next().number == 2
    assert turn.breakdown.attributes == {}


def test_nothing_is_recorded_inside_of_suppress(captured: Captured) -> None:
    with reamon.suppress():
        turn = VoiceTurn()
        for event in EVENTS:
            event(turn)
        with turn.agent("conversation"), turn.current():
            assert not reamon.enabled()
    assert captured.spans == []


def test_a_turn_does_not_lift_the_suppression_of_what_it_runs(captured: Captured) -> None:
    turn = VoiceTurn()
    with reamon.suppress(), turn.agent("conversation"), turn.current():
        assert not reamon.enabled()
    turn.end()
    assert [span.name for span in captured.spans] == ["turn"]


def test_wrong_arguments_are_contained(captured: Captured) -> None:
    turn = VoiceTurn()
    with guard.relaxed():
        turn.user_stopped(at="yesterday")  # type: ignore[arg-type]
        turn.tts(characters="many")  # type: ignore[arg-type]
        turn.stt_final(audio_seconds="much")
        turn.model_ended(cups_of_tea=2)
        turn.bot_started(1, 2, 3)  # type: ignore[call-arg,misc]
        turn.agent_started(object())  # type: ignore[arg-type]
        turn.end()
    assert guard.errors >= 4
    assert captured.one("turn").status == "ok"


def test_hostile_texts_and_outputs_are_contained(captured: Captured) -> None:
    class Hostile:
        def __repr__(self) -> str:
            raise RuntimeError("no")

        __str__ = __repr__
        __len__ = __repr__  # type: ignore[assignment]

    turn = VoiceTurn(call_id="call-1")
    with guard.relaxed():
        turn.stt_final(Hostile())  # type: ignore[arg-type]
        turn.tts(text=Hostile())  # type: ignore[arg-type]
        turn.tts_started(Hostile())  # type: ignore[arg-type]
        turn.agent_ended(Hostile(), error=OSError(Hostile()))
        turn.end()
    assert captured.one("turn").status == "degraded"


def test_events_from_many_threads_lose_nothing_that_is_billed(captured: Captured) -> None:
    turn = VoiceTurn(call_id="call-1")
    barrier = threading.Barrier(8)

    def report() -> None:
        barrier.wait()
        for _ in range(50):
            turn.tts(characters=1)
            turn.tts_first_byte()
            turn.stt_final("word", audio_seconds=1)
            turn.agent_started("conversation")

    threads = [threading.Thread(target=report) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    turn.end()
    assert sum(usage.characters or 0 for span in captured.named("tts") for usage in span.usage) == 400
    assert len(captured.named("stt")) == 400
    assert len(captured.named("conversation")) == len(captured.named("tts")) == 1


def test_an_event_waits_for_the_one_that_another_thread_reports(captured: Captured) -> None:
    turn = VoiceTurn()
    thread = threading.Thread(target=turn.tts, args=(7,))
    with turn.lock:
        thread.start()
        thread.join(0.05)
        assert thread.is_alive()
    thread.join()
    turn.end()
    assert [usage.characters for usage in captured.one("tts").usage] == [7]


def test_a_forked_child_leaves_the_turn_to_its_parent(captured: Captured) -> None:
    turn = VoiceTurn()
    is_held, go_on = threading.Event(), threading.Event()

    def report_slowly() -> None:
        with turn.lock:
            is_held.set()
            go_on.wait()

    other = threading.Thread(target=report_slowly)
    other.start()
    is_held.wait()
    child = os.fork()
    if child == 0:
        signal.alarm(5)  # for a child that waits for a thread which it does not have
        turn.tts(characters=5)
        turn.end()
        os._exit(1 if turn._course.operations or turn._course.is_over else 0)
    go_on.set()
    other.join()
    assert os.waitpid(child, 0)[1] == 0
    turn.tts(characters=7)
    turn.end()
    assert [usage.characters for usage in captured.one("tts").usage] == [7]


def test_a_turn_inside_of_a_traced_handler_is_a_trace_of_its_own_and_linked(captured: Captured) -> None:
    with reamon.trace_workflow("websocket", call_id="call-1") as outer:
        turn = VoiceTurn()
        turn.end()
    whole = captured.one("turn")
    assert whole.trace_id != outer.trace_id
    assert [link.trace_id for link in whole.links] == [outer.trace_id]
    assert whole.call_id == "call-1"


def test_a_turn_costs_what_its_spans_cost(clock: FakeClock) -> None:
    rates = {"elevenlabs": {"characters": "0.0002"}, "deepgram": {"audio_seconds": "0.0001"}}
    with capture_spans(clock=clock, collectors=[CostCollector(rates)]) as captured:
        turn = VoiceTurn()
        turn.stt_final("Hello", provider="deepgram", audio_seconds="2.5")
        turn.tts(characters=100, provider="elevenlabs")
        turn.end()
        amounts = {span.name: [cost.amount for cost in span.costs] for span in captured.spans}
    assert amounts == {"stt": [Decimal("0.00025")], "tts": [Decimal("0.02")], "turn": []}


def test_repr_says_which_turn_it_is() -> None:
    assert repr(VoiceTurn(call_id="call-1", number=2)) == "<VoiceTurn 2 of 'call-1'>"


@settings(max_examples=60)
@given(st.lists(st.sampled_from(range(len(EVENTS))), max_size=25))
def test_any_order_of_events_makes_one_sound_turn_and_bills_everything(order: list[int]) -> None:
    with capture_spans(clock=FakeClock(tick_ns=1_000_000)) as captured:
        turn = VoiceTurn(call_id="call-1")
        for number in order:
            EVENTS[number](turn)
        turn.end()
        spans = captured.spans
    whole = [span for span in spans if span.kind == "workflow"]
    assert len(whole) == 1
    assert {span.trace_id for span in spans} == {whole[0].span_id}
    assert all(span.duration_ns is not None and span.duration_ns >= 0 for span in spans)
    billed = {2: "audio_seconds", 6: "input_tokens", 7: "input_tokens", 8: "audio_seconds", 12: "characters"}
    for unit in set(billed.values()):
        told = sum(billed.get(number) == unit for number in order)
        assert sum(getattr(usage, unit) or 0 for span in spans for usage in span.usage) == told
