"""Sample spans."""

import pytest

from reamon.model import Payload, SpanKind, SpanStatus
from reamon.model.ids import start_of
from reamon.testing import make_span, sample_spans


def test_a_made_span_is_a_finished_root_of_its_own() -> None:
    span = make_span()
    assert span.is_root
    assert span.trace_id == span.span_id
    assert span.duration_ns == 10_000_000
    assert abs(start_of(span.span_id) - span.start_ns) < 250
    assert make_span().span_id != span.span_id


def test_a_child_belongs_to_its_parents_trace_and_call() -> None:
    turn = make_span("turn", "workflow", call_id="call-1", project="campaign")
    reply = make_span("reply", "llm", parent=make_span("agent", "agent", parent=turn))
    assert (reply.trace_id, reply.call_id, reply.project) == (turn.span_id, "call-1", "campaign")
    assert reply.ancestors == (turn.span_id, reply.parent_id)


def test_payloads_may_be_given_as_values_or_as_payloads() -> None:
    span = make_span(input={"a": 1}, output=Payload(b"[1]"), state_before=None)
    assert (span.input, span.output, span.state_before) == (Payload(b'{"a":1}'), Payload(b"[1]"), Payload(b"null"))


def test_a_running_span_has_no_end() -> None:
    assert make_span(status="running").end_ns is None


def test_a_field_that_does_not_exist_is_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        make_span(colour="red")


def test_samples_are_complete_and_never_the_same_twice() -> None:
    samples = sample_spans()
    assert {span.kind for span in samples} == set(SpanKind)
    assert {span.status for span in samples} == set(SpanStatus) - {SpanStatus.RUNNING}
    ids = [span.span_id for span in [*samples, *sample_spans()]]
    assert len(set(ids)) == len(ids)


def test_among_the_samples_children_come_before_parents_and_some_parents_never() -> None:
    samples = sample_spans()
    place = {span.span_id: number for number, span in enumerate(samples)}
    children = [span for span in samples if span.parent_id is not None]
    assert all(place[child.span_id] < place.get(child.parent_id or "", len(samples)) for child in children)
    assert any(child.parent_id not in place for child in children)
