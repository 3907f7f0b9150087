"""Facts: the narrow columns that figures are computed from, without payloads."""

from datetime import datetime
from decimal import Decimal

import msgspec


class TurnFact(msgspec.Struct, frozen=True, kw_only=True):
    """A workflow trace."""

    trace_id: str
    call_id: str | None
    status: str
    outcome: str | None
    start_time: datetime
    duration_ms: float | None


class AgentFact(msgspec.Struct, frozen=True, kw_only=True):
    """An agent execution."""

    agent_type: str
    status: str
    duration_ms: float | None
    queue_wait_ms: float | None
    cost: Decimal | None


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True):
    """All calls of one model together.

    Attributes:
        provider: Who serves it.
        model: Its name.
        calls: How many model calls were recorded.
        counted: How many of them said what they used; the token sums are over these.
        input_tokens: The sum, or None where nothing is known.
        output_tokens: The sum, or None where nothing is known.
        cached_input_tokens: The part of the input tokens that came from a cache, or None where nothing is known.
    """

    provider: str | None
    model: str | None
    calls: int
    counted: int
    input_tokens: int | None
    output_tokens: int | None
    cached_input_tokens: int | None


class CostFact(msgspec.Struct, frozen=True, kw_only=True):
    """A cost detail; `amount` is None where no price was known."""

    trace_id: str
    cost_type: str
    amount: Decimal | None


class ErrorFact(msgspec.Struct, frozen=True, kw_only=True):
    """A span that recorded an error."""

    span_id: str
    parent_id: str | None
    trace_id: str
    kind: str
    name: str
    error_type: str
    error_message: str | None


class StepFact(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of work: a span with nothing below it."""

    span_id: str
    trace_id: str
    kind: str
    name: str
    duration_ms: float


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a summary is made of, as it was at one moment.

    Attributes:
        turns: All workflow traces, in order of their start.
        agents: All agent executions, in order of their start.
        models: What each model was asked and used.
        costs: All cost details.
        unbilled: For each span that used something and has no cost detail, its trace's id.
        errors: All spans that recorded an error.
        slowest: The slowest piece of work.
    """

    turns: list[TurnFact]
    agents: list[AgentFact]
    models: list[ModelUsage]
    costs: list[CostFact]
    unbilled: list[str]
    errors: list[ErrorFact]
    slowest: StepFact | None
