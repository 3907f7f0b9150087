"""From the handle to the record."""

from typing import Any

import reamon
from reamon.model import SpanStatus
from reamon.testing import Captured, FakeClock, capture_spans
from reamon.testing.time import START_NS

SECOND = 1_000_000_000


def test_times_are_wall_time_advanced_by_the_monotonic_clock() -> None:
    clock = FakeClock()
    with capture_spans(clock=clock) as captured:
        with reamon.trace_workflow("turn"):
            clock.advance(1)
            clock.set_wall(START_NS - 3600 * SECOND)
            with reamon.trace_tool("tool"):
                clock.advance(0.5)
        tool, turn = captured.spans
    assert (turn.start_ns, turn.duration_ns) == (START_NS, 1_500_000_000)
    assert (tool.start_ns, tool.duration_ns) == (START_NS + SECOND, 500_000_000)


def test_the_next_trace_follows_the_wall_clock_once_the_worker_has_looked() -> None:
    clock = FakeClock()
    with capture_spans(clock=clock) as captured:
        clock.set_wall(START_NS + 3600 * SECOND)
        assert reamon.flush()
        with reamon.trace_workflow("turn"):
            pass
        assert captured.one("turn").start_ns == START_NS + 3600 * SECOND


def test_a_workflow_that_runs_is_told_about_with_what_is_known_of_it(captured: Captured) -> None:
    @reamon.trace_workflow("turn", project="p", version="1", tags=("t",), metadata={"m": 1})
    def turn(call_id: str, text: str) -> Any:
        return captured.started_spans

    (started,) = turn("c-1", "hello")
    assert (started.status, started.end_ns, started.name, started.call_id) == (SpanStatus.RUNNING, None, "turn", "c-1")
    assert (started.project, started.version, started.tags) == ("p", "1", ("t",))
    assert started.metadata is not None
    assert started.input is not None
    assert (started.metadata.value, started.input.value) == ({"m": 1}, {"call_id": "c-1", "text": "hello"})
    finished = captured.one("turn")
    assert (finished.span_id, finished.start_ns, finished.process_id) == (
        started.span_id,
        started.start_ns,
        started.process_id,
    )


def test_a_child_that_starts_after_its_parent_has_ended_is_late(captured: Captured) -> None:
    with reamon.trace_agent("agent") as agent:
        early = reamon.start_span("llm", "early")
    late = reamon.start_span("llm", "late", parent=agent)
    late.set_attribute("mine", 1)
    late.end()
    early.end()
    assert captured.one("late").attributes == {"mine": 1, "reamon.late": True}
    assert captured.one("late").parent_id == captured.one("agent").span_id
    assert captured.one("early").attributes == {}


def test_the_nearest_agent_is_named(captured: Captured) -> None:
    with reamon.trace_workflow("turn"), reamon.trace_agent("outer") as outer:
        with reamon.trace_step("step"), reamon.trace_llm("chat"):
            pass
        with reamon.trace_agent("inner") as inner, reamon.trace_llm("inner chat"):
            pass
    assert captured.one("chat").agent_id == outer.span_id
    assert captured.one("inner chat").agent_id == inner.span_id
    assert captured.one("inner").agent_id == inner.span_id
    assert captured.one("turn").agent_id is None


def test_two_costs_of_one_type_are_two_details(captured: Captured) -> None:
    with reamon.trace_llm("chat") as span:
        for _ in range(3):
            span.record_cost("0.01", cost_type="llm")
        span.record_cost("0.01", cost_type="tts")
    assert [(cost.cost_type, cost.price_version) for cost in captured.one("chat").costs] == [
        ("llm", "stated"),
        ("llm", "stated#2"),
        ("llm", "stated#3"),
        ("tts", "stated"),
    ]
