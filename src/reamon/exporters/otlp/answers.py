"""Answers: what an OTLP receiver's answer means. One place, so that the rule for each status is written once.

| answer | meaning |
|---|---|
| 2xx | acknowledged, unless it is a web page, or says that spans were rejected |
| 2xx, all spans rejected | none of them will ever be taken |
| 2xx, some spans rejected | some of them will never be taken, and it does not say which: find out |
| 400, 413, 422 and the like | something in it will never be taken |
| 401, 402, 403, 404, 405, 407, 410, 415 | nothing is taken until somebody changes a setting |
| anything else | try again, and not before the moment that the answer may name |
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from reamon.errors import ExportError, Paused, Rejected, RetryAfter
from reamon.exporters._answer import Answer, shown
from reamon.guard import log

_NOT_NOW: Final = frozenset((408, 425, 429))
_FIXES: Final = {
    401: "set REAMON_OTLP__HEADERS (or OTEL_EXPORTER_OTLP_HEADERS) to what this receiver wants, such as an API key",
    402: "look at the account there",
    403: "use credentials that may write traces (REAMON_OTLP__HEADERS, or OTEL_EXPORTER_OTLP_HEADERS)",
    404: "set REAMON_OTLP__ENDPOINT to the address that takes traces; it usually ends in /v1/traces",
    405: "set REAMON_OTLP__ENDPOINT to the address that takes traces; it usually ends in /v1/traces",
    407: "give the proxy its credentials (HTTP_PROXY, HTTPS_PROXY)",
    410: "set REAMON_OTLP__ENDPOINT to the address that takes traces now",
    415: "use a receiver that reads OTLP as protobuf over HTTP, or set REAMON_OTLP__COMPRESSION=none",
}


def read(answer: Answer, spans: int, *, now: Callable[[], float] = time.time) -> None:
    """Return if `answer` acknowledges the spans that were sent, else raise what it means.

    Args:
        answer: The answer to a request that carried spans.
        spans: How many it carried.
        now: Gives seconds since 1970.

    Raises:
        Rejected: Some of the spans will never be taken.
        Paused: Nothing is taken until somebody changes a setting.
        RetryAfter: The receiver named a moment before which not to try again.
        ExportError: Try again.

    Example:
        >>> read(Answer(status=200, headers={}, body=b""), spans=100)
        >>> read(Answer(status=402, headers={}, body=b""), spans=100)
        Traceback (most recent call last):
        ...
        reamon.errors.Paused: 402 Payment Required; look at the account there
    """
    status = answer.status
    if 200 <= status < 300:
        _read_success(answer, spans)
        return
    if status in _FIXES:
        raise Paused(answer.reason, _FIXES[status])
    if 400 <= status < 500 and status not in _NOT_NOW:
        # Not certain: a gateway that is broken may say so to everything.
        raise Rejected(answer.reason, certain=False)
    if 300 <= status < 400:
        raise ExportError(f"{answer.reason} (a redirect is not followed; is REAMON_OTLP__ENDPOINT right?)")
    seconds = answer.retry_after(now)
    raise RetryAfter(seconds, answer.reason) if seconds > 0 else ExportError(answer.reason)


def _read_success(answer: Answer, spans: int) -> None:
    rejected, message = _rejected(answer)
    if rejected <= 0:
        if message:
            log("reamon.exporters", logging.WARNING, "otlp_receiver_warns", message=message)
        return
    # Who answers this has judged each span, so one that is refused alone is to blame for sure.
    raise Rejected(f"{min(rejected, spans)} of {spans} spans were rejected: {message or 'no reason is given'}")


def _rejected(answer: Answer) -> tuple[int, str]:
    """How many spans were rejected, and what was said.

    Raises:
        ExportError: Whatever answered is no OTLP receiver.
    """
    body, form = answer.body, answer.form
    if not body.strip():
        return 0, ""
    if form == "application/x-protobuf":
        return _of_protobuf(answer)
    if "json" in form:
        return _of_json(answer)
    if "html" in form or body.lstrip()[:1] == b"<":
        raise _stranger(answer)
    return 0, ""


def _of_protobuf(answer: Answer) -> tuple[int, str]:
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (  # noqa: PLC0415 - an optional package
        ExportTraceServiceResponse,
    )

    try:
        said = ExportTraceServiceResponse.FromString(answer.body).partial_success
    except Exception:  # protobuf has an error of its own for that, in a module without types
        raise _stranger(answer) from None
    return said.rejected_spans, shown(said.error_message)


def _of_json(answer: Answer) -> tuple[int, str]:
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, RecursionError):
        raise _stranger(answer) from None
    said: Any = body.get("partialSuccess", body.get("partial_success")) if isinstance(body, dict) else None
    if not isinstance(said, dict):
        return 0, ""
    count = str(said.get("rejectedSpans", said.get("rejected_spans", 0)))  # JSON has 64-bit numbers as text
    message = said.get("errorMessage", said.get("error_message", ""))
    return int(count) if count.isascii() and count.isdigit() else 0, shown(str(message))


def _stranger(answer: Answer) -> ExportError:
    return ExportError(f"{answer.status}, but not from an OTLP receiver (a proxy, or a web page?): {answer.text}")
