"""Taking: a span of OpenTelemetry's becomes one of ours, from its start to its end."""

import sys
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from opentelemetry import trace

from reamon.integrations.model_call import (
    ModelAnswer,
    ModelCall,
    current_model_call,
    enclosing_model_call,
    is_settled,
)
from reamon.integrations.opentelemetry._choice import Choice
from reamon.integrations.opentelemetry._failures import Failure, OTelError, failure_of
from reamon.integrations.opentelemetry._kinds import Attributes, call_id_of, kind_of, name_of
from reamon.integrations.opentelemetry._links import link_to, making
from reamon.integrations.opentelemetry._payloads import input_of, is_message, output_of, without_payloads
from reamon.integrations.opentelemetry._taken import Taken, known
from reamon.integrations.opentelemetry._usage import answer_of, request_of
from reamon.model import SpanEvent, SpanKind
from reamon.tracing import ActiveSpan, NoopSpan, Recorder, active_recorder, current_span, enabled, snapshot, start_span

_FIRST_TOKEN: Final = frozenset(
    {"First Token Stream Event", "gen_ai.content.completion.chunk", "llm.content.completion.chunk"}
)
_TIMES_TO_FIRST: Final = ("gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token")
_SHORT: Final = 1024
_CHUNKS: Final = frozenset({"gen_ai.content.completion.chunk", "llm.content.completion.chunk"})
"""An event for each piece of a stream: the first says when it began, the others nothing."""


class Taking:
    """Makes spans of ours of those that OpenTelemetry starts and ends.

    Args:
        choice: Which are taken.
    """

    def __init__(self, choice: Choice) -> None:
        self._choice = choice

    def start(self, span: Any, parent_context: Any = None) -> None:
        """A span starts, on the thread and in the context of whoever starts it."""
        recorder = active_recorder()
        context = span.get_span_context()
        if recorder is None or not enabled() or not context.trace_flags.sampled:
            return
        key = context.trace_id, context.span_id
        parent = _parent_of(span)
        if not self._choice.takes(span):
            if isinstance(parent, ActiveSpan):
                known.add(key, Taken(parent, is_left_out=True))
            return
        outer = current_model_call()
        attributes = dict(span.attributes or ())
        active = _begun(recorder, span, parent, attributes)
        if active is None:
            return
        if active.parent is None:
            active._more().links.extend(_links_of(span, context))
        call = None
        if active.kind is SpanKind.LLM:
            call = ModelCall(active, request_of(attributes), outer)
        handled = sys.exc_info()[1]
        known.add(key, Taken(active, call=call, handled=0 if handled is None else id(handled)))
        asked = input_of(active.kind, attributes, ())
        if asked is not None:
            active.set_input(asked)

    def end(self, span: Any) -> None:
        """A span ends, wherever that is."""
        context = span.get_span_context()
        taken = known.end((context.trace_id, context.span_id))
        recorder = active_recorder()
        if taken is None or taken.is_left_out or recorder is None or not taken.span.is_recording:
            return
        active, attributes, events = taken.span, dict(span.attributes or ()), tuple(span.events or ())
        try:
            failure = failure_of(span.status, events, attributes)
            raised = _raised(taken)
            kind = _settle(active, span.name, attributes)
            _tell_payloads(active, kind, attributes, events)
            origin = _origin(span, context)
            _tell_attributes(active, without_payloads(attributes), origin)
            if kind is SpanKind.LLM:
                _mark_first_token(recorder, active, attributes, events)
                _conclude(taken, attributes, origin.get("otel.scope.name"), _error_of(failure, raised))
            _tell_events(recorder, active, events, failure)
            _tell_failure(active, failure, raised)
            if active.trace.call_id is None:
                active.trace.call_id = call_id_of(attributes)
        finally:
            active.end(_moment(recorder, span.end_time) + active.trace.offset)


# -- the start ---------------------------------------------------------------------------------------------------------


