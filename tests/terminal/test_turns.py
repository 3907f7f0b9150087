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


def turn_of(*rows: AgentExecution | Operation) -> WorkflowTrace:
    return WorkflowTrace(
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


def details(*rows: AgentExecution | Operation) -> list[str]:
    """What stands below the first row."""
    return [detail.plain for detail in turn_tree(turn_of(*rows)).children[0].details]


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


@pytest.mark.parametrize("value", [["a"], {"a": 1}, 5, 0.5, True, None, "\x1b[31m", [["a"], {}, 5, None]])
def test_attributes_of_reamon_that_an_application_sets_to_anything_break_nothing(value: Any) -> None:
    names = ("langgraph_node", "reamon.routed_to", "reamon.proposed_next_agent", "reamon.retries", "reamon.cache_hit")
    told = details(agent("scheduler", decision={"action": "call"}, attributes=dict.fromkeys(names, value)))
    assert any(line.startswith("decided call") for line in told)
    assert "\x1b" not in "".join(told)


def test_the_successors_of_all_agents_are_those_of_each() -> None:
    qualification = agent("qualification", attributes={"langgraph_node": "qualify"})
    conversation = agent("conversation", attributes={"reamon.routed_to": ["qualify", "log"]})
    turn = turn_of(conversation, qualification)
    assert turn.all_successors() == {"conversation": ("qualification", "log"), "qualification": ()}
    assert turn.all_successors() == {each.span_id: turn.successors(each) for each in turn.agents}


def test_a_turn_of_many_agents_is_looked_through_once() -> None:
    looked_at = 0

    class Attributes(dict[str, Any]):
        def get(self, name: str, default: Any = None) -> Any:
            nonlocal looked_at
            looked_at += name == "langgraph_node"
            return super().get(name, default)

    many = [agent("judge", attributes=Attributes(), decision={"action": "ask"}) for _ in range(50)]
    turn_tree(turn_of(*many))
    assert looked_at == len(many)
