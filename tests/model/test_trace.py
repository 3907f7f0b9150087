"""Views: what the store gives back about a trace."""

from datetime import UTC, datetime
from typing import Any

from reamon.model import AgentExecution, WorkflowTrace

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def execution(agent_type: str, **fields: Any) -> AgentExecution:
    defaults: dict[str, Any] = {
        "span_id": agent_type,
        "trace_id": "trace",
        "parent_id": "trace",
        "agent_name": agent_type,
        "execution_order": 1,
        "start_time": NOON,
        "end_time": NOON,
        "duration_ms": 1.0,
        "queue_wait_ms": None,
        "status": "ok",
        "success": True,
    }
    return AgentExecution(agent_type=agent_type, **{**defaults, **fields})


def trace(*agents: AgentExecution) -> WorkflowTrace:
    return WorkflowTrace(
        trace_id="trace",
        call_id="call-1",
        workflow_name="turn",
        workflow_version=None,
        project=None,
        kind="workflow",
        status="completed",
        start_time=NOON,
        end_time=NOON,
        duration_ms=1.0,
        total_cost=None,
        cost_status="unknown",
        process_id=None,
        status_reason=None,
        error_type=None,
        error_message=None,
        agents=agents,
    )


def test_every_decided_hand_over_is_a_transition_in_order() -> None:
    turn = trace(
        execution("conversation", next_agent="qualification", confidence=0.8, decision={"reasoning": "price asked"}),
        execution("qualification", next_agent="scheduler"),
        execution("scheduler"),
    )
    first, second = turn.transitions
    assert (first.from_agent, first.to_agent, first.reasoning, first.confidence, first.time) == (
        "conversation",
        "qualification",
        "price asked",
        0.8,
        NOON,
    )
    assert (second.from_agent, second.to_agent, second.reasoning) == ("qualification", "scheduler", None)


def test_a_trace_without_decisions_has_no_transitions() -> None:
    assert trace(execution("conversation")).transitions == ()


def test_where_a_graph_went_on_is_who_was_handed_over_to() -> None:
    turn = trace(
        execution("start", next_agent="left", attributes={"reamon.routed_to": ["left", "right"]}),
        execution("scheduler", next_agent="analytics", attributes={"reamon.routed_to": []}),
    )
    assert [(one.from_agent, one.to_agent) for one in turn.transitions] == [("start", "left"), ("start", "right")]


def test_a_hand_over_to_a_node_is_one_to_the_agent_that_runs_there() -> None:
    turn = trace(
        execution("conversation", attributes={"reamon.routed_to": ["objection"]}),
        execution("objection_handler", attributes={"langgraph_node": "objection"}),
    )
    assert [one.to_agent for one in turn.transitions] == ["objection_handler"]


def test_an_agent_tells_what_it_did_to_its_state() -> None:
    agent = execution("scorer", state_before={"score": 0, "log": []}, state_after={"score": 0.9, "log": []})
    assert agent.changes == [("score", "0", "0.9")]
    assert execution("scorer", state_before={"score": 0}).changes == []
