"""Twilio: calls and text messages, from the callbacks that it posts about them."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from decimal import Context, Decimal
from typing import Any, Final

from reamon.guard import guarded
from reamon.integrations.voice.records import Handle, record_telephony
from reamon.model.times import NANOS_PER_SECOND
from reamon.tracing import NoopSpan, enabled
from reamon.tracing.moments import Moment, moment_ns
from reamon.tracing.noop import NOOP

_EXACT: Final = Context(prec=28)  # not the application's, which may be rough, or trap what is inexact
_STATUS: Final = {
    "completed": "ok",
    "busy": "ok",  # that nobody answers is how the call went, and no fault of the program
    "no-answer": "ok",
    "canceled": "cancelled",
    "failed": "error",
    "sent": "ok",
    "delivered": "ok",
    "undelivered": "error",
}
_CALL_ENDS: Final = frozenset(("completed", "busy", "no-answer", "canceled", "failed"))
_MESSAGE_LEAVES: Final = frozenset(("sent", "delivered", "undelivered", "failed"))
_REMEMBERED: Final = 10_000


class Recent:
    """What was seen of late: Twilio posts a callback again where the first answer was lost.

    Args:
        size: How many to remember.

    Example:
        >>> recent = Recent(size=2)
        >>> recent.is_new("CA1"), recent.is_new("CA1")
        (True, False)
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._seen: dict[str, object] = {}

    def is_new(self, key: str) -> bool:
        """Whether `key` has not been seen; it is from now on."""
        mine = object()
        if self._seen.setdefault(key, mine) is not mine:  # in one step, so that no lock is needed
            return False
        with suppress(RuntimeError):  # another thread was here meanwhile; the next key makes up for it
            while len(self._seen) > self._size:
                self._seen.pop(next(iter(self._seen)), None)
        return True


_recent: Final = Recent(_REMEMBERED)


@guarded(default=NOOP)
def record_twilio_call(form: Mapping[str, Any], *, call_id: object = None, parent: Handle | None = None) -> Handle:
    """Record a call when Twilio's status callback says that it is over.

    Give it every callback: it records the one that ends the call (`completed`, `busy`, `no-answer`, `canceled` or
    `failed`), once, even where Twilio posts it again to the same process. Phone numbers are not recorded.

    Args:
        form: The fields of the callback, as posted.
        call_id: The conversation; the `CallSid` by default.
        parent: The enclosing span. By default the call is a trace of its own, of the conversation `call_id`: the
            request that brings the callback is no part of it.

    Returns:
        The span's handle; one that does nothing where nothing is recorded.

    Example:
        >>> form = {"CallSid": "CA1", "CallStatus": "completed", "CallDuration": "95"}
        >>> span = record_twilio_call(form, call_id="call-1")
    """
    sid, status = _text(form, "CallSid"), _text(form, "CallStatus")
    if status not in _CALL_ENDS or not _is_due(f"call {sid}", sid):
        return NOOP
    seconds = _whole(form, "CallDuration")
    end = _timestamp(form)
    return record_telephony(
        "call",
        provider="twilio",
        model="voice",
        minutes=None if seconds is None or status != "completed" else minutes_of(seconds),
        start=end - (seconds or 0) * NANOS_PER_SECOND,
        end=end,
        status=_STATUS[status],
        parent=NoopSpan() if parent is None else parent,
        call_id=sid if call_id is None else call_id,
        attributes=_known(
            {
                "reamon.telephony.id": sid,
                "reamon.telephony.status": status,
                "reamon.telephony.direction": _text(form, "Direction"),
                "reamon.telephony.answered_by": _text(form, "AnsweredBy"),
                "reamon.telephony.duration_seconds": seconds,
                "reamon.telephony.sip_code": _text(form, "SipResponseCode"),
                "reamon.telephony.error_code": _text(form, "ErrorCode"),
            }
        ),
    )


@guarded(default=NOOP)
def record_twilio_message(
    form: Mapping[str, Any], *, segments: int | None = None, call_id: object = None, parent: Handle | None = None
) -> Handle:
    """Record a text message when Twilio's status callback says that it has left, or that it never will.

    Give it every callback: it records the first of `sent`, `delivered`, `undelivered` and `failed`, once, even where
    more follow in the same process. Phone numbers and texts are not recorded.

    Args:
        form: The fields of the callback, as posted.
        segments: How many messages are billed, if the answer to the request to send it is at hand (`num_segments`);
            by default what the callback says, or one.
        call_id: The conversation; the `MessageSid` by default.
        parent: The enclosing span. By default the message is a trace of its own, of the conversation `call_id`.

    Returns:
        The span's handle; one that does nothing where nothing is recorded.

    Example:
        >>> form = {"MessageSid": "SM1", "MessageStatus": "delivered"}
        >>> span = record_twilio_message(form, segments=2, call_id="call-1")
    """
    sid = _text(form, "MessageSid") or _text(form, "SmsSid")
    status = _text(form, "MessageStatus") or _text(form, "SmsStatus")
    if status not in _MESSAGE_LEAVES or not _is_due(f"message {sid}", sid):
        return NOOP
    billed = segments or _whole(form, "NumSegments") or 1
    end = _timestamp(form)
    return record_telephony(
        "sms",
        provider="twilio",
        model="sms",
        messages=None if status == "failed" else billed,  # it never left
        start=end,
        end=end,
        status=_STATUS[status],
        parent=NoopSpan() if parent is None else parent,
        call_id=sid if call_id is None else call_id,
        attributes=_known(
            {
                "reamon.telephony.id": sid,
                "reamon.telephony.status": status,
                "reamon.telephony.error_code": _text(form, "ErrorCode"),
            }
        ),
    )


def minutes_of(seconds: int | str | Decimal) -> Decimal:
    """Seconds as minutes: whole minutes are whole, and the others are exact to 28 digits.

    Example:
        >>> minutes_of(90)
        Decimal('1.5')
    """
    return _EXACT.divide(Decimal(seconds), Decimal(60))


def _is_due(key: str, sid: str | None) -> bool:
    """Whether it is to be recorded now: not before reamon is configured, and not twice."""
    return enabled() and (sid is None or _recent.is_new(key))


def _text(form: Mapping[str, Any], name: str) -> str | None:
    value = form.get(name)
    return None if value is None or value == "" else str(value)


def _whole(form: Mapping[str, Any], name: str) -> int | None:
    text = _text(form, name)
    return int(text) if text is not None and text.isdecimal() else None


def _timestamp(form: Mapping[str, Any]) -> int:
    """When it happened, as the callback says; now, where it does not."""
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - not needed by those who do not phone

    text = _text(form, "Timestamp")
    moment: Moment | None = None
    if text is not None:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            moment = None
    return moment_ns(moment if isinstance(moment, datetime) and moment.tzinfo is not None else None)


def _known(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}