def _parent_of(span: Any) -> ActiveSpan | NoopSpan:
    """The span of ours that encloses `span`: the nearer one of what is current here, and its parent's.

    Where its parent is the one that is active here, what is current is that parent's, or something of ours within it.
    A parent that was given by hand, as for work on another thread, counts as it is.
    """
    here = current_span()
    taken = known.find(span.parent)
    if taken is None:
        return _innermost(here)
    active = trace.get_current_span().get_span_context()
    is_active = active.span_id == span.parent.span_id and active.trace_id == span.parent.trace_id
    if isinstance(here, ActiveSpan) and (is_active or _is_within(here, taken.span)):
        return _innermost(here)
    return taken.span


def _innermost(here: ActiveSpan | NoopSpan) -> ActiveSpan | NoopSpan:
    """What is current, or the call of a model that runs right below it without being current."""
    call = enclosing_model_call()
    return here if call is None else call.span


def _is_within(span: ActiveSpan, outer: ActiveSpan) -> bool:
    node: ActiveSpan | None = span
    while node is not None and node is not outer:
        node = node.parent
    return node is not None


def _begun(recorder: Recorder, span: Any, parent: ActiveSpan | NoopSpan, attributes: Attributes) -> ActiveSpan | None:
    is_root = not isinstance(parent, ActiveSpan)
    kind = kind_of(attributes, is_root=is_root)
    name = name_of(span.name, kind, attributes)
    offset = parent.trace.offset if isinstance(parent, ActiveSpan) else recorder.clock.offset
    making.is_on = True
    try:
        active = start_span(
            kind,
            name,
            parent=parent,
            call_id=call_id_of(attributes) if is_root else None,
            start=_moment(recorder, span.start_time) + offset,
        )
    finally:
        making.is_on = False
    return active if isinstance(active, ActiveSpan) else None


def _links_of(span: Any, context: Any) -> list[Any]:
    links = [link_to(context, "otel_trace")]
    if span.parent is not None and span.parent.is_remote:
        links.append(link_to(span.parent, "remote_parent"))
    return links


def _moment(recorder: Recorder, wall_ns: int | None) -> int:
    """A moment of OpenTelemetry's, which is by the wall clock, by the monotonic clock of ours."""
    now = recorder.now()
    return now if wall_ns is None else now - (time.time_ns() - wall_ns)


# -- the end -----------------------------------------------------------------------------------------------------------


def _settle(active: ActiveSpan, name: str, attributes: Attributes) -> SpanKind:
    """What the span is after all: much of it is said only while it runs. Returns the kind."""
    spec = active.spec
    kind = kind_of(attributes, is_root=active.parent is None)
    if kind is SpanKind.STEP:
        kind = spec.kind
    called = name_of(name, kind, attributes)
    if kind is SpanKind.AGENT and active.order is None:
        active.order = next(active.trace.agents)
    if kind is not spec.kind or called != spec.name:
        agent_type = called if kind is SpanKind.AGENT else None
        active.spec = msgspec.structs.replace(spec, kind=kind, name=called, agent_type=agent_type)
    return kind


def _tell_payloads(active: ActiveSpan, kind: SpanKind, attributes: Attributes, events: Sequence[Any]) -> None:
    asked = input_of(kind, attributes, events)
    if asked is not None:
        active.set_input(asked)
    answered = output_of(kind, attributes, events)
    if answered is not None:
        active.set_output(answered)


def _tell_attributes(active: ActiveSpan, said: Attributes, origin: Attributes) -> None:
    """Set them. Most are numbers and short texts, which need no copy: OpenTelemetry has seen to it that they stay."""
    told = active._more().attributes
    for name, value in said.items():
        kind = type(value)
        if (kind is str and len(value) <= _SHORT and value.isascii()) or kind is int or kind is bool:
            told[name] = value
        else:
            active.set_attribute(name, value)
    told.update(origin)


