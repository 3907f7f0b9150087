"""Turns as trees: what is said of an agent, a model call and an error below its row."""

from datetime import UTC, datetime
from typing import Any

import pytest

from reamon.model import AgentExecution, Operation, WorkflowTrace
from reamon.terminal.turns import turn_tree

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SPAN: dict[str, Any] = {
    "trace_id": "t",
    "parent_id": "t",
    "start_time": NOON,
    "end_time": NOON,
    "duration_ms": 1.0,
    "queue_wait_ms": None,
    "first_token_ms": None,
    "status": "ok",
}


def agent(agent_type: str, **fields: Any) -> AgentExecution:
    order = {"execution_order": 1, "confidence": None, "next_agent": None, "success": True}
    return AgentExecution(span_id=agent_type, agent_type=agent_type, agent_name=agent_type, **SPAN | order | fields)


def call(**fields: Any) -> Operation:
    return Operation(span_id="call", kind="llm", name="generate", provider=None, model=None, **SPAN | fields)


def details(*rows: AgentExecution | Operation) -> list[str]:
    """What stands below the first row."""
    turn = WorkflowTrace(
        trace_id="t",
        call_id=None,
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
        agents=tuple(row for row in rows if isinstance(row, AgentExecution)),
        operations=tuple(row for row in rows if isinstance(row, Operation)),
    )
    return [detail.plain for detail in turn_tree(turn).children[0].details]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"next_agent": "qualify", "attributes": {"reamon.routed_to": ["qualify"]}}, "decided → qualification"),
        (
            {
                "next_agent": "qualify",
                "attributes": {"reamon.routed_to": ["qualify"], "reamon.proposed_next_agent": "qualification"},
            },
            "decided → qualification",
        ),
        (
            {
                "next_agent": "qualify",
                "attributes": {"reamon.routed_to": ["qualify", "log"], "reamon.proposed_next_agent": "scheduler"},
            },
            "decided → qualification, log instead of scheduler",
        ),
        ({"next_agent": "scheduler", "attributes": {"reamon.routed_to": []}}, "decided → nobody instead of scheduler"),
        ({"next_agent": "scheduler"}, "decided → scheduler"),
    ],
)
def test_a_hand_over_is_told_as_it_happened_by_the_agents_types(fields: dict[str, Any], told: str) -> None:
    qualification = agent("qualification", attributes={"langgraph_node": "qualify"})
    conversation = agent("conversation", decision={"next_agent": fields["next_agent"]}, **fields)
    assert details(conversation, qualification) == [told]


def test_an_error_that_the_reason_tells_already_is_not_told_twice() -> None:
    error = {"error_type": "crm.KeyError", "error_message": "'lead'"}
    assert details(
        agent("scheduler", **error | {"status": "degraded", "status_reason": "process: KeyError: 'lead'"})
    ) == ["degraded: process: KeyError: 'lead'"]
    assert details(agent("scheduler", **error | {"status": "degraded", "status_reason": "no lead"})) == [
        "degraded: no lead",
        "crm.KeyError: 'lead'",
    ]


def test_a_reason_why_something_is_all_right_is_told_as_it_is() -> None:
    assert details(agent("approve", status_reason="interrupted: it waits for an answer")) == [
        "interrupted: it waits for an answer"
    ]


def test_an_answer_that_did_not_take_one_request_says_so() -> None:
    assert details(call(attributes={"reamon.cache_hit": True})) == ["answered by a cache"]
    assert details(call(attributes={"reamon.retries": 2})) == ["2 retries"]
    assert details(call(attributes={"reamon.call": "logical"})) == []
