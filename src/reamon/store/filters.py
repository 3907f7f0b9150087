"""Filters: which rows are meant, as typed values that are checked when they are made.

A filter means the rows that have every value given in it. What cannot be meant (an unknown status, a naive time, a
least value above the greatest) is refused by name before anything is asked.
"""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from reamon.errors import StoreError
from reamon.model import SpanKind
from reamon.model.cost import exact
from reamon.model.times import is_in_utc

TRACE_STATUSES: Final = ("running", "completed", "failed", "cancelled", "degraded", "interrupted")
"""How a workflow trace can be."""

SPAN_STATUSES: Final = ("running", "ok", "error", "cancelled", "degraded", "interrupted")
"""How an agent execution or an operation can be."""

_TOO_MUCH: Final = Decimal(10) ** 26  # amounts have 38 digits, twelve of them behind the point

OneOrMore: TypeAlias = str | Iterable[str] | None
Amount: TypeAlias = Decimal | int | str | None


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all filters: a stretch of time, of which `since` is part and `until` is not, and a project."""

    since: datetime | None = None
    until: datetime | None = None
    project: str | None = None

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {}
    _AMOUNTS: ClassVar[tuple[str, ...]] = ()
    _RANGES: ClassVar[tuple[tuple[str, str], ...]] = (("since", "until"),)

    def __post_init__(self) -> None:
        for name in ("since", "until"):
            self._check_time(name)
        for name, allowed in self._CHOICES.items():
            self._set(name, self._several(name, allowed))
        for name in self._AMOUNTS:
            self._set(name, self._amount(name))
        for least, most in self._RANGES:
            self._check_range(least, most)

    def _check_time(self, name: str) -> None:
        moment = getattr(self, name)
        if moment is None:
            return
        if not isinstance(moment, datetime):
            raise self._refusal(name, "is not a datetime")
        if moment.utcoffset() is None:
            raise self._refusal(name, "has no time zone: give it one, such as datetime.UTC")
        if not is_in_utc(moment):
            raise self._refusal(name, "is no moment of the years 1 to 9999 in UTC")

    def _several(self, name: str, allowed: tuple[str, ...]) -> tuple[str, ...] | None:
        value = getattr(self, name)
        if value is None:
            return None
        values = (value,) if isinstance(value, str) else tuple(value)
        unknown = [choice for choice in values if choice not in allowed] if allowed else []
        if unknown or not values:
            what = f"has {unknown[0]!r}" if unknown else "is empty"
            raise self._refusal(name, f"{what}; there are {', '.join(allowed)}" if allowed else what)
        return tuple(dict.fromkeys(values))

    def _amount(self, name: str) -> Decimal | None:
        value = getattr(self, name)
        if value is None:
            return None
        if isinstance(value, float):
            raise self._refusal(name, "is a float, which money never is: give a Decimal or a text")
        try:
            amount = exact(value)
        except ValueError as error:
            raise self._refusal(name, f"cannot be used: {error}") from None
        if amount.copy_abs() >= _TOO_MUCH:
            raise self._refusal(name, "is more than any amount can be")
        return amount

    def _check_range(self, least: str, most: str) -> None:
        low, high = getattr(self, least), getattr(self, most)
        for name, value in ((least, low), (most, high)):
            if isinstance(value, float) and value != value:  # noqa: PLR0124 - that is what tells a NaN
                raise self._refusal(name, "is not a number")
        if low is not None and high is not None and low > high:
            raise self._refusal(least, f"is more than {most}={high}")

    def _refusal(self, name: str, why: str) -> StoreError:
        value = getattr(self, name)
        return StoreError(
            f"{type(self).__name__}: {name}={value if isinstance(value, datetime) else repr(value)} {why}"
        )

    def _set(self, name: str, value: Any) -> None:
        msgspec.structs.force_setattr(self, name, value)


class _SpanFilter(RowFilter, frozen=True, kw_only=True):
    """What traces, executions and operations have in common."""

    call_id: str | None = None
    workflow: str | None = None
    tag: str | None = None
    status: OneOrMore = None
    min_cost: Amount = None
    max_cost: Amount = None
    min_duration_ms: float | None = None
    max_duration_ms: float | None = None
    error: str | None = None
    error_type: str | None = None

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"status": SPAN_STATUSES}
    _AMOUNTS: ClassVar[tuple[str, ...]] = ("min_cost", "max_cost")
    _RANGES: ClassVar[tuple[tuple[str, str], ...]] = (
        ("since", "until"),
        ("min_cost", "max_cost"),
        ("min_duration_ms", "max_duration_ms"),
    )


class TraceFilter(_SpanFilter, frozen=True, kw_only=True):
    """Which workflow traces are meant: those that have every value given here.

    Attributes:
        call_id: The conversation.
        workflow: The workflow's name.
        agent: The type of an agent that ran in it.
        status: One status as the table says it ("failed"), or several of which it has one.
        since: It began at this moment or later; aware.
        until: It began before this moment; aware.
        min_cost: Its known cost is at least this, in USD; one whose cost is unknown is left out.
        max_cost: Its known cost is at most this.
        min_duration_ms: It took at least so many milliseconds; one that still runs is left out.
        max_duration_ms: It took at most so many.
        tag: One of its tags.
        project: The project, where the store shows all of them.
        error: A text in its error's message or type, or in the reason of its status; A to Z in either case.
        error_type: Its error's type, exactly.
        outcome: How it ended for the caller ("appointment").

    Raises:
        StoreError: A value cannot be meant; the message names it.

    Example:
        >>> TraceFilter(status=("failed", "degraded"), min_cost="0.10").min_cost
        Decimal('0.10')
    """

    agent: str | None = None
    outcome: str | None = None

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"status": TRACE_STATUSES}


class ExecutionFilter(_SpanFilter, frozen=True, kw_only=True):
    """Which agent executions are meant: those that have every value given here.

    What `TraceFilter` has too means the same here, of the execution itself; `call_id`, `workflow`, `tag` and `project`
    are those of its trace.

    Attributes:
        trace_id: The trace that it ran in.
        agent: Its agent's type.
        decision: The action that it decided on.
        next_agent: The agent that it handed over to.
        min_confidence: How sure it was, at least; 0 to 1.
        max_confidence: How sure it was, at most.
    """

    trace_id: str | None = None
    agent: str | None = None
    decision: str | None = None
    next_agent: str | None = None
    min_confidence: float | None = None
    max_confidence: float | None = None

    _RANGES: ClassVar[tuple[tuple[str, str], ...]] = (*_SpanFilter._RANGES, ("min_confidence", "max_confidence"))


class OperationFilter(_SpanFilter, frozen=True, kw_only=True):
    """Which operations are meant: those that have every value given here.

    What `TraceFilter` has too means the same here, of the operation itself; `call_id`, `workflow`, `tag` and `project`
    are those of its trace.

    Attributes:
        trace_id: The trace that it ran in.
        kind: One kind ("llm"), or several of which it has one.
        name: Its name.
        provider: Who served it.
        model: The model that it asked.
    """

    trace_id: str | None = None
    kind: OneOrMore = None
    name: str | None = None
    provider: str | None = None
    model: str | None = None

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {
        "status": SPAN_STATUSES,
        "kind": tuple(kind.value for kind in SpanKind),
    }


class CostDetailFilter(RowFilter, frozen=True, kw_only=True):
    """Which cost details are meant: those that have every value given here, and count.

    Attributes:
        trace_id: The trace.
        span_id: The span that consumed what was paid for.
        call_id: The conversation of the trace.
        agent: The type of the nearest agent.
        cost_type: What was paid for ("llm"), or several of which it is one.
        provider: Who bills it.
        model: The model or the product.
        price_source: Where the price comes from ("stated").
        price_version: Which edition of that source.
        since: Its span ended at this moment or later; aware.
        until: Its span ended before this moment; aware.
        min_amount: It is known to be at least this, in USD.
        max_amount: It is known to be at most this.
        unknown: True: only those whose price is unknown; False: only the others.
        estimated: True: only those that rest on guessed usage; False: only the others.
        superseded: False: only those that count; True: only those that a repricing has put others in the place of;
            None: both.
        project: The project, where the store shows all of them.
    """

    trace_id: str | None = None
    span_id: str | None = None
    call_id: str | None = None
    agent: str | None = None
    cost_type: OneOrMore = None
    provider: str | None = None
    model: str | None = None
    price_source: str | None = None
    price_version: str | None = None
    min_amount: Amount = None
    max_amount: Amount = None
    unknown: bool | None = None
    estimated: bool | None = None
    superseded: bool | None = False

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"cost_type": ()}
    _AMOUNTS: ClassVar[tuple[str, ...]] = ("min_amount", "max_amount")
    _RANGES: ClassVar[tuple[tuple[str, str], ...]] = (("since", "until"), ("min_amount", "max_amount"))


class MetricFilter(RowFilter, frozen=True, kw_only=True):
    """Which windows of metrics are meant: those that have every value given here.

    Attributes:
        metric_type: What the series counts, or several of which it is one.
        labels: Labels that the series has, among others.
        window: How long the window is, in seconds.
        since: It begins at this moment or later; aware.
        until: It begins before this moment; aware.
        project: The project, where the store shows all of them.
    """

    metric_type: OneOrMore = None
    labels: dict[str, str] = {}
    window: int | None = None

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"metric_type": ()}


class AlertFilter(RowFilter, frozen=True, kw_only=True):
    """Which alerts are meant: those that have every value given here.

    Attributes:
        rule: The rule's name.
        labels: Labels that it has, among others.
        severity: How bad it is, or several of which it is one.
        state: Where it is in its life, or several of which it is one.
        open: True: only those that last; False: only those that are resolved.
        since: It was triggered at this moment or later; aware.
        until: It was triggered before this moment; aware.
        project: The project, where the store shows all of them.
    """

    rule: str | None = None
    labels: dict[str, str] = {}
    severity: OneOrMore = None
    state: OneOrMore = None
    open: bool | None = None

    _CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {"severity": (), "state": ()}
