"""The agents. What goes wrong in one ends in an apology, and nobody outside hears of it."""

import asyncio
from abc import ABC, abstractmethod

from apps.voicebot.context import AgentDecision, AgentResponse, AgentType, WorkflowContext
from apps.voicebot.models import ModelService

APOLOGY = "I am sorry, could you say that again?"


class BaseAgent(ABC):
    """What the agents share: a lock in front of a timer."""

    def __init__(
        self, agent_type: AgentType, models: ModelService, timeout: float, lock: asyncio.Lock | None = None
    ) -> None:
        self.agent_type = agent_type
        self.models = models
        self.timeout = timeout
        self.lock = lock
        self.reported_ms: list[float] = []

    @abstractmethod
    async def process(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        """The agent's own work."""

    async def execute_with_timeout(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        """`process`, in at most `timeout` seconds; the wait for the lock is not in them."""
        if self.lock is not None:
            async with self.lock:
                return await self._execute(context, user_input)
        return await self._execute(context, user_input)

    async def _execute(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        begun = asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(self.process(context, user_input), self.timeout)
        except TimeoutError:
            return self._apology("timeout", escalate=True)
        except Exception as error:
            return self._apology(f"error: {error}")
        finally:
            self.reported_ms.append((asyncio.get_running_loop().time() - begun) * 1e3)

    def _apology(self, reasoning: str, *, escalate: bool = False) -> AgentResponse:
        decision = AgentDecision(action="apologize", reasoning=reasoning, confidence=0.0)
        return AgentResponse(
            agent_type=self.agent_type, response_text=APOLOGY, decision=decision, should_escalate_tier=escalate
        )

    def answer(
        self, text: str, action: str, confidence: float, next_agent: AgentType | None = None, *, ends: bool = False
    ) -> AgentResponse:
        """An answer of this agent."""
        decision = AgentDecision(
            action=action, reasoning=f"{self.agent_type.value} decided to {action}", confidence=confidence,
            next_agent=next_agent,
        )  # fmt: skip
        return AgentResponse(agent_type=self.agent_type, response_text=text, decision=decision, should_end_call=ends)


class ConversationAgent(BaseAgent):
    """Leads the conversation, and decides who is to go on."""

    async def process(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        if "crash" in user_input:
            raise ValueError("the prompt template is broken")
        said = await self.models.generate(f"{context.call_id}: reply to {user_input}")
        if "hang" in user_input:
            await asyncio.sleep(60)
        context.conversation_history.append({"role": "user", "content": user_input})
        if "expensive" in user_input:
            return self.answer(said.text, "hand over", 0.8, AgentType.OBJECTION_HANDLER)
        if "budget" in user_input:
            return self.answer(said.text, "hand over", 0.9, AgentType.QUALIFICATION)
        return self.answer(said.text, "reply", 0.7)


class QualificationAgent(BaseAgent):
    """Scores the lead."""

    async def process(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        said = await self.models.generate(f"{context.call_id}: score {user_input}")
        context.qualification_score = 0.9
        context.lead_data["budget"] = 450_000
        return self.answer(said.text, "qualify", 0.9, AgentType.SCHEDULER)


class ObjectionAgent(BaseAgent):
    """Handles an objection, by a plain text where the model fails."""

    async def process(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        context.objection_count += 1
        try:
            said = (await self.models.generate(f"{context.call_id}: counter {user_input}")).text
        except RuntimeError:
            said = "Let us talk about the price."
        return self.answer(said, "counter", 0.6)


class SchedulerAgent(BaseAgent):
    """Offers an appointment."""

    async def process(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        context.scheduling_attempts += 1
        said = await self.models.generate("offer an appointment")  # the same for everybody: soon a cache hit
        return self.answer(said.text, "offer appointment", 0.95, ends=True)


class AnalyticsAgent(BaseAgent):
    """Looks at the turn afterwards."""

    async def process(self, context: WorkflowContext, user_input: str) -> AgentResponse:
        await asyncio.sleep(0.01)
        context.metadata["turns"] = len(context.conversation_history)
        return self.answer("", "record", 1.0)
