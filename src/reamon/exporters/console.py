"""The console exporter: a line for each finished span, to watch while developing."""

import os
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, TextIO

from reamon.errors import Rejected
from reamon.model import CostBreakdown, Span, SpanStatus
from reamon.model.times import NANOS_PER_SECOND, to_datetime

_COLOURS: Final = {
    SpanStatus.OK: "\x1b[32m",
    SpanStatus.ERROR: "\x1b[31m",
    SpanStatus.INTERRUPTED: "\x1b[31m",
    SpanStatus.DEGRADED: "\x1b[33m",
    SpanStatus.CANCELLED: "\x1b[35m",
}
_DIM: Final = "\x1b[2m"
_PLAIN: Final = "\x1b[0m"
_STATUS_WIDTH: Final = max(map(len, SpanStatus))
_NAME_WIDTH: Final = 30
_MESSAGE_LENGTH: Final = 100


class ConsoleExporter:
    """Writes a line for each finished span: when it ended (local time), how, what it was, how long, and at what cost.

    Children finish before their parents and so stand above them, further to the right. Lines are coloured on a
    terminal, unless the environment has `NO_COLOR`.

    Args:
        stream: Where to write; default: what `sys.stderr` is at the time.
        name: Unique among the configured exporters.

    Example:
        >>> ConsoleExporter().name
        'console'
    """

    local = True

    def __init__(self, stream: TextIO | None = None, *, name: str = "console") -> None:
        self.name = name
        self._stream = stream

    def export(self, batch: Sequence[Span]) -> None:
        """Write the lines of `batch`.

        Raises:
            Rejected: The stream is closed, or nobody reads it any more: it will not come back.
        """
        stream: TextIO | None = sys.stderr if self._stream is None else self._stream
        if stream is None or stream.closed:
            raise Rejected("the stream is closed")
        coloured = stream.isatty() and not os.environ.get("NO_COLOR")
        text = "".join(f"{_line(span, coloured=coloured)}\n" for span in batch)
        try:
            stream.write(_sayable(text, stream.encoding))
            stream.flush()
        except BrokenPipeError as error:
            raise Rejected("nobody reads the stream any more") from error

    def __repr__(self) -> str:
        return f"ConsoleExporter(name={self.name!r})"


def _line(span: Span, *, coloured: bool) -> str:
    indent = "  " * len(span.ancestors)
    time = _local_time(span.start_ns if span.end_ns is None else span.end_ns)
    status = f"{span.status:<{_STATUS_WIDTH}}"
    if coloured:
        time = f"{_DIM}{time}{_PLAIN}"
        status = f"{_COLOURS.get(span.status, '')}{status}{_PLAIN}"
    what = f"{indent}{span.kind} {_printable(span.name)}"
    columns = f"{time}  {status}  {what:<{_NAME_WIDTH}}  {_duration(span.duration_ns):>8}"
    return "  ".join((columns, *_facts(span)))


def _facts(span: Span) -> Iterator[str]:
    """What only some spans have: tokens, cost, call, and what went wrong."""
    if tokens := _tokens(span):
        yield tokens
    if span.costs:
        yield _cost(CostBreakdown.of(span.costs))
    if span.call_id is not None:
        yield _printable(span.call_id)
    if span.error is not None:
        yield _shortened(f"{span.error.type}: {span.error.message}")
    elif span.status_reason is not None:
        yield _shortened(span.status_reason)


def _tokens(span: Span) -> str:
    consumed = [usage.input_tokens for usage in span.usage if usage.input_tokens is not None]
    produced = [usage.output_tokens for usage in span.usage if usage.output_tokens is not None]
    parts = ((consumed, "in"), (produced, "out"))
    counts = ", ".join(f"{sum(tokens)} {direction}" for tokens, direction in parts if tokens)
    return f"{counts} tokens" if counts else ""


def _cost(breakdown: CostBreakdown) -> str:
    if breakdown.total is None:
        return "cost unknown"
    total = f"${breakdown.total:.6f}"
    return f"{total} and more, unknown" if breakdown.status == "partial" else total


def _local_time(nanos: int) -> str:
    moment: datetime = to_datetime(nanos).astimezone()
    return f"{moment:%H:%M:%S}.{moment.microsecond // 1000:03d}"


def _duration(nanos: int | None) -> str:
    if nanos is None:
        return "-"
    millis = nanos * 1000 / NANOS_PER_SECOND
    return f"{millis:.1f} ms" if millis < 1000 else f"{millis / 1000:.2f} s"


def _shortened(text: str) -> str:
    return _printable(text if len(text) <= _MESSAGE_LENGTH else f"{text[:_MESSAGE_LENGTH]}…")


def _printable(text: str) -> str:
    """`text` on one line and without control characters, which would be obeyed by the terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _sayable(text: str, encoding: str | None) -> str:
    """`text` with what the stream's encoding lacks spelled out."""
    codec = encoding or "utf-8"
    return text.encode(codec, "backslashreplace").decode(codec)
