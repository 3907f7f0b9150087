"""The orchestrator: a graph over the agents, run once for each turn."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from langgraph.graph import END, START, StateGraph

from apps.voicebot.agents import (
    APOLOGY,
    AnalyticsAgent,
    BaseAgent,
    ConversationAgent,
    ObjectionAgent,
    QualificationAgent,
    SchedulerAgent,
)
from apps.voicebot.context import AgentType, WorkflowContext
from apps.voicebot.models import ModelService

AGENTS: dict[AgentType, type[BaseAgent]] = {
    AgentType.CONVERSATION: ConversationAgent,
    AgentType.QUALIFICATION: QualificationAgent,
    AgentType.OBJECTION_HANDLER: ObjectionAgent,
    AgentType.SCHEDULER: SchedulerAgent,
    AgentType.ANALYTICS: AnalyticsAgent,
}
Node = Callable[[WorkflowContext], Awaitable[WorkflowContext]]


class AgentOrchestrator:
    """Answers turns of calls."""

    def __init__(self, models: ModelService, *, timeout: float = 0.5, lock: asyncio.Lock | None = None) -> None:
        self.models = models
        self.agents: dict[AgentType, BaseAgent] = {
            agent_type: kind(agent_type, models, timeout, lock) for agent_type, kind in AGENTS.items()
        }
        self.calls: dict[str, WorkflowContext] = {}
        self.background: set[asyncio.Task[None]] = set()
        self.graph = self._build()

    def _build(self) -> Any:
        graph = StateGraph(WorkflowContext)
        for agent_type in AgentType:
            if agent_type is not AgentType.ANALYTICS:
                graph.add_node(agent_type.value, self._node(agent_type))
        graph.add_edge(START, "conversation")
        ends = {"qualify": "qualification", "object": "objection_handler", "done": END}
        graph.add_conditional_edges("conversation", self._route, ends)
        graph.add_conditional_edges("qualification", self._route, {"schedule": "scheduler", "done": END})
        graph.add_edge("objection_handler", END)
        graph.add_edge("scheduler", END)
        return graph.compile()

    def _node(self, agent_type: AgentType) -> Node:
        async def node(context: WorkflowContext) -> WorkflowContext:
            if "explode" in context.user_input:
                raise ConnectionError("the CRM is away")
            response = await self.agents[agent_type].execute_with_timeout(context, context.user_input)
            context.reply = response.response_text
            context.current_agent = agent_type
            context.tier_escalated = context.tier_escalated or response.should_escalate_tier
            wanted = response.decision.next_agent
            context.metadata["wanted"] = None if wanted is None else wanted.value
            return context

        return node

    def _route(self, context: WorkflowContext) -> str:
        keys = {"qualification": "qualify", "objection_handler": "object", "scheduler": "schedule"}
        return keys.get(context.metadata.get("wanted") or "", "done")

    async def process_input(self, call_id: str, user_input: str, lead_data: dict[str, Any] | None = None) -> str:
        """One turn. Whatever goes wrong, the caller hears something."""
        context = self.calls.get(call_id) or opening(call_id, lead_data)
        context.user_input = user_input
        try:
            result = await self.graph.ainvoke(context, {"configurable": {"thread_id": call_id}})
            context = WorkflowContext(**result)
        except Exception:
            context.reply = APOLOGY
        self.calls[call_id] = context
        task = asyncio.create_task(self._analyze(context))
        self.background.add(task)
        task.add_done_callback(self.background.discard)
        return context.reply

    async def _analyze(self, context: WorkflowContext) -> None:
        await self.agents[AgentType.ANALYTICS].execute_with_timeout(context, context.user_input)


def opening(call_id: str, lead_data: dict[str, Any] | None) -> WorkflowContext:
    """The state of a call that begins. All fields are set, since langgraph 0.2 passes on no others."""
    context = WorkflowContext(call_id=call_id, lead_data=lead_data or {})
    return WorkflowContext(**context.model_dump())
