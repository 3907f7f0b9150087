"""The voice turn: what a caller says and what they hear back, in a program that is driven by events."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from decimal import Decimal
from typing import Any, Final

from reamon.integrations.voice._course import Course
from reamon.integrations.voice._event import event
from reamon.integrations.voice.breakdown import Breakdown, Mark
from reamon.model import SpanKind
from reamon.tracing import ActiveSpan, NoopSpan, enabled, enter, fail, leave, start_span
from reamon.tracing.moments import Moment, moment_ns
from reamon.tracing.recorder import generation

Amount = Decimal | int | str | float

_AGENT: Final = SpanKind.AGENT
_LLM: Final = SpanKind.LLM
_STT: Final = SpanKind.STT
_TTS: Final = SpanKind.TTS


class VoiceTurn:
    """One turn of a phone call: a handle to which the program reports events as they come.

    It is a workflow span with `stt`, `agent`, `llm` and `tts` spans below it. It is never current by itself: report
    from callbacks, threads and tasks. No method raises; events may be missing, repeated, in any order, or too late
    (what they consumed is still recorded). Each takes `at=`, the moment of the event where that is not now: an aware
    datetime, or since 1970 integer nanoseconds or seconds as a float. At its end the span says what the caller waited
    for: the fields of `Breakdown`, as attributes `reamon.voice.*`.

    A turn that is dropped without `end()` ends at its last event, `cancelled`.

    Args:
        call_id: The conversation.
        number: Which turn of it this is; `next()` counts on.
        name: The workflow's name.
        capture: Whether texts (what was said, replies) are recorded.
        at: When the turn began, if not now.

    Attributes:
        span: The turn's span, on which everything can be recorded that a span takes.
        number: As given.
        lock: Held while an event is reported.

    Example:
        >>> turn = VoiceTurn(call_id="call-1", number=1)
        >>> turn.user_stopped()
        >>> turn.stt_final("What is my house worth?", provider="deepgram", model="nova-3", audio_seconds="2.4")
        >>> with turn.agent("conversation"):
        ...     turn.model_first_token()
        >>> turn.tts_first_byte()
        >>> turn.tts(characters=64, provider="elevenlabs", model="eleven_flash_v2_5")
        >>> turn.end()
    """

    def __init__(
        self,
        *,
        call_id: object = None,
        number: int | None = None,
        name: str = "turn",
        capture: bool = True,
        at: Moment | None = None,
    ) -> None:
        self.number = number
        self.span = start_span(SpanKind.WORKFLOW, name, call_id=call_id, start=at)
        if number is not None:
            self.span.set_attribute("reamon.voice.turn", number)
        self._name = name
        self._call_id = call_id
        self._generation = generation()
        self.lock = threading.RLock()  # the garbage collector may drop turns in the middle of an event
        self._course = Course(self.span, capture)

    @property
    def breakdown(self) -> Breakdown:
        """What the caller has waited for so far."""
        return self._course.breakdown

    # -- the caller --------------------------------------------------------------------------------------------------

    @event
    def user_started(self, *, at: Moment | None = None) -> None:
        """The caller began to speak.

        After they had stopped, and before they heard anything, they go on with what they were saying: what was begun
        on the first half is `cancelled`, and the response is measured from when they stop again. While the reply is
        played, they interrupt it.
        """
        self._course.speech_began(self._course.moment(at))

    @event
    def user_stopped(self, *, at: Moment | None = None) -> None:
        """The caller stopped speaking: from here on they wait."""
        self._course.reach(Mark.SPEECH_END, at)

    @event
    def interrupted(self, *, at: Moment | None = None) -> None:
        """The caller interrupted (barge-in): what still runs is cut short. The turn is still to be ended."""
        self._course.interrupt(self._course.moment(at))

    @event
    def stt_final(
        self,
        text: str | None = None,
        *,
        provider: str | None = None,
        model: str | None = None,
        audio_seconds: Amount | None = None,
        minutes: Amount | None = None,
        started: Moment | None = None,
        at: Moment | None = None,
    ) -> None:
        """The final transcript is there, or one of several parts of it.

        Args:
            text: What the caller said.
            provider: Who recognised it.
            model: With what.
            audio_seconds: How much audio is billed.
            minutes: The same, where it is billed by minutes.
            started: When recognition began; by default when the caller stopped, else when they started to speak.
            at: When it was there, if not now.
        """
        course = self._course
        now = course.moment(at)
        begun = course.recognition_start(now) if started is None else min(moment_ns(started), now)
        recognition = course.start(_STT, "stt", begun)
        recognition.consumed(provider, model, {"audio_seconds": audio_seconds, "minutes": minutes})
        recognition.told(text if course.captures else None)
        course.done(recognition, now)
        course.transcribed(now, text)

    @event
    def stt(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        audio_seconds: Amount | None = None,
        minutes: Amount | None = None,
        at: Moment | None = None,
    ) -> None:
        """What recognition consumed, where `stt_final` was not told. Called again, it adds; it may come late."""
        usage = {"audio_seconds": audio_seconds, "minutes": minutes}
        self._course.consumed(_STT, "stt", self._course.moment(at), provider, model, usage)

    # -- the agent and its model -------------------------------------------------------------------------------------

    @contextmanager
    def agent(self, name: str | None = None) -> Iterator[ActiveSpan | NoopSpan]:
        """Run an agent inside of the block: what is traced there is recorded below the turn.

        Args:
            name: Records an agent span of that name. Leave it out where the agent is traced by itself.

        Yields:
            The span that is current inside: the agent's, or the turn's.
        """
        self.agent_started()
        if not self.is_recorded or not enabled():
            yield self.span
            return
        span = self.span if name is None else start_span(_AGENT, name, parent=self.span)
        before = enter(span)
        try:
            yield span
        except BaseException as error:
            self._course.failed(error)
            if isinstance(span, ActiveSpan) and span is not self.span:
                fail(span, error)
            raise
        finally:
            leave(span, before)
            if span is not self.span:
                span.end()

    @contextmanager
    def current(self) -> Iterator[ActiveSpan | NoopSpan]:
        """Make the turn's span current inside of the block, for whatever else belongs to the turn."""
        if not self.is_recorded or not enabled():
            yield self.span
            return
        before = enter(self.span)
        try:
            yield self.span
        finally:
            leave(self.span, before)

    @event
    def agent_started(self, name: str | None = None, *, at: Moment | None = None) -> None:
        """An agent began to work on the reply, where there is no block to put it in.

        Args:
            name: Records an agent span of that name, until `agent_ended` or the start of another one. Leave it out
                where the agent is traced by itself.
            at: When, if not now.
        """
        course = self._course
        now = course.reach(Mark.AGENT_START, at)
        running = course.running(_AGENT)
        if name is not None and not course.is_over and (running is None or running.span.name != name):
            course.start(_AGENT, name, now)

    @event
    def agent_ended(self, output: Any = None, *, error: BaseException | None = None, at: Moment | None = None) -> None:
        """The agent is done.

        Args:
            output: Its reply.
            error: What went wrong, if it failed. The turn is then `degraded`: the caller hears something else.
            at: When, if not now.
        """
        course = self._course
        now = course.moment(at)
        agent = course.running(_AGENT)
        if output is not None and course.captures:
            self.span.set_output(output)
        if error is not None:
            course.failed(error)
        if agent is not None:
            agent.told(output if course.captures else None, error)
            agent.end(now)

    @event
    def model_started(self, name: str = "model", *, at: Moment | None = None) -> None:
        """A model was asked: records an `llm` span. Leave it out where the model's client is traced by itself."""
        now = self._course.moment(at)
        if not self._course.is_over and self._course.running(_LLM) is None:
            self._course.start(_LLM, name, now)

    @event
    def model_first_token(self, *, at: Moment | None = None) -> None:
        """The model's first token is there. The first of the turn counts."""
        now = self._course.reach(Mark.FIRST_TOKEN, at)
        model = self._course.running(_LLM)
        if model is not None:
            model.first_item(now)

    @event
    def model(
        self,
        *,
        provider: str | None = None,
        model: str | None = None,
        at: Moment | None = None,
        **usage: int | None,
    ) -> None:
        """What the model consumed: `input_tokens`, `output_tokens` and the others of `ActiveSpan.record_usage`.

        Called again, it adds; it may come late.
        """
        self._course.consumed(_LLM, "model", self._course.moment(at), provider, model, usage)

    @event
    def model_ended(
        self,
        output: Any = None,
        *,
        provider: str | None = None,
        model: str | None = None,
        at: Moment | None = None,
        **usage: int | None,
    ) -> None:
        """The model is done.

        Args:
            output: What it answered.
            provider: Who runs it.
            model: Which it was.
            at: When, if not now.
            **usage: What it consumed, as for `model`.
        """
        course = self._course
        now = course.moment(at)
        call = course.noticed(_LLM, "model", now)
        call.consumed(provider, model, usage)
        call.told(output if course.captures else None)
        course.done(call, now)

    # -- the reply ---------------------------------------------------------------------------------------------------

    @event
    def tts_started(self, text: str | None = None, *, at: Moment | None = None) -> None:
        """Speech was asked for: records a `tts` span. While it runs, more sentences belong to it."""
        course = self._course
        now = course.moment(at)
        if not course.is_over:
            course.spoken(course.running(_TTS) or course.start(_TTS, "tts", now), text)

    @event
    def tts_first_byte(self, *, at: Moment | None = None) -> None:
        """The first audio is there: the end of the silence. The first of the turn counts."""
        course = self._course
        now = course.reach(Mark.FIRST_BYTE, at)
        if not course.is_over:
            course.noticed(_TTS, "tts", now).first_item(now)

    @event
    def tts(
        self,
        characters: int | None = None,
        *,
        text: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        audio_seconds: Amount | None = None,
        at: Moment | None = None,
    ) -> None:
        """What speech consumed. Called again, it adds; it may come late.

        Args:
            characters: How many characters are billed; those of `text` by default.
            text: What is said, where `tts_started` was not told.
            provider: Who says it.
            model: With what.
            audio_seconds: How much audio was made, where that is billed.
            at: When, if not now.
        """
        course = self._course
        billed = len(text) if characters is None and text is not None else characters
        usage = {"characters": billed, "audio_seconds": audio_seconds}
        course.spoken(course.consumed(_TTS, "tts", course.moment(at), provider, model, usage), text)

    @event
    def tts_ended(self, *, at: Moment | None = None) -> None:
        """All audio is there."""
        now = self._course.moment(at)
        speech = self._course.running(_TTS)
        if speech is not None:
            speech.end(now)

    @event
    def bot_started(self, *, at: Moment | None = None) -> None:
        """The reply is played to the caller, where the transport says so."""
        self._course.heard(at)

    @event
    def bot_stopped(self, *, at: Moment | None = None) -> None:
        """The reply was played to its end, or to a pause. Who speaks from here on does not interrupt."""
        self._course.unheard(at)

    # -- the end -----------------------------------------------------------------------------------------------------

    @event
    def end(self, *, error: BaseException | None = None, at: Moment | None = None) -> None:
        """The turn is over: what still runs in it ends. A second end is ignored.

        Args:
            error: What went wrong, if the turn failed.
            at: When, if not now.
        """
        course = self._course
        if course.is_over:
            return
        now = course.moment(at)
        if error is not None:
            self.span.record_error(error)
        course.conclude(now)
        self.span.end(now)

    def next(self, *, at: Moment | None = None) -> "VoiceTurn":
        """The next turn of the call. This one ends, if it has not yet.

        Args:
            at: When, if not now.
        """
        self.end(at=at)
        number = None if self.number is None else self.number + 1
        capture = self._course.captures
        return VoiceTurn(call_id=self._call_id, number=number, name=self._name, capture=capture, at=at)

    def __enter__(self) -> "VoiceTurn":
        """The turn ends with the block. Its span does not become current: `current()` does that."""
        return self

    def __exit__(self, kind: object, error: BaseException | None, stack: object) -> None:
        self.end(error=error)

    def __del__(self) -> None:
        with suppress(Exception):  # a turn that was never made, or the end of the interpreter
            if self.is_recorded and not self._course.is_over:
                with self.lock:
                    self._course.abandon()

    def __repr__(self) -> str:
        number = "" if self.number is None else f" {self.number}"
        return f"<VoiceTurn{number} of {self._call_id!r}>"

    @property
    def is_recorded(self) -> bool:
        """Whether there is a span to report to; one that began before a fork is the parent's."""
        return isinstance(self.span, ActiveSpan) and self._generation == generation()
