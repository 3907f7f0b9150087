"""The active span: the handle while something runs."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from reamon.guard import guard, guarded
from reamon.model import CostData, Decision, Payload, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus, Usage
from reamon.model.cost import exact, rounded
from reamon.model.ids import uuid7
from reamon.model.times import NANOS_PER_SECOND, from_datetime
from reamon.model.usage import AMOUNTS, COUNTS
from reamon.tracing._error import describe_error, is_cancellation
from reamon.tracing._switch import switch
from reamon.tracing.capture import DEFAULT_LIMIT, snapshot

_SCALARS = frozenset((int, float, bool, type(None)))
_SETTABLE = frozenset(status.value for status in SpanStatus) - {"running", "interrupted"}


class Spec(msgspec.Struct, frozen=True, gc=False, kw_only=True, eq=False):
    """What all spans of one decorator or `with` statement have in common."""

    kind: SpanKind
    name: str
    agent_type: str | None = None
    version: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Payload | None = None


class Trace(msgspec.Struct, gc=False, eq=False):
    """What all spans of one trace share. It does not refer to its root: a cycle would never be collected."""

    offset: int
    call_id: str | None
    project: str | None
    tags: tuple[str, ...]
    agents: Iterator[int | None]
    start: int
    random: int
    id: str | None = None
    outcome: str | None = None

    @property
    def trace_id(self) -> str:
        """The id, which is the root's; made on demand, like a span's."""
        identity = self.id
        if identity is None:
            identity = self.id = uuid7(self.start + self.offset, self.random)
        return identity


class Details(msgspec.Struct, gc=False, eq=False):
    """What few spans have, made when the first of it is recorded."""

    attributes: dict[str, Any] = {}
    events: list[SpanEvent] = []
    usage: list[Usage] = []
    costs: list[CostData] = []
    links: list[SpanLink] = []
    error: SpanError | None = None
    status: str | None = None
    status_reason: str | None = None
    state_before: bytes | None = None
    state_after: bytes | None = None
    decision: Decision | None = None
    outcome: str | None = None
    queue_wait_ns: int | None = None


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
        return () if self.parent is None else self.parent.lineage[0]

    @property
    def lineage(self) -> tuple[tuple[str, ...], str | None]:
        """What all children share, made once: the ids from the root to this span, and the nearest agent's."""
        below = self.below
        if below is None:
            ancestors, agent = ((), None) if self.parent is None else self.parent.lineage
            span_id = self.span_id
            below = self.below = (*ancestors, span_id), span_id if self.spec.kind is SpanKind.AGENT else agent
        return below

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
        self.raw_input = _snapshot(value)

    @guarded(default=None)
    def set_output(self, value: Any) -> None:
        """Snapshot `value` as the output, in place of what is returned."""
        self.raw_output = _snapshot(value)

    @guarded(default=None)
    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute. Values are captured as they are now."""
        self._more().attributes[str(key)] = _plain(value)

    @guarded(default=None)
    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes."""
        more = self._more().attributes
        for key, value in attributes.items():
            more[str(key)] = _plain(value)

    @guarded(default=None)
    def add_event(self, name: str, /, **attributes: Any) -> None:
        """Note that something happened now."""
        event = SpanEvent(str(name), self._now(), {key: _plain(value) for key, value in attributes.items()})
        self._more().events.append(event)

    @guarded(default=None)
    def set_state(self, before: Any = None, after: Any = None) -> None:
        """Snapshot the agent's state before and after it ran; either may be given alone."""
        more = self._more()
        if before is not None:
            more.state_before = _snapshot(before)
        if after is not None:
            more.state_after = _snapshot(after)

    @guarded(default=None)
    def set_call_id(self, call_id: object) -> None:
        """Say which conversation the trace belongs to, where that is known late."""
        self.trace.call_id = str(call_id)

    @guarded(default=None)
    def set_status(self, status: str, reason: str | None = None) -> None:
        """Say how it went: "ok", "degraded", "error" or "cancelled", and why. It stands unless an exception leaves."""
        if status not in _SETTABLE:
            raise ValueError(f"set_status() takes one of {', '.join(sorted(_SETTABLE))}, not {status!r}")
        more = self._more()
        more.status = str(SpanStatus(status).value)
        more.status_reason = None if reason is None else str(reason)

    @guarded(default=None)
    def set_outcome(self, outcome: str, **attributes: Any) -> None:
        """Say how the conversation ended ("appointment", "not_interested"), with more about it as attributes.

        May be said on any span of the trace: the outcome is the trace's.
        """
        self.trace.outcome = self._more().outcome = str(outcome)
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
                included), `output_tokens`, `cached_input_tokens`, `cache_write_tokens`, `reasoning_tokens`,
                `input_audio_tokens`, `output_audio_tokens`, `characters`, `audio_seconds`, `minutes`, `messages`,
                `requests`. None is unknown, and is left out.
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
            amount: USD; None where no price is known, which is not the same as free.
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
        cost = None if amount is None else rounded(exact(amount))
        if cost is not None and cost < 0:
            raise ValueError(f"a cost is not negative: {amount!r}")
        self._more().costs.append(
            CostData(
                cost_type=str(cost_type),
                amount=cost,
                provider=provider,
                model=model,
                usage_units=None if usage_units is None else exact(usage_units),
                unit=unit,
                unit_cost=None if unit_cost is None else exact(unit_cost),
                price_source=price_source,
                price_version=price_version,
                effective_date=effective_date,
            )
        )

    @guarded(default=None)
    def record_wait(self, seconds: float) -> None:
        """Record time spent waiting for a turn (a lock, a queue, a slot), apart from work. Called again, it adds."""
        more = self._more()
        more.queue_wait_ns = (more.queue_wait_ns or 0) + round(max(float(seconds), 0.0) * NANOS_PER_SECOND)

    @guarded(default=None)
    def mark_first_token(self) -> None:
        """Note that the first token, item or byte of audio is there. Only the first call counts."""
        recorder = switch.recorder
        if self.first_token is None and recorder is not None:
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
            next_agent=_name(next_agent),
            reasoning=None if reasoning is None else str(reasoning),
            confidence=None if confidence is None else float(confidence),
            action=_name(action),
        )

    @guarded(default=None)
    def record_error(self, error: BaseException) -> None:
        """Record an exception that you handle yourself. The status becomes "error" unless you set another."""
        more = self._more()
        more.error = describe_error(error)
        if more.status is None:
            more.status = "cancelled" if is_cancellation(error) else "error"

    @guarded(default=None)
    def end(self, end: datetime | int | float | None = None) -> None:
        """End a span of `start_span()`; decorators and `with` statements do it themselves. A second end is ignored.

        Args:
            end: When it ended, if not now: an aware datetime, seconds or integer nanoseconds since 1970.
        """
        recorder = switch.recorder
        if recorder is None or self.end_mark:
            return
        self.end_mark = recorder.now() if end is None else max(nanoseconds(end) - self.trace.offset, self.start)
        if self.generation == recorder.generation:
            queue = recorder.queue
            queue.append(self)
            if len(queue) >= queue.wake_at:
                queue.wake()

    # -- for the library ---------------------------------------------------------------------------------------------

    def _more(self) -> Details:
        details = self.details
        if details is None:
            details = self.details = Details()
        return details

    def _now(self) -> int:
        recorder = switch.recorder
        return self.start + self.trace.offset if recorder is None else recorder.now() + self.trace.offset


