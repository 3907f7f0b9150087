"""The course of a turn: what has happened in it so far. It is told by `VoiceTurn`, which holds a lock meanwhile."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.guard import describe
from reamon.integrations.voice._operation import Operation
from reamon.integrations.voice.breakdown import Breakdown, Mark, milliseconds
from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, NoopSpan, current_span, finish
from reamon.tracing.moments import Moment, moment_ns

_BEFORE: Final[Mapping[SpanKind, tuple[Mark, ...]]] = {
    SpanKind.STT: (),
    SpanKind.LLM: (Mark.AGENT_START,),
    SpanKind.TTS: (Mark.AGENT_START, Mark.FIRST_TOKEN),
}
"""With what an operation must have begun whose start nobody reported."""

_INTERRUPTED: Final = "the caller interrupted"
_RESUMED: Final = "the caller went on speaking"
_ABANDONED: Final = "the turn was dropped without an end"


class Course:
    """The marks that a turn has reached, and its operations.

    Args:
        span: The turn's span.
        captures: Whether texts are recorded.
    """

    def __init__(self, span: ActiveSpan | NoopSpan, captures: bool) -> None:
        self.span = span
        self.captures = captures
        self.marks: dict[Mark, int] = {}
        self.operations: dict[SpanKind, Operation] = {}
        self.failure: BaseException | None = None
        self.begin_ns = span.start + span.trace.offset if isinstance(span, ActiveSpan) else 0
        self._last = self.begin_ns
        self._speech_start: int | None = None
        self._silence: int | None = None
        self._interruption: int | None = None
        self._resumed = 0
        self._heard: list[str] = []
        self._spoken: list[str] = []

    @property
    def is_over(self) -> bool:
        """Whether the turn has ended."""
        return not self.span.is_recording

    # -- moments -----------------------------------------------------------------------------------------------------

    def moment(self, at: Moment | None) -> int:
        """When an event was, in nanoseconds since 1970; now by default."""
        span = self.span
        moment = span._now() if at is None and isinstance(span, ActiveSpan) else moment_ns(at)
        if not self.is_over:
            self._last = max(self._last, moment)
        return moment

    def reach(self, mark: Mark, at: Moment | None) -> int:
        """A mark is reached. The first time counts."""
        moment = self.moment(at)
        if not self.is_over:
            self.marks.setdefault(mark, moment)
        return moment

    def transcribed(self, moment: int, text: str | None) -> None:
        """A part of the transcript is final. The agent waits for the last one before it starts."""
        if Mark.AGENT_START in self.marks:
            self.marks.setdefault(Mark.TRANSCRIPT, moment)
        else:
            self.marks[Mark.TRANSCRIPT] = moment
        if text is not None and self.captures:
            self._heard.append(str(text))
            self.span.set_input({"text": " ".join(self._heard)})

    def heard(self, at: Moment | None) -> None:
        """The reply is played from here on, for the first time or after a pause."""
        self.reach(Mark.AUDIBLE, at)
        self._silence = None

    def unheard(self, at: Moment | None) -> None:
        """The reply was played to its end, or to a pause."""
        self._silence = self.moment(at)

    def speech_began(self, moment: int) -> None:
        """The caller began to speak: for the first time, again before the reply, or into it."""
        stopped = self.marks.get(Mark.SPEECH_END)
        if self._audible is not None:
            if self._silence is None:
                self.interrupt(moment)
        elif stopped is None or moment < stopped:
            self._speech_start = moment if self._speech_start is None else min(moment, self._speech_start)
        else:
            self._resumed += Mark.AGENT_START in self.marks
            for mark in (Mark.SPEECH_END, Mark.TRANSCRIPT, Mark.AGENT_START, Mark.FIRST_TOKEN):
                self.marks.pop(mark, None)
            self._cut(moment, _RESUMED)

    def interrupt(self, moment: int) -> None:
        """The caller interrupted the reply, or what was to become it."""
        if self._interruption is None and not self.is_over:
            self._interruption = moment
            self._cut(moment, _INTERRUPTED)

    def recognition_start(self, end: int) -> int:
        """When the recognition that ended at `end` began, as far as is known: when the caller stopped, or started."""
        stopped = self.marks.get(Mark.SPEECH_END)
        if stopped is not None and stopped <= end:
            return stopped
        return min(self.begin_ns if self._speech_start is None else self._speech_start, end)

    # -- operations --------------------------------------------------------------------------------------------------

    def running(self, kind: SpanKind) -> Operation | None:
        """The operation of a kind that has not ended, or None."""
        operation = self.operations.get(kind)
        return operation if operation is not None and operation.is_running else None

    def start(self, kind: SpanKind, name: str, moment: int) -> Operation:
        """Begin an operation; the one of its kind before it, if there is one, is over."""
        before = self.operations.pop(kind, None)
        if before is not None:
            before.close(moment)
        operation = Operation(kind, name, self._model_parent if kind is SpanKind.LLM else self.span, moment)
        if not self.is_over:
            self.operations[kind] = operation
        return operation

    def noticed(self, kind: SpanKind, name: str, moment: int) -> Operation:
        """The operation that runs; if none does, one whose start nobody reported, and which is noticed only now."""
        running = self.running(kind)
        if running is not None:
            return running
        is_first = kind not in self.operations and not self.is_over
        known = [self.marks[mark] for mark in _BEFORE[kind] if mark in self.marks] if is_first else []
        operation = self.start(kind, name, min(max(known, default=moment), moment))
        if kind is SpanKind.LLM and is_first and Mark.FIRST_TOKEN in self.marks:
            operation.first_item(self.marks[Mark.FIRST_TOKEN])
        return operation

    def consumed(
        self, kind: SpanKind, name: str, moment: int, provider: str | None, model: str | None, usage: Mapping[str, Any]
    ) -> Operation:
        """What the last operation of a kind consumed, whether it still runs or not."""
        operation = self.operations.get(kind)
        if operation is None:
            operation = self.noticed(kind, name, moment)
        operation.consumed(provider, model, usage)
        if self.is_over:
            operation.close(moment)
        return operation

    def spoken(self, operation: Operation, text: str | None) -> None:
        """What is said, where that is known."""
        if text is not None and self.captures:
            self._spoken.append(str(text))
            operation.span.set_input({"text": " ".join(self._spoken)})

    def done(self, operation: Operation, moment: int) -> None:
        """An operation has ended. After the end of the turn, nothing more is to come of it."""
        operation.end(moment)
        if self.is_over:
            operation.close(moment)

    # -- the end -----------------------------------------------------------------------------------------------------

    @property
    def breakdown(self) -> Breakdown:
        """What the caller waited for so far."""
        return Breakdown.of(self.marks.copy())  # other threads go on reporting

    def conclude(self, moment: int) -> None:
        """Everything is over: hand on the operations, and say on the turn's span how it was."""
        for operation in self.operations.values():
            operation.close(moment)
        self.operations.clear()
        span = self.span
        if isinstance(span, ActiveSpan):
            span.set_attributes(self._facts())
            if span.raw_output is None and self._spoken:
                span.set_output(" ".join(self._spoken))
            if self.failure is not None and (span.details is None or span.details.status is None):
                span.set_status("degraded", f"the agent failed: {describe(self.failure)}")

    def abandon(self) -> None:
        """Nobody will ever end the turn: it ends where it stands. Nobody waits here, least of all the worker."""
        span = self.span
        if isinstance(span, ActiveSpan):
            span.set_status("cancelled", _ABANDONED)
            self.conclude(self._last)
            finish(span, self._last - span.trace.offset)

    def failed(self, error: BaseException) -> None:
        """An agent failed, and whatever the caller hears is not its answer. To be cancelled is no failure."""
        if isinstance(error, Exception):
            self.failure = error

    @property
    def _model_parent(self) -> ActiveSpan | NoopSpan:
        """Who asks a model: what of this turn runs here, else the agent that was reported, else the turn itself."""
        here, agent = current_span(), self.running(SpanKind.AGENT)
        if isinstance(here, ActiveSpan) and isinstance(self.span, ActiveSpan) and here.trace is self.span.trace:
            return here
        return self.span if agent is None else agent.span

    @property
    def _audible(self) -> int | None:
        """Since when the caller hears the reply."""
        return self.marks.get(Mark.AUDIBLE, self.marks.get(Mark.FIRST_BYTE))

    def _cut(self, moment: int, reason: str) -> None:
        for operation in self.operations.values():
            operation.cut(moment, reason)

    def _facts(self) -> dict[str, Any]:
        facts: dict[str, Any] = dict(self.breakdown.attributes)
        stopped, audible = self.marks.get(Mark.SPEECH_END), self._audible
        if self._speech_start is not None and stopped is not None:
            facts["reamon.voice.user_speech_ms"] = milliseconds(max(stopped - self._speech_start, 0))
        ends = [moment for moment in (self._silence, self._interruption) if moment is not None]
        if audible is not None and ends:
            facts["reamon.voice.bot_speech_ms"] = milliseconds(max(min(ends) - audible, 0))
        if self._interruption is not None:
            facts["reamon.voice.interrupted"] = True
        if self._resumed:
            facts["reamon.voice.resumed"] = self._resumed
        return facts
