"""Views: what the store gives back about a trace, with aware datetimes, milliseconds and Decimal money."""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from reamon.model.changes import Change, changes
from reamon.model.cost import CostData
from reamon.model.usage import Usage


class AgentExecution(msgspec.Struct, frozen=True, kw_only=True):
    """Who ran, in what order, with what state before and after, and what was decided (`agent_executions`)."""

    span_id: str
    trace_id: str
    parent_id: str | None
    agent_type: str
    agent_name: str
    execution_order: int | None
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    queue_wait_ms: float | None
    first_token_ms: float | None = None
    status: str
    success: bool
    input: Any = None
    output: Any = None
    state_before: Any = None
    state_after: Any = None
    decision: dict[str, Any] | None = None
    next_agent: str | None = None
    confidence: float | None = None
    cost: Decimal | None = None
    usage: tuple[Usage, ...] = ()
    status_reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_stack: str | None = None
    attributes: dict[str, Any] = {}

    @property
    def changes(self) -> list[Change]:
        """What it did to its state, value by value; empty where no state, or only one of the two, was recorded."""
        if self.state_before is None or self.state_after is None:
            return []
        return changes(self.state_before, self.state_after)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """A model call, a tool, speech, telephony or a step (`operations`)."""

    span_id: str
    trace_id: str
    parent_id: str | None
    kind: str
    name: str
    provider: str | None
    model: str | None
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    queue_wait_ms: float | None
    first_token_ms: float | None
    status: str
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_input_tokens: int | None = None
    input: Any = None
    output: Any = None
    cost: Decimal | None = None
    usage: tuple[Usage, ...] = ()
    status_reason: str | None = None
    error_type: str | None = None
    error_message: str | None = None
    error_stack: str | None = None
    attributes: dict[str, Any] = {}


class AgentTransition(msgspec.Struct, frozen=True, kw_only=True):
    """Agent A handed over to agent B inside a trace, and why.

    Attributes:
        trace_id: The trace.
        from_agent: The type of the agent that handed over.
        to_agent: The agent that was to go on.
        reasoning: Why, in the words of the agent that decided.
        confidence: How sure it was, 0 to 1.
        time: When the first agent ended.
    """

    trace_id: str
    from_agent: str
    to_agent: str
    reasoning: str | None
    confidence: float | None
    time: datetime | None


class WorkflowTrace(msgspec.Struct, frozen=True, kw_only=True):
    """All spans that share a `trace_id`; one turn of a conversation (`workflow_traces`).

    What can be large (`input`, `output`, `usage`, `attributes`, `error_stack`) and what lies below the root (`agents`,
    `operations`, `costs`) is there where the whole trace was asked for, and empty in listings.
    """

    trace_id: str
    call_id: str | None
    workflow_name: str
    workflow_version: str | None
    project: str | None
    kind: str
    status: str
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    queue_wait_ms: float | None = None
    first_token_ms: float | None = None
    total_cost: Decimal | None
    cost_status: str
    process_id: str | None
    status_reason: str | None
    error_type: str | None
    error_message: str | None
    error_stack: str | None = None
    tags: tuple[str, ...] = ()
    metadata: dict[str, Any] | None = None
    outcome: str | None = None
    input: Any = None
    output: Any = None
    usage: tuple[Usage, ...] = ()
    attributes: dict[str, Any] = {}
    agents: tuple[AgentExecution, ...] = ()
    operations: tuple[Operation, ...] = ()
    costs: tuple[CostData, ...] = ()

    @property
    def transitions(self) -> tuple[AgentTransition, ...]:
        """Every hand-over of this trace, in order: to whom a graph went on, or whom the agent named where none says."""
        types = self._types_of_nodes()
        return tuple(
            AgentTransition(
                trace_id=self.trace_id,
                from_agent=agent.agent_type,
                to_agent=target,
                reasoning=(agent.decision or {}).get("reasoning"),
                confidence=agent.confidence,
                time=agent.end_time,
            )
            for agent in self.agents
            for target in _successors(agent, types)
        )

    def successors(self, agent: AgentExecution) -> tuple[str, ...]:
        """Whom one of this trace's agents handed over to, by their types; a node that never ran is called by its name.

        Args:
            agent: The agent that handed over.
        """
        return _successors(agent, self._types_of_nodes())

    def all_successors(self) -> dict[str, tuple[str, ...]]:
        """The `successors` of every agent of this trace, by the span's id; quicker than to ask for each."""
        types = self._types_of_nodes()
        return {agent.span_id: _successors(agent, types) for agent in self.agents}

    def _types_of_nodes(self) -> dict[str, str]:
        nodes = ((agent.attributes.get("langgraph_node"), agent.agent_type) for agent in self.agents)
        return {node: agent_type for node, agent_type in nodes if isinstance(node, str)}


def _successors(agent: AgentExecution, types: dict[str, str]) -> tuple[str, ...]:
    """Attributes are the application's: what is no name of a node is left out."""
    targets = agent.attributes.get("reamon.routed_to")
    if not isinstance(targets, list):
        targets = [agent.next_agent]
    return tuple(types.get(target, target) for target in targets if isinstance(target, str) and target)
