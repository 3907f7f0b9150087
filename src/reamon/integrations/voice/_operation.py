"""The operation: one span below a turn, of which the usage may become known after its end."""

from collections.abc import Mapping
from typing import Any

from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, NoopSpan, finish, start_span


class Operation:
    """Something that is done in a turn: an agent's work, a model call, speech.

    Its span is handed on when it is closed, not when it ends: a service tells what it counted when it is done.

    Args:
        kind: What it is.
        name: What it is called.
        parent: The enclosing span.
        start: When it began, in nanoseconds since 1970.
    """

    def __init__(self, kind: SpanKind, name: str, parent: ActiveSpan | NoopSpan, start: int) -> None:
        self.span = start_span(kind, name, parent=parent, start=start)
        self._end: int | None = None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended yet."""
        return self._end is None

    def first_item(self, moment: int) -> None:
        """The first token, or byte of audio, was there. Only the first counts."""
        span = self.span
        if isinstance(span, ActiveSpan) and span.first_token is None and span.is_recording:
            span.first_token = max(moment - span.trace.offset, span.start)

    def consumed(self, provider: str | None, model: str | None, usage: Mapping[str, Any]) -> None:
        """Note what it consumed; where nothing is counted, who it was."""
        if any(amount is not None for amount in usage.values()):
            self.span.record_usage(provider=provider, model=model, **usage)
        said = {"gen_ai.provider.name": provider, "gen_ai.request.model": model}
        self.span.set_attributes({name: value for name, value in said.items() if value is not None})

    def told(self, output: Any, error: BaseException | None = None) -> None:
        """Note what came out of it, or what went wrong; None is nothing."""
        if output is not None:
            self.span.set_output(output)
        if error is not None:
            self.span.record_error(error)

    def end(self, moment: int) -> None:
        """It ended. A second end is ignored."""
        if self._end is None:
            self._end = moment

    def cut(self, moment: int, reason: str) -> None:
        """It was cut short, if it still ran."""
        if self._end is None:
            self.span.set_status("cancelled", reason)
            self._end = moment

    def close(self, moment: int) -> None:
        """Hand the span on; what still runs ends now. To wait until it is on disk is for the turn's end."""
        self.end(moment)
        if isinstance(self.span, ActiveSpan) and self._end is not None:
            finish(self.span, max(self._end - self.span.trace.offset, self.span.start))
