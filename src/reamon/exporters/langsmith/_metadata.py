"""Metadata: everything about a span that LangSmith has no field for, by names that its filters can use."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from reamon.exporters.langsmith._consumption import other_usage, total_usage, usage_metadata
from reamon.exporters.langsmith._payloads import sound
from reamon.model import Payload, Span, SpanKind, SpanStatus
from reamon.model.times import iso

_KIND: Final = {kind: kind.value for kind in SpanKind}
_AGENT: Final = SpanKind.AGENT  # looked up once: Python 3.11 finds a member of an enum by way of a descriptor
_OK: Final = SpanStatus.OK
_SHOWN_BY_LANGSMITH: Final = frozenset({SpanStatus.OK, SpanStatus.ERROR, SpanStatus.RUNNING})
_FAILED: Final = frozenset({SpanStatus.ERROR, SpanStatus.CANCELLED, SpanStatus.INTERRUPTED})
_INTERRUPTS: Final = frozenset({"GraphInterrupt", "NodeInterrupt", "GraphBubbleUp"})
_NANOS_PER_MILLI: Final = 1_000_000
_MODEL: Final = {
    "ls_provider": ("gen_ai.provider.name", "gen_ai.system"),
    "ls_model_name": ("gen_ai.request.model", "gen_ai.response.model"),
    "ls_temperature": ("gen_ai.request.temperature",),
    "ls_max_tokens": ("gen_ai.request.max_tokens",),
}
_members: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def metadata_of(span: Span, *, is_moved: bool = False, hide: bool = False) -> dict[str, Any]:
    """The metadata of the run that `span` becomes, ready to be encoded.

    What the application said (the trace's metadata, on its root, and the attributes) comes first, and our own names
    stand against it, except for the model's: who sets `ls_model_name` by hand means it.

    Args:
        span: The span.
        is_moved: Whether the run's start is not the span's, so that the true one has to be told here.
        hide: Leave only what LangSmith counts by: the model and what was consumed.
    """
    metadata = _model(span) if span.attributes or span.usage else {}
    if not hide:
        if span.metadata is not None:
            metadata |= _spliced(span.metadata)
        if span.attributes:
            metadata |= span.attributes
        metadata |= _identity(span)
        metadata |= _course(span)
        if is_moved:
            metadata["reamon_start_time"] = iso(span.start_ns)
    if (span.usage or span.costs) and (used := usage_metadata(span)):
        metadata["usage_metadata"] = used
    if (span.error is not None or span.events) and is_interrupt(span):
        metadata["ls_is_error_interrupt"] = True
    return metadata


def is_plain(span: Span) -> bool:
    """Whether there is nothing to tell but what kind it is, and what is the same throughout its trace.

    Most steps and tools are. Their metadata need not be put together again and again, which takes a tenth of `to_run`.
    """
    return not (
        span.attributes
        or span.usage
        or span.costs
        or span.links
        or span.events
        or span.kind is _AGENT
        or span.status is not _OK
        or span.metadata is not None
        or span.error is not None
        or span.status_reason is not None
        or span.decision is not None
        or span.outcome is not None
        or span.execution_order is not None
        or span.queue_wait_ns is not None
        or span.first_token_ns is not None
    )


def error_text(span: Span) -> str | None:
    """What LangSmith shows as the run's error; None where the run did not fail."""
    error = span.error
    if span.status not in _FAILED and not is_interrupt(span):
        return None
    if error is not None:
        said = f"{error.type}: {error.message}" if error.message else error.type
        return f"{said}\n\n{error.stack}" if error.stack else said
    if (asked := _asked(span)) is not None:
        return f"GraphInterrupt: {', '.join(map(str, asked))}"
    if span.status is SpanStatus.INTERRUPTED:
        return f"interrupted: {span.status_reason or 'the process that ran it died'}"
    if span.status is SpanStatus.CANCELLED:
        return f"CancelledError: {span.status_reason}" if span.status_reason else "CancelledError"
    return span.status_reason or "error"


def is_interrupt(span: Span) -> bool:
    """Whether a LangGraph graph stopped to ask somebody: by its event, or by the exception with which it says so."""
    if span.error is None:
        return _asked(span) is not None
    return span.error.type.rpartition(".")[2] in _INTERRUPTS


def _asked(span: Span) -> Sequence[Any] | None:
    """What a graph that stopped wants to know, as `instrument("langgraph")` records it; None if it did not stop."""
    for event in span.events:
        if event.name == "interrupt" and isinstance(values := event.attributes.get("values"), list):
            return values
    return None


def _model(span: Span) -> dict[str, Any]:
    """Which model was called, by what was billed or else by what the attributes say."""
    said: dict[str, Any] = {}
    attributes = span.attributes
    for name, keys in _MODEL.items():
        for key in keys:
            if key in attributes and attributes[key] is not None:
                said[name] = attributes[key]
                break
    for entry in reversed(span.usage):
        if entry.provider is not None:
            said["ls_provider"] = entry.provider
        if entry.model is not None:
            said["ls_model_name"] = entry.model
    return said


def _identity(span: Span) -> dict[str, Any]:
    """Who it was: the conversation, the agent and its place."""
    said: dict[str, Any] = {"reamon_kind": _KIND[span.kind]}
    if span.call_id is not None:
        said["thread_id"] = span.call_id
    if span.project is not None:
        said["project"] = span.project
    if span.version is not None:
        said["version"] = span.version
    if span.kind is _AGENT:
        said["agent_type"] = span.agent_type or span.name
    if span.execution_order is not None:
        said["execution_order"] = span.execution_order
    return said


def _course(span: Span) -> dict[str, Any]:
    """How it went: decision, outcome, waiting, status."""
    said: dict[str, Any] = {}
    decision = span.decision
    if decision is not None:
        said["decision"] = decision
        if decision.next_agent is not None:
            said["next_agent"] = decision.next_agent
        if decision.confidence is not None:
            said["confidence"] = decision.confidence
    if span.outcome is not None:
        said["outcome"] = span.outcome
    if span.queue_wait_ns is not None:
        said["queue_wait_ms"] = span.queue_wait_ns / _NANOS_PER_MILLI
    if span.first_token_ns is not None:
        said["first_token_ms"] = span.first_token_ns / _NANOS_PER_MILLI
    if span.usage:
        said |= other_usage(total_usage(span.usage))
    if span.links:
        links = [link for link in span.links if link.relation != "langsmith_parent"]
        if links:
            said["links"] = links
    if span.status is not _OK or span.status_reason is not None:
        said |= _trouble(span)
    return said


def _trouble(span: Span) -> dict[str, Any]:
    """What LangSmith's two statuses cannot say."""
    said: dict[str, Any] = {}
    if span.status not in _SHOWN_BY_LANGSMITH:
        said["reamon_status"] = span.status.value
    if span.status_reason is not None:
        said["status_reason"] = span.status_reason
    if span.error is not None and span.status not in _FAILED:
        said["error_type"] = span.error.type
        said["error_message"] = span.error.message
    return said


def _spliced(metadata: Payload) -> dict[str, Any]:
    """The members of the trace's metadata, each as the bytes that it is."""
    content = sound(metadata.raw)
    return dict(_members(content)) if content[:1] == b"{" else {"metadata": msgspec.Raw(content)}
