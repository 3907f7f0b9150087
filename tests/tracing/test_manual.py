"""Spans without a block: started and ended anywhere, or recorded when they are over."""

import math
import threading
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest

import reamon
from reamon.guard import guard
from reamon.testing import Captured, FakeClock, capture_spans
from reamon.testing.time import START_NS

SECOND = 1_000_000_000


class Calls(Enum):
    """Calls, as an application may name them."""

    FIRST = "call-1"


class Hostile:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


# -- start_span ------------------------------------------------------------------------------------------------------


def test_a_started_span_is_never_current(captured: Captured) -> None:
    span = reamon.start_span("telephony", "outbound call")
    assert reamon.current_trace_id() == ""
    assert captured.spans == []
    span.end()
    assert captured.one("outbound call").kind == "telephony"


def test_its_parent_is_the_current_span_or_the_one_given(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        child = reamon.start_span("step", "child")
    grandchild = reamon.start_span(reamon.SpanKind.TOOL, "grandchild", parent=child)
    for span in (grandchild, child):
        span.end()
    assert captured.one("child").parent_id == turn.span_id
    assert captured.one("grandchild").ancestors == (turn.span_id, child.span_id)


def test_it_may_be_ended_by_another_thread(captured: Captured) -> None:
    span = reamon.start_span("step", "moved")
    thread = threading.Thread(target=span.end)
    thread.start()
    thread.join()
    assert captured.one("moved").status == "ok"


def test_it_ends_once(captured: Captured) -> None:
    span = reamon.start_span("step", "once")
    span.end()
    span.end()
    assert len(captured.spans) == 1


@pytest.mark.parametrize(
    "end", [START_NS + 5 * SECOND, (START_NS + 5 * SECOND) / 1e9, datetime(2026, 1, 1, 0, 0, 5, tzinfo=UTC)]
)
def test_its_end_may_be_given(end: Any) -> None:
    with capture_spans(clock=FakeClock()) as captured:
        reamon.start_span("step", "timed").end(end)
    assert captured.one("timed").duration_ns == 5 * SECOND


def test_an_end_before_the_start_is_the_start() -> None:
    with capture_spans(clock=FakeClock()) as captured:
        reamon.start_span("step", "timed").end(1.0)
    assert captured.one("timed").duration_ns == 0


@pytest.mark.parametrize("end", ["now", math.nan, math.inf, True, Hostile()])
def test_an_end_that_is_no_moment_is_counted_and_the_span_ends_now(end: Any) -> None:
    clock, before = FakeClock(), guard.errors
    with capture_spans(clock=clock, strict=False) as captured:
        span = reamon.start_span("step", "timed")
        clock.advance(1)
        span.end(end)
        assert captured.one("timed").duration_ns == SECOND
    assert guard.errors == before + 1


def test_a_call_id_is_for_a_span_that_opens_a_trace(captured: Captured) -> None:
    root = reamon.start_span("workflow", "root", call_id=Calls.FIRST)
    child = reamon.start_span("step", "child", parent=root, call_id="other")
    child.end()
    root.end()
    assert [span.call_id for span in captured.spans] == ["call-1", "call-1"]


def test_an_agent_is_of_the_type_that_is_its_name(captured: Captured) -> None:
    reamon.start_span("agent", "scheduler").end()
    span = captured.one("scheduler")
    assert (span.agent_type, span.execution_order) == ("scheduler", 1)


def test_an_unknown_kind_is_counted_and_recorded_as_a_step(captured: Captured) -> None:
    before = guard.errors
    with guard.relaxed():
        reamon.start_span("sing", "aria").end()
    assert guard.errors == before + 1
    assert captured.one("aria").kind == "step"


@pytest.mark.parametrize(
    ("arguments", "options"), [((), {}), (("step",), {}), (("step", Hostile()), {}), (("step", "x"), {"of": 1})]
)
def test_wrong_arguments_are_counted_and_give_a_handle_that_does_nothing(
    captured: Captured, arguments: Any, options: Any
) -> None:
    before = guard.errors
    with guard.relaxed():
        span = reamon.start_span(*arguments, **options)
    assert guard.errors == before + 1
    span.set_attribute("a", 1)
    span.end()
    assert captured.spans == []


def test_a_call_id_without_text_costs_the_call_id_only(captured: Captured) -> None:
    with guard.relaxed():
        reamon.start_span("step", "x", call_id=Hostile()).end()
    assert captured.one("x").call_id is None


def test_unconfigured_it_is_a_handle_that_does_nothing() -> None:
    assert not reamon.start_span("step", "x").is_recording
    assert not reamon.record_span("step", "x", 1, 2).is_recording


# -- record_span -----------------------------------------------------------------------------------------------------


def test_what_is_over_is_recorded_with_all_that_is_known(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        handle = reamon.record_span(
            "stt",
            "whisper",
            1_700_000_000.0,
            1_700_000_001.5,
            input={"audio": b"1234"},
            output="hello",
            status="degraded",
            attributes={"language": "en"},
            usage={"provider": "openai", "audio_seconds": 1.5},
        )
    span = captured.one("whisper")
    assert not handle.is_recording
    assert (span.parent_id, span.span_id) == (turn.span_id, handle.span_id)
    assert (span.start_ns, span.duration_ns) == (1_700_000_000 * SECOND, 1_500_000_000)
    assert (span.status, span.attributes) == ("degraded", {"language": "en"})
    assert span.input is not None
    assert span.output is not None
    assert (span.input.value, span.output.value) == ({"audio": {"__type__": "bytes", "length": 4}}, "hello")
    assert span.usage[0].audio_seconds is not None


def test_an_error_makes_it_an_error(captured: Captured) -> None:
    reamon.record_span("tool", "lookup", 1.0, 2.0, error=KeyError("lead"), call_id="c-1")
    span = captured.one("lookup")
    assert (span.status, span.error and span.error.type, span.call_id) == ("error", "KeyError", "c-1")


def test_its_handle_may_be_the_parent_of_further_ones(captured: Captured) -> None:
    agent = reamon.record_span("agent", "scheduler", 1.0, 5.0, agent_type="planner")
    reamon.record_span("tool", "calendar", 2.0, 3.0, parent=agent)
    tool, parent = captured.one("calendar"), captured.one("scheduler")
    assert (tool.parent_id, tool.agent_id, parent.agent_type) == (parent.span_id, parent.span_id, "planner")
    assert "reamon.late" not in tool.attributes


@pytest.mark.parametrize(
    ("start", "end"), [("then", 2.0), (1.0, "now"), (math.nan, 2.0), (1.0, math.inf), (None, None), (True, 2)]
)
def test_times_that_are_none_are_counted_and_nothing_is_begun(captured: Captured, start: Any, end: Any) -> None:
    before = guard.errors
    with guard.relaxed():
        assert not reamon.record_span("tool", "lookup", start, end).is_recording
    assert guard.errors == before + 1
    assert captured.spans == []
    assert captured.started_spans == []


@pytest.mark.parametrize("moment", [10**40, -(10**40), 1e200])
def test_times_that_no_calendar_has_are_counted_and_nothing_is_begun(captured: Captured, moment: Any) -> None:
    before = guard.errors
    with guard.relaxed():
        reamon.record_span("tool", "lookup", moment, moment)
    assert guard.errors == before + 1
    assert captured.spans == []


@pytest.mark.parametrize(
    "options", [{"usage": {"tokens": 5}}, {"attributes": 5}, {"status": "fine"}, {"usage": {5: 5}}, {"usage": "many"}]
)
def test_a_wrong_detail_is_counted_and_the_rest_is_recorded(captured: Captured, options: Any) -> None:
    before = guard.errors
    with guard.relaxed():
        reamon.record_span("tool", "lookup", 1.0, 2.0, output="kept", **options)
    assert guard.errors > before
    span = captured.one("lookup")
    assert span.output is not None
    assert span.output.value == "kept"