def usage_of(provider: object, model: object, consumed: Mapping[str, Any]) -> Usage:
    """A `Usage` of loosely typed amounts; what is unknown by name or negative is counted and left out."""
    amounts: dict[str, Any] = {}
    for name, amount in consumed.items():
        if amount is None:
            continue
        try:
            if name in COUNTS:
                number: int | Decimal = int(amount)
            elif name in AMOUNTS:
                number = exact(amount)
            else:
                raise TypeError(f"record_usage() has no {name!r}; it takes {', '.join(COUNTS + AMOUNTS)}")
            if number < 0:
                raise ValueError(f"{name} is negative: {amount!r}")
            amounts[name] = number
        except (TypeError, ValueError) as error:
            guard.contain("record_usage", error)
    return Usage(
        provider=None if provider is None else str(provider), model=None if model is None else str(model), **amounts
    )


def nanoseconds(moment: datetime | int | float) -> int:
    """A moment as nanoseconds since 1970: a datetime, integer nanoseconds, or seconds as a float.

    Raises:
        TypeError: It is none of these.
    """
    if isinstance(moment, datetime):
        return from_datetime(moment)
    if isinstance(moment, int) and not isinstance(moment, bool):
        return moment
    if isinstance(moment, float):
        return round(moment * NANOS_PER_SECOND)
    raise TypeError(f"a moment is a datetime, integer nanoseconds or float seconds, not {type(moment).__name__}")


def _snapshot(value: Any) -> bytes:
    recorder = switch.recorder
    return snapshot(value, DEFAULT_LIMIT if recorder is None else recorder.payload_limit)


def _plain(value: Any) -> Any:
    """An attribute's value as JSON has it, free of references into the application."""
    if type(value) in _SCALARS and value == value:  # noqa: PLR0124 - NaN is not
        return value
    return msgspec.json.decode(_snapshot(value))


def _name(value: object) -> str | None:
    """A name that may be given as an enum."""
    return None if value is None else str(getattr(value, "value", value))
