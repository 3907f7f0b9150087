"""Records: speech and telephony that are over, with what they consumed, in one line."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from reamon.guard import guarded
from reamon.model import SpanKind
from reamon.model.times import NANOS_PER_SECOND
from reamon.tracing import ActiveSpan, NoopSpan, record_span
from reamon.tracing.moments import Moment, moment_ns
from reamon.tracing.noop import NOOP

Amount = Decimal | int | str | float
"""How much. A Decimal or text is taken digit for digit; a float as it is written."""

Handle = ActiveSpan | NoopSpan

_NONE: Final[Mapping[str, Any]] = {}


@guarded(default=NOOP)
def record_stt(
    text: str | None = None,
    *,
    provider: str | None = None,
    model: str | None = None,
    audio_seconds: Amount | None = None,
    minutes: Amount | None = None,
    took: float | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    name: str = "stt",
    parent: Handle | None = None,
    call_id: object = None,
    attributes: Mapping[str, Any] = _NONE,
) -> Handle:
    """Record speech recognition that is over.

    Args:
        text: The transcript.
        provider: Who bills it.
        model: With what it was done.
        audio_seconds: How much audio is billed.
        minutes: The same, where it is billed by minutes. Give one of the two, or it is billed twice.
        took: Seconds that it took, where `start` is not at hand.
        start: When it began: an aware datetime, or since 1970 integer nanoseconds or seconds as a float.
        end: When it ended; now by default.
        name: The span's name.
        parent: The enclosing span (a turn's `span`, say); the current one by default.
        call_id: The conversation, if no span encloses it.
        attributes: More about it.

    Returns:
        The span's handle.

    Example:
        >>> span = record_stt("Hello?", provider="openai", model="whisper-1", audio_seconds="1.4", took=0.31)
    """
    usage = {"audio_seconds": audio_seconds, "minutes": minutes}
    said = _described(provider, model, attributes)
    began, ended = _times(took, start, end)
    return record_span(
        SpanKind.STT,
        name,
        began,
        ended,
        parent=parent,
        call_id=call_id,
        output=text,
        attributes=said,
        usage=_usage(provider, model, usage),
    )


@guarded(default=NOOP)
def record_tts(
    text: str | None = None,
    *,
    provider: str | None = None,
    model: str | None = None,
    characters: int | None = None,
    audio_seconds: Amount | None = None,
    took: float | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    name: str = "tts",
    parent: Handle | None = None,
    call_id: object = None,
    attributes: Mapping[str, Any] = _NONE,
) -> Handle:
    """Record speech synthesis that is over.

    Args:
        text: What was said.
        provider: Who bills it.
        model: With what it was done.
        characters: How many characters are billed; those of `text` by default.
        audio_seconds: How much audio was made, where that is billed.
        took: Seconds that it took, where `start` is not at hand.
        start: When it began: an aware datetime, or since 1970 integer nanoseconds or seconds as a float.
        end: When it ended; now by default.
        name: The span's name.
        parent: The enclosing span (a turn's `span`, say); the current one by default.
        call_id: The conversation, if no span encloses it.
        attributes: More about it.

    Returns:
        The span's handle.

    Example:
        >>> span = record_tts("Good morning!", provider="elevenlabs", model="eleven_flash_v2_5", took=0.2)
    """
    billed = len(text) if characters is None and text is not None else characters
    usage = {"characters": billed, "audio_seconds": audio_seconds}
    said = _described(provider, model, attributes)
    began, ended = _times(took, start, end)
    return record_span(
        SpanKind.TTS,
        name,
        began,
        ended,
        parent=parent,
        call_id=call_id,
        input=None if text is None else {"text": text},
        attributes=said,
        usage=_usage(provider, model, usage),
    )


@guarded(default=NOOP)
def record_telephony(
    name: str = "call",
    *,
    provider: str | None = None,
    model: str | None = None,
    minutes: Amount | None = None,
    messages: int | None = None,
    took: float | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
    status: str | None = None,
    parent: Handle | None = None,
    call_id: object = None,
    attributes: Mapping[str, Any] = _NONE,
) -> Handle:
    """Record a phone call, a leg of one, or a text message.

    Args:
        name: The span's name.
        provider: Who bills it.
        model: The product ("voice", "sms").
        minutes: The true minutes; that carriers round up to begun ones is a matter of their price.
        messages: How many messages, or segments of one.
        took: Seconds that it took, where `start` is not at hand.
        start: When it began: an aware datetime, or since 1970 integer nanoseconds or seconds as a float.
        end: When it ended; now by default.
        status: How it went, if not "ok".
        parent: The enclosing span; the current one by default.
        call_id: The conversation, if no span encloses it.
        attributes: More about it.

    Returns:
        The span's handle.

    Example:
        >>> span = record_telephony(provider="twilio", model="voice", minutes="1.58", call_id="call-1")
    """
    said = _described(provider, model, attributes)
    usage = _usage(provider, model, {"minutes": minutes, "messages": messages})
    began, ended = _times(took, start, end)
    return record_span(
        SpanKind.TELEPHONY,
        name,
        began,
        ended,
        parent=parent,
        call_id=call_id,
        status=status,
        attributes=said,
        usage=usage,
    )


def _times(took: float | None, start: Moment | None, end: Moment | None) -> tuple[int, int]:
    ended = moment_ns(end)
    if start is not None:
        return moment_ns(start), ended
    return ended - round(float(took or 0) * NANOS_PER_SECOND), ended


def _usage(provider: str | None, model: str | None, consumed: Mapping[str, Any]) -> Mapping[str, Any] | None:
    known = {name: amount for name, amount in consumed.items() if amount is not None}
    return {"provider": provider, "model": model, **known} if known else None


def _described(provider: str | None, model: str | None, attributes: Mapping[str, Any]) -> dict[str, Any]:
    said = {"gen_ai.provider.name": provider, "gen_ai.request.model": model}
    return {**{name: value for name, value in said.items() if value is not None}, **attributes}
