"""Speech and telephony that are over are recorded in one line, with what they consumed."""

from decimal import Decimal

import reamon
from reamon.guard import guard
from reamon.integrations import VoiceTurn, record_stt, record_telephony, record_tts
from reamon.model import Usage
from reamon.testing import Captured, FakeClock
from reamon.testing.time import START_NS


def test_recognition_is_recorded_with_its_seconds(captured: Captured, clock: FakeClock) -> None:
    clock.advance(5)
    record_stt("Hello?", provider="openai", model="whisper-1", audio_seconds="1.4", took=0.5, call_id="call-1")
    span = captured.one("stt")
    assert (span.kind, span.call_id) == ("stt", "call-1")
    assert (span.start_ns - START_NS, span.end_ns and span.end_ns - START_NS) == (4_500_000_000, 5_000_000_000)
    assert span.usage == (Usage(provider="openai", model="whisper-1", audio_seconds=Decimal("1.4")),)
    assert span.output is not None
    assert span.output.value == "Hello?"
    assert span.attributes == {"gen_ai.provider.name": "openai", "gen_ai.request.model": "whisper-1"}


def test_synthesis_is_recorded_with_the_characters_of_its_text(captured: Captured) -> None:
    record_tts("Good morning!", provider="elevenlabs", model="eleven_flash_v2_5", attributes={"voice": "Rachel"})
    span = captured.one("tts")
    assert span.usage == (Usage(provider="elevenlabs", model="eleven_flash_v2_5", characters=13),)
    assert span.input is not None
    assert span.input.value == {"text": "Good morning!"}
    assert span.attributes["voice"] == "Rachel"


def test_characters_that_are_given_count_and_not_the_text(captured: Captured) -> None:
    record_tts("<b>Hi</b>", characters=2)
    assert captured.one("tts").usage == (Usage(characters=2),)


def test_telephony_is_recorded_with_its_minutes_and_messages(captured: Captured) -> None:
    record_telephony(provider="twilio", model="voice", minutes=Decimal("1.25"), start=START_NS, end=START_NS + 75_000)
    record_telephony("sms", provider="twilio", model="sms", messages=2, status="degraded")
    assert captured.one("call").usage == (Usage(provider="twilio", model="voice", minutes=Decimal("1.25")),)
    assert captured.one("call").duration_ns == 75_000
    assert captured.one("sms").usage == (Usage(provider="twilio", model="sms", messages=2),)
    assert captured.one("sms").status == "degraded"


def test_what_consumed_nothing_has_no_usage(captured: Captured) -> None:
    record_stt()
    record_tts()
    record_telephony()
    assert [span.usage for span in captured.spans] == [(), (), ()]


def test_a_record_belongs_to_the_current_span_or_to_the_one_that_is_given(captured: Captured) -> None:
    turn = VoiceTurn(call_id="call-1")
    with reamon.trace_workflow("handler") as handler:
        record_stt("one")
        record_tts("two", parent=turn.span)
    turn.end()
    assert captured.one("stt").parent_id == handler.span_id
    assert captured.one("tts").parent_id == turn.span.span_id
    assert captured.one("tts").call_id == "call-1"


def test_nothing_is_recorded_where_nothing_is_configured_or_all_is_suppressed(captured: Captured) -> None:
    with reamon.suppress():
        assert record_stt("Hello?", audio_seconds=1).span_id == ""
        assert record_tts("Hello!").span_id == ""
        assert record_telephony(minutes=1).span_id == ""
    assert captured.spans == []


def test_wrong_amounts_are_contained(captured: Captured) -> None:
    with guard.relaxed():
        record_stt("Hello?", audio_seconds="a while", provider="openai")
        record_tts(5)  # type: ignore[arg-type]
        record_telephony(minutes=-1, took="long")  # type: ignore[arg-type]
    assert captured.one("stt").usage == (Usage(provider="openai"),)
    assert guard.errors == 3
