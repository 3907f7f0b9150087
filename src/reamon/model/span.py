"""The span: the one thing that is recorded."""

from enum import StrEnum
from typing import Any, Final, NoReturn, Self

import msgspec

from reamon.model.cost import CostData
from reamon.model.payload import Payload
from reamon.model.usage import Usage


class SpanKind(StrEnum):
    """What a span is."""

    WORKFLOW = "workflow"
    AGENT = "agent"
    LLM = "llm"
    TOOL = "tool"
    RETRIEVAL = "retrieval"
    STT = "stt"
    TTS = "tts"
    TELEPHONY = "telephony"
    STEP = "step"


class SpanStatus(StrEnum):
    """How a span ended, or that it has not."""

    RUNNING = "running"
    OK = "ok"
    ERROR = "error"
    CANCELLED = "cancelled"
    DEGRADED = "degraded"
    INTERRUPTED = "interrupted"


class SpanEvent(msgspec.Struct, frozen=True):
    """Something that happened at one moment of a span.

    Attributes:
        name: What happened.
        time_ns: When, in nanoseconds since 1970.
        attributes: More about it, JSON-like.
    """

    name: str
    time_ns: int
    attributes: dict[str, Any] = {}


class SpanError(msgspec.Struct, frozen=True):
    """What went wrong.

    Attributes:
        type: The exception's class, with its module where that is not `builtins`.
        message: Its text.
        stack: The formatted traceback.
    """

    type: str
    message: str
    stack: str = ""


class SpanLink(msgspec.Struct, frozen=True, omit_defaults=True):
    """A relation to a span that is not the parent.

    Attributes:
        trace_id: The other span's trace.
        span_id: The other span.
        relation: What it is to this one. "parent_trace": the workflow in which this workflow was started;
            "remote_parent": the caller in another process, by its W3C ids; "langsmith_parent": the caller's LangSmith
            run, on every span of the trace; "otel_trace": the application's OpenTelemetry span that was active when
            the trace opened, or of which its root was made, by its W3C ids.
        context: The other span as its own system writes it (LangSmith: the dotted order).
    """

    trace_id: str
    span_id: str
    relation: str = "linked"
    context: str | None = None


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an agent decided.

    Attributes:
        next_agent: Who is to go on.
        reasoning: Why, in the agent's words.
        confidence: How sure it was, 0 to 1.
        action: What it decided to do.
    """

    next_agent: str | None = None
    reasoning: str | None = None
    confidence: float | None = None
    action: str | None = None


class FrozenAttributes(dict[str, Any]):
    """The attributes of all spans that have none: one dict for all, hence one that cannot be changed."""

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("a Span is a record and does not change; make another with span.replace(attributes={...})")

    __setitem__ = __delitem__ = __ior__ = clear = pop = popitem = setdefault = update = _refuse


NO_ATTRIBUTES: Final = FrozenAttributes()


class Span(msgspec.Struct, frozen=True, gc=False):
    """The immutable record of something that ran: what exporters, processors and collectors see.

    A workflow that has begun is a Span too, with status `running` and no end (`Exporter.started`).

    Attributes:
        span_id: UUIDv7 as text.
        trace_id: The id of the trace's root span.
        parent_id: The enclosing span, or None for a root.
        ancestors: The ids of all enclosing spans of the trace, root first, parent last.
        kind: What it is.
        name: The given name, or the function's.
        status: How it ended.
        start_ns: Wall time of the start, nanoseconds since 1970.
        end_ns: Wall time of the end, never before the start; None while it runs.
        process_id: The process (a UUID) that recorded it.
        call_id: The conversation that the trace belongs to.
        project: The project that the trace belongs to.
        tags: The trace's tags.
        version: The version given to the workflow or the agent.
        metadata: The trace's metadata, on its root.
        agent_type: For an agent, its type.
        agent_id: The nearest agent: this span itself if it is one, else the closest enclosing one.
        execution_order: For an agent, its place in the trace, counted from 1 in order of start.
        input: Snapshot of the arguments at the start.
        output: Snapshot of the result at the end.
        state_before: Snapshot of the agent's state before it ran.
        state_after: Snapshot of the agent's state after it ran.
        decision: What the agent decided.
        outcome: How the conversation ended, where the application said so.
        usage: What was consumed, one entry for each time the application or an integration recorded some.
        costs: What that cost.
        attributes: More about it, JSON-like values by name.
        events: What happened meanwhile.
        error: What went wrong.
        status_reason: Why the status is what it is, where somebody said so.
        links: Related spans.
        queue_wait_ns: Time spent waiting for a turn, apart from work.
        first_token_ns: Time from the start to the first token or item.
    """

    span_id: str
    trace_id: str
    kind: SpanKind
    name: str
    status: SpanStatus
    start_ns: int
    end_ns: int | None = None
    parent_id: str | None = None
    ancestors: tuple[str, ...] = ()
    process_id: str | None = None
    call_id: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    version: str | None = None
    metadata: Payload | None = None
    agent_type: str | None = None
    agent_id: str | None = None
    execution_order: int | None = None
    input: Payload | None = None
    output: Payload | None = None
    first_token_ns: int | None = None
    attributes: dict[str, Any] = {}
    outcome: str | None = None
    state_before: Payload | None = None
    state_after: Payload | None = None
    decision: Decision | None = None
    usage: tuple[Usage, ...] = ()
    costs: tuple[CostData, ...] = ()
    events: tuple[SpanEvent, ...] = ()
    error: SpanError | None = None
    status_reason: str | None = None
    links: tuple[SpanLink, ...] = ()
    queue_wait_ns: int | None = None

    @property
    def duration_ns(self) -> int | None:
        """How long it took, or None while it runs."""
        return None if self.end_ns is None else self.end_ns - self.start_ns

    @property
    def is_root(self) -> bool:
        """Whether the trace begins here."""
        return self.parent_id is None

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed: how a processor edits a span."""
        return msgspec.structs.replace(self, **changes)
