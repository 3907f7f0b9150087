"""What the agents pass on: the state of a call, and their answers."""

from enum import Enum
from typing import Any

from pydantic import BaseModel, Field


class AgentType(Enum):
    """The five agents."""

    CONVERSATION = "conversation"
    QUALIFICATION = "qualification"
    OBJECTION_HANDLER = "objection_handler"
    SCHEDULER = "scheduler"
    ANALYTICS = "analytics"


class WorkflowContext(BaseModel):
    """The state of a call; the graph hands it to each node, and the nodes change it in place."""

    call_id: str
    user_input: str = ""
    reply: str = ""
    workflow_state: str = "greeting"
    current_agent: AgentType = AgentType.CONVERSATION
    conversation_history: list[dict[str, str]] = Field(default_factory=list)
    lead_data: dict[str, Any] = Field(default_factory=dict)
    qualification_score: float = 0.0
    objection_count: int = 0
    scheduling_attempts: int = 0
    tier_escalated: bool = False
    metadata: dict[str, Any] = Field(default_factory=dict)


class AgentDecision(BaseModel):
    """What an agent decided."""

    action: str
    reasoning: str
    confidence: float
    next_agent: AgentType | None = None


class AgentResponse(BaseModel):
    """An agent's answer."""

    agent_type: AgentType
    response_text: str
    decision: AgentDecision
    state_updates: dict[str, Any] = Field(default_factory=dict)
    should_escalate_tier: bool = False
    should_end_call: bool = False
