"""Span: the immutable record."""

import pytest

from reamon.model import SpanKind, SpanStatus
from reamon.model.span import NO_ATTRIBUTES
from reamon.testing import make_span


def test_a_finished_span_knows_how_long_it_took() -> None:
    span = make_span(start_ns=1_000, end_ns=3_500)
    assert span.duration_ns == 2_500


def test_a_running_span_has_no_duration() -> None:
    assert make_span(status=SpanStatus.RUNNING).duration_ns is None


def test_only_a_root_is_a_root() -> None:
    root = make_span("turn", SpanKind.WORKFLOW)
    assert root.is_root
    assert not make_span(parent=root).is_root


def test_a_span_is_edited_by_making_another() -> None:
    span = make_span("before")
    assert span.replace(name="after").name == "after"
    assert span.name == "before"
    with pytest.raises(AttributeError):
        span.name = "after"


def test_the_one_dict_for_spans_without_attributes_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="does not change"):
        NO_ATTRIBUTES.update(late=1)
    with pytest.raises(TypeError, match="does not change"):
        NO_ATTRIBUTES["late"] = 1
    assert NO_ATTRIBUTES == {}


def test_kinds_and_statuses_are_the_words_of_the_vocabulary() -> None:
    assert " ".join(SpanKind) == "workflow agent llm tool retrieval stt tts telephony step"
    assert " ".join(SpanStatus) == "running ok error cancelled degraded interrupted"
