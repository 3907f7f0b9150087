"""The active span: the handle while something runs."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from itertools import islice
from math import isfinite
from typing import Any

import msgspec

from reamon.guard import guard, guarded
from reamon.model import CostData, Decision, SpanEvent, SpanKind, SpanStatus
from reamon.model.ids import uuid7
from reamon.model.times import NANOS_PER_SECOND
from reamon.tracing._error import describe_error, is_cancellation
from reamon.tracing._state import ATTRIBUTES, Details, Spec, Trace, making
from reamon.tracing._switch import switch
from reamon.tracing._values import (
    LONGEST_NAME,
    amount_of,
    cost_of,
    label_of,
    name_of,
    nanoseconds,
    plain,
    snapshot_of,
    text_of,
    usage_of,
    words_of,
)

_LONGEST_WAIT = 1 << 62
_amount_beside = guarded(default=None)(lambda given: None if given is None else amount_of(given))
_words_of = guarded(default=None)(words_of)
_SETTABLE = frozenset(status.value for status in SpanStatus) - {"running", "interrupted"}


class ActiveSpan(msgspec.Struct, gc=False, eq=False):
    """A span that runs. What you record goes into its `Span` when it ends; what comes later is too late and ignored.

    No method raises, whatever it is given: what cannot be recorded is counted in `stats().internal_errors`.

    The struct is filled by position on the hot path; its fields are the library's, its methods and properties yours.
    """

    spec: Spec
    parent: "ActiveSpan | None"
    trace: Trace
    start: int
    random: int
    raw_input: bytes | None
    generation: int
    order: int | None = None
    end_mark: int = 0
    raw_output: bytes | None = None
    first_token: int | None = None
    details: Details | None = None
    id: str | None = None
    below: "tuple[tuple[str, ...], str | None] | None" = None

    # -- who it is ---------------------------------------------------------------------------------------------------

    @property
    def span_id(self) -> str:
        """The id, a UUIDv7 as text. Made on demand: formatting it takes longer than everything else at the start."""
        identity = self.id
        if identity is None:
            identity = self.id = uuid7(self.start + self.trace.offset, self.random)
        return identity

    @property
    def trace_id(self) -> str:
        """The id of the trace, which is its root's."""
        return self.trace.trace_id

    @property
    def parent_id(self) -> str | None:
        """The id of the enclosing span, or None."""
        return self.parent.span_id if self.parent is not None else None

    @property
    def ancestors(self) -> tuple[str, ...]:
        """The ids of the enclosing spans, root first."""
        return self.lineage[0][:-1]

    @property
    def lineage(self) -> tuple[tuple[str, ...], str | None]:
        """What all children share, made once: the ids from the root to this span, and the nearest agent's."""
        unknown: list[ActiveSpan] = []
        node: ActiveSpan | None = self
        while node is not None and node.below is None:
            unknown.append(node)
            node = node.parent
        lineage: tuple[tuple[str, ...], str | None] = ((), None) if node is None or node.below is None else node.below
        for span in reversed(unknown):  # a loop, because spans may nest deeper than Python's calls
            ancestors, agent = lineage
            span_id = span.span_id
            lineage = span.below = (*ancestors, span_id), span_id if span.spec.kind is SpanKind.AGENT else agent
        return lineage

    @property
    def kind(self) -> SpanKind:
        """What it is."""
        return self.spec.kind

    @property
    def name(self) -> str:
        """What it is called."""
        return self.spec.name

    @property
    def call_id(self) -> str | None:
        """The conversation of the trace."""
        return self.trace.call_id

    @property
    def is_recording(self) -> bool:
        """Whether it still takes anything in."""
        return not self.end_mark

    def __repr__(self) -> str:
        return f"<ActiveSpan {self.kind.value} {self.name!r} {self.span_id}>"

    # -- what is recorded --------------------------------------------------------------------------------------------

    @guarded(default=None)
    def set_input(self, value: Any) -> None:
        """Snapshot `value` as the input."""
        if not self.end_mark:
            self.raw_input = snapshot_of(value)

    @guarded(default=None)
    def set_output(self, value: Any) -> None:
        """Snapshot `value` as the output, in place of what is returned."""
        if not self.end_mark:
            self.raw_output = snapshot_of(value)

    @guarded(default=None)
    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute. Values are captured as they are now."""
        name = key if type(key) is str and len(key) <= LONGEST_NAME else text_of(key, LONGEST_NAME)
        self._more().set(name, plain(value))

    @guarded(default=None)
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes. One that cannot be set does not cost the others."""
        if type(attributes) is dict and len(attributes) <= ATTRIBUTES:
            attributes = attributes.copy()  # in one step: another thread may change it
        given = list(islice(attributes.items(), ATTRIBUTES + 1))
        for key, value in given:
            self.set_attribute(key, value)
        if len(given) > ATTRIBUTES:
            self._more().attributes_cut += len(attributes) - len(given)

    @guarded(default=None)
    def add_event(self, name: str, /, **attributes: Any) -> None:
        """Note that something happened now."""
        moment = self._now()
        said = {text_of(key, LONGEST_NAME): plain(value) for key, value in islice(attributes.items(), ATTRIBUTES)}
        self._more().add(SpanEvent(text_of(name, LONGEST_NAME), moment, said))

    @guarded(default=None)
    def set_state(self, before: Any = None, after: Any = None) -> None:
        """Snapshot the agent's state before and after it ran; either may be given alone."""
        more = self._more()
        if before is not None:
            more.state_before = snapshot_of(before)
        if after is not None:
            more.state_after = snapshot_of(after)

    @guarded(default=None)
    def set_call_id(self, call_id: object) -> None:
        """Say which conversation the trace belongs to, where that is known late."""
        self.trace.call_id = name_of(call_id)

    @guarded(default=None)
    def set_agent_type(self, agent_type: object) -> None:
        """Say which agent this is, where that is known late; an enum gives its value. For agents only."""
        if self.kind is not SpanKind.AGENT:
            raise ValueError(f"a {self.kind.value} has no agent type")
        self.spec = msgspec.structs.replace(self.spec, agent_type=name_of(agent_type))

    @guarded(default=None)
    def set_status(self, status: str, reason: str | None = None) -> None:
        """Say how it went: "ok", "degraded", "error" or "cancelled", and why. It stands unless an exception leaves."""
        word = name_of(status)
        if word not in _SETTABLE:
            raise ValueError(f"set_status() takes one of {', '.join(sorted(_SETTABLE))}, not {word!r}")
        more = self._more()
        more.status = word
        more.status_reason = _words_of(reason)

    @guarded(default=None)
    def set_outcome(self, outcome: str, **attributes: Any) -> None:
        """Say how the conversation ended ("appointment", "not_interested"), with more about it as attributes.

        May be said on any span of the trace: the outcome is the trace's.
        """
        self.trace.outcome = self._more().outcome = name_of(outcome)
        self.set_attributes(attributes)

    @guarded(default=None)
    def record_usage(
        self, *, provider: str | None = None, model: str | None = None, **consumed: int | float | Decimal | None
    ) -> None:
        """Record what was consumed. Called again, it adds: a retry that was billed is one more usage.

        Args:
            provider: Who bills it.
            model: The model or the product.
            **consumed: The amounts that apply, by the names of `reamon.Usage`: `input_tokens` (the cached ones
                included), `output_tokens`, `cached_input_tokens`, `cached_audio_tokens`, `cache_write_tokens`,
                `cache_write_1h_tokens`, `reasoning_tokens`, `input_audio_tokens`, `output_audio_tokens`, `characters`,
                `audio_seconds`, `minutes`, `messages`, `web_searches`, `requests`. None is unknown, and is left out.
        """
        self._more().usage.append(usage_of(provider, model, consumed))

    @guarded(default=None)
    def record_cost(
        self,
        amount: Decimal | int | str | float | None,
        *,
        cost_type: str,
        provider: str | None = None,
        model: str | None = None,
        usage_units: Decimal | int | str | float | None = None,
        unit: str | None = None,
        unit_cost: Decimal | int | str | float | None = None,
        price_source: str = "stated",
        price_version: str = "stated",
        effective_date: str | None = None,
    ) -> None:
        """State what something cost.

        Args:
            amount: USD; None where no price is known, which is not the same as free. More than 10^9 is not believed,
                and recorded as unknown.
            cost_type: What was paid for: "llm", "tts", "stt", "telephony", "infrastructure" or a name of your own.
            provider: Who bills it.
            model: The model or the product.
            usage_units: How many units were consumed.
            unit: What a unit is.
            unit_cost: USD for one unit.
            price_source: Where the price comes from.
            price_version: Which edition of that source.
            effective_date: The date (ISO 8601) on which the price took effect.
        """
        cost = None if amount is None else cost_of(amount)
        self._more().costs.append(
            CostData(
                cost_type=str(label_of(cost_type)),
                amount=cost,
                provider=label_of(provider),
                model=label_of(model),
                usage_units=_amount_beside(usage_units),
                unit=label_of(unit),
                unit_cost=_amount_beside(unit_cost),
                price_source=str(label_of(price_source)),
                price_version=str(label_of(price_version)),
                effective_date=label_of(effective_date),
            )
        )

    @guarded(default=None)
    def record_wait(self, seconds: float) -> None:
        """Record time spent waiting for a turn (a lock, a queue, a slot), apart from work. Called again, it adds."""
        nanos = round(max(float(seconds), 0.0) * NANOS_PER_SECOND)
        more = self._more()
        with making.lock:
            waited = (more.queue_wait_ns or 0) + nanos
            if waited > _LONGEST_WAIT:
                raise ValueError(f"nobody waits for {seconds!r} seconds")
            more.queue_wait_ns = waited

    @guarded(default=None)
    def mark_first_token(self) -> None:
        """Note that the first token, item or byte of audio is there. Only the first call counts."""
        recorder = switch.recorder
        if self.first_token is None and recorder is not None and not self.end_mark:
            self.first_token = recorder.now()

    @guarded(default=None)
    def record_decision(
        self,
        *,
        next_agent: object = None,
        reasoning: str | None = None,
        confidence: float | None = None,
        action: str | None = None,
    ) -> None:
        """Record what the agent decided.

        Args:
            next_agent: Who is to go on; an enum gives its value.
            reasoning: Why.
            confidence: How sure it is, 0 to 1.
            action: What it decided to do.
        """
        self._more().decision = Decision(
            next_agent=label_of(next_agent),
            reasoning=_words_of(reasoning),
            confidence=_confidence_of(confidence),
            action=label_of(action),
        )

    @guarded(default=None)
    def record_error(self, error: BaseException) -> None:
        """Record an exception that you handle yourself. The status becomes "error" unless you set another."""
        more = self._more()
        if more.status is None:
            more.status = "cancelled" if is_cancellation(error) else "error"
        more.error = describe_error(error)

    @guarded(default=None)
    def end(self, end: datetime | int | float | None = None) -> None:
        """End a span of `start_span()`; decorators and `with` statements do it themselves. A second end is ignored.

        Args:
            end: When it ended, if not now: an aware datetime, seconds or integer nanoseconds since 1970.
        """
        recorder = switch.recorder
        if recorder is None or self.end_mark:
            return
        now = recorder.now()
        try:
            self.end_mark = now if end is None else max(nanoseconds(end) - self.trace.offset, self.start)
        except Exception as error:
            guard.contain("ActiveSpan.end", error)
            self.end_mark = now
        if self.generation == recorder.generation:
            queue = recorder.queue
            queue.append(self)
            if len(queue) >= queue.wake_at:
                pending = queue.wake()
                if pending is not None:
                    pending.wait()

    # -- for the library ---------------------------------------------------------------------------------------------

    def _more(self) -> Details:
        if self.end_mark:
            return Details()  # too late: the worker may have made the record already
        details = self.details
        if details is None:
            with making.lock:  # two threads that record at once must not make two
                details = self.details
                if details is None:
                    details = self.details = Details()
        return details

    def _now(self) -> int:
        recorder = switch.recorder
        return self.start + self.trace.offset if recorder is None else recorder.now() + self.trace.offset


@guarded(default=None)
def _confidence_of(given: Any) -> float | None:
    confidence = None if given is None else float(given)
    if confidence is not None and not isfinite(confidence):
        raise ValueError(f"a confidence is a number, not {confidence}")
    return confidence