def _origin(span: Any, context: Any) -> dict[str, Any]:
    """Where it comes from, to be found again there."""
    scope = span.instrumentation_scope
    said = {
        "otel.scope.name": getattr(scope, "name", None),
        "otel.trace_id": f"{context.trace_id:032x}",
        "otel.span_id": f"{context.span_id:016x}",
        "otel.span_kind": None if span.kind.name == "INTERNAL" else span.kind.name.lower(),
    }
    return {name: value for name, value in said.items() if value}


def _mark_first_token(recorder: Recorder, active: ActiveSpan, attributes: Attributes, events: Sequence[Any]) -> None:
    if active.first_token is not None:
        return
    for name in _TIMES_TO_FIRST:
        seconds = attributes.get(name)
        if isinstance(seconds, int | float) and 0 <= seconds < 86_400:
            active.first_token = active.start + round(seconds * 1e9)
            return
    for event in events:
        if event.name in _FIRST_TOKEN:
            active.first_token = max(_moment(recorder, event.timestamp), active.start)
            return


def _raised(taken: Taken) -> BaseException | None:
    """The exception that leaves the span, where it ends in passing; not one that was being handled all along."""
    raised = sys.exc_info()[1]
    is_its_own = raised is not None and id(raised) != taken.handled and not isinstance(raised, GeneratorExit)
    return raised if is_its_own else None


def _error_of(failure: Failure | None, raised: BaseException | None) -> BaseException | None:
    """What went wrong, as an exception: the one that was raised, where it is at hand."""
    if failure is None:
        return raised if raised is not None and not isinstance(raised, Exception) else None
    return raised or OTelError(failure.error)


def _conclude(taken: Taken, attributes: Attributes, scope: str | None, error: BaseException | None) -> None:
    """Say what was asked, answered and consumed, and bill it unless somebody else does."""
    active = taken.span
    call = taken.call or ModelCall(active, request_of(attributes), None)
    answer = answer_of(attributes, scope)
    if answer.usage and (_is_in_a_call_made_by_hand(active, call) or _is_settled_by_another(active, answer)):
        call.is_billed_inside = True
        active.set_attribute("reamon.not_billed", True)
    is_answered = answer != ModelAnswer()
    call.conclude(request_of(attributes), answer if is_answered else None, error)


def _is_settled_by_another(active: ActiveSpan, answer: ModelAnswer) -> bool:
    return answer.response_id is not None and is_settled(active.trace_id, answer.response_id)


def _is_in_a_call_made_by_hand(active: ActiveSpan, call: ModelCall) -> bool:
    """Whether it lies in an `llm` span of the application's own, which says itself what was consumed."""
    calls = [enclosing.span for enclosing in call.enclosing()]
    node = active.parent
    while node is not None:
        if node.kind is SpanKind.LLM and not any(node is span for span in calls):
            return True
        node = node.parent
    return False


def _tell_events(recorder: Recorder, active: ActiveSpan, events: Sequence[Any], failure: Failure | None) -> None:
    if not events:
        return
    told = active._more().events
    shift = _moment(recorder, 0) + active.trace.offset
    for event in events:
        if event.name in _CHUNKS or is_message(event.name) or (failure is not None and event is failure.event):
            continue
        told.append(SpanEvent(str(event.name), event.timestamp + shift, _plain(event.attributes or {})))


def _tell_failure(active: ActiveSpan, failure: Failure | None, raised: BaseException | None) -> None:
    if failure is None:
        if raised is not None and not isinstance(raised, Exception):  # a cancellation, which OpenTelemetry passes over
            active.record_error(raised)
        return
    more = active._more()
    more.error = failure.error
    more.status = "cancelled" if failure.is_cancellation else "error"


def _plain(attributes: Attributes) -> dict[str, Any]:
    """Attributes as JSON has them: OpenTelemetry has bytes and tuples besides."""
    recorded: dict[str, Any] = msgspec.json.decode(snapshot(dict(attributes)))
    return recorded
