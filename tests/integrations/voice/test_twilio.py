"""Twilio's callbacks become calls and messages, once each, with what is billed."""

import decimal
from decimal import Decimal

import pytest

import reamon
from reamon.collectors import CostCollector
from reamon.guard import guard
from reamon.integrations import record_twilio_call, record_twilio_message
from reamon.integrations.voice.twilio import Recent, minutes_of
from reamon.model import Usage
from reamon.testing import Captured, FakeClock, capture_spans
from reamon.testing.time import START_NS

SECOND = 1_000_000_000


def ended(sid: str, **fields: str) -> dict[str, str]:
    """What Twilio posts when a call is over."""
    return {
        "CallSid": sid,
        "AccountSid": "AC00000000000000000000000000000000",
        "From": "+15550100",
        "To": "+15550199",
        "CallStatus": "completed",
        "CallDuration": "95",
        "Duration": "2",
        "Direction": "outbound-api",
        "Timestamp": "Thu, 01 Jan 2026 00:10:00 +0000",
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "3",
        **fields,
    }


def test_a_call_is_recorded_with_its_true_minutes_when_it_is_over(captured: Captured) -> None:
    for status in ("queued", "initiated", "ringing", "in-progress"):
        record_twilio_call(ended("CA-whole", CallStatus=status))
    record_twilio_call(ended("CA-whole"), call_id="call-1")
    call = captured.one("call")
    assert (call.kind, call.call_id, call.status) == ("telephony", "call-1", "ok")
    assert (call.start_ns, call.end_ns) == (START_NS + 505 * SECOND, START_NS + 600 * SECOND)
    assert call.usage == (Usage(provider="twilio", model="voice", minutes=minutes_of(95)),)
    assert call.attributes == {
        "gen_ai.provider.name": "twilio",
        "gen_ai.request.model": "voice",
        "reamon.telephony.id": "CA-whole",
        "reamon.telephony.status": "completed",
        "reamon.telephony.direction": "outbound-api",
        "reamon.telephony.duration_seconds": 95,
    }


def test_a_callback_that_is_posted_again_counts_once(captured: Captured) -> None:
    for _ in range(3):
        record_twilio_call(ended("CA-again"))
        record_twilio_message({"MessageSid": "SM-again", "MessageStatus": "sent"})
        record_twilio_message({"MessageSid": "SM-again", "MessageStatus": "delivered"})
    assert len(captured.named("call")) == len(captured.named("sms")) == 1


def test_what_came_before_reamon_was_configured_is_not_counted_as_seen(clock: FakeClock) -> None:
    record_twilio_call(ended("CA-early"))
    with capture_spans(clock=clock) as captured:
        record_twilio_call(ended("CA-early"))
        assert len(captured.named("call")) == 1


@pytest.mark.parametrize(
    ("said", "status"), [("busy", "ok"), ("no-answer", "ok"), ("canceled", "cancelled"), ("failed", "error")]
)
def test_a_call_that_was_not_answered_has_no_minutes(captured: Captured, said: str, status: str) -> None:
    record_twilio_call(ended(f"CA-{said}", CallStatus=said, CallDuration="0", SipResponseCode="486"))
    call = captured.one("call")
    assert (call.status, call.usage) == (status, ())
    assert call.attributes["reamon.telephony.status"] == said
    assert call.attributes["reamon.telephony.sip_code"] == "486"


def test_the_request_that_brings_the_callback_is_no_part_of_the_call(captured: Captured) -> None:
    with reamon.trace_workflow("POST /twilio/status", call_id="webhook"):
        record_twilio_call(ended("CA-own-trace"))
    call = captured.one("call")
    assert call.is_root
    assert call.call_id == "CA-own-trace"


def test_a_call_may_be_recorded_below_a_span(captured: Captured) -> None:
    with reamon.trace_workflow("call 1") as whole:
        record_twilio_call(ended("CA-below"), parent=whole)
    assert captured.one("call").parent_id == whole.span_id


@pytest.mark.parametrize("timestamp", ["", "soon", "2026-01-01 00:10:00", "Thu, 01 Jan 2026 00:10:00"])
def test_a_callback_without_a_usable_time_ended_now(captured: Captured, clock: FakeClock, timestamp: str) -> None:
    clock.advance(100)
    record_twilio_call(ended(f"CA-when-{timestamp}", Timestamp=timestamp))
    assert captured.one("call").end_ns == START_NS + 100 * SECOND


@pytest.mark.parametrize("duration", ["", "-5", "1.5", "long"])
def test_a_duration_that_is_no_number_of_seconds_is_unknown(captured: Captured, duration: str) -> None:
    record_twilio_call(ended(f"CA-for-{duration}", CallDuration=duration))
    assert captured.one("call").usage == ()


def test_a_message_is_recorded_with_its_segments_when_it_has_left(captured: Captured) -> None:
    for status in ("accepted", "queued", "sending"):
        record_twilio_message({"MessageSid": "SM-whole", "MessageStatus": status})
    record_twilio_message({"MessageSid": "SM-whole", "MessageStatus": "sent"}, segments=3, call_id="call-1")
    message = captured.one("sms")
    assert (message.kind, message.call_id, message.status) == ("telephony", "call-1", "ok")
    assert message.usage == (Usage(provider="twilio", model="sms", messages=3),)


@pytest.mark.parametrize(("said", "messages"), [("failed", None), ("undelivered", 1)])
def test_a_message_that_did_not_arrive_is_an_error_and_is_billed_if_it_left(
    captured: Captured, said: str, messages: int | None
) -> None:
    record_twilio_message({"SmsSid": f"SM-{said}", "SmsStatus": said, "ErrorCode": "30003"})
    message = captured.one("sms")
    assert message.status == "error"
    assert [usage.messages for usage in message.usage] == ([] if messages is None else [messages])
    assert message.attributes["reamon.telephony.error_code"] == "30003"


def test_a_call_costs_its_minutes(clock: FakeClock) -> None:
    rates = {"twilio/voice": {"minutes": "0.0085"}, "twilio/sms": {"messages": "0.0075"}}
    with capture_spans(clock=clock, collectors=[CostCollector(rates)]) as captured:
        record_twilio_call(ended("CA-cost", CallDuration="90"))
        record_twilio_message({"MessageSid": "SM-cost", "MessageStatus": "delivered"}, segments=2)
        costs = {span.name: span.costs[0].amount for span in captured.spans}
    assert costs == {"call": Decimal("0.01275"), "sms": Decimal("0.0150")}


def test_a_callback_of_anything_else_is_ignored(captured: Captured) -> None:
    record_twilio_call({})
    record_twilio_message({})
    with guard.relaxed():
        record_twilio_call(None)  # type: ignore[arg-type]
    assert captured.spans == []


def test_minutes_are_exact_whatever_the_application_does_to_its_decimals() -> None:
    with decimal.localcontext() as context:
        context.prec = 2
        context.traps[decimal.Inexact] = True
        assert minutes_of(120) == 2
        assert str(minutes_of("61")) == "1.016666666666666666666666667"
        assert str(minutes_of(100)) == "1.666666666666666666666666667"


def test_only_so_many_ids_are_remembered() -> None:
    recent = Recent(size=3)
    assert [recent.is_new(key) for key in "abcabcd"] == [True, True, True, False, False, False, True]
    assert recent.is_new("a")
