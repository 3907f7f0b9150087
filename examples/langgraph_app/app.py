"""A LangGraph application that knows nothing of reamon: three agents who answer people that may want to sell a house.

The model is scripted, so that it runs without a key.
"""

import asyncio
from typing import Annotated, Any, Literal

from langchain_core.language_models import SimpleChatModel
from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.graph import START, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel

APOLOGY = "I am sorry, could you say that again?"
SCRIPT = [
    "I can give you a price. How soon would you like to sell?",
    "Tuesday at ten, then.",
    "There is no obligation, I promise.",
]


class ScriptedModel(SimpleChatModel):
    """Says what stands in its script, and then does not answer any more."""

    script: list[str]

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _call(self, *_args: Any, **_kwargs: Any) -> str:
        if not self.script:
            raise ConnectionError("the model does not answer")
        return self.script.pop(0)


class CallState(BaseModel):
    """What the agents know of a call."""

    messages: Annotated[list[AnyMessage], add_messages] = []
    score: float = 0.0
    objections: int = 0


class SalesTeam:
    """Answers turns of calls with a graph of agents, and never lets the lead hear of a problem."""

    def __init__(self) -> None:
        self.model = ScriptedModel(script=[*SCRIPT])
        graph = StateGraph(CallState)
        graph.add_node(self.conversation)
        graph.add_node(self.scheduler)
        graph.add_node(self.objections)
        graph.add_edge(START, "conversation")
        graph.add_conditional_edges("conversation", self.route, {"book": "scheduler", "doubt": "objections"})
        self.graph = graph.compile()

    async def process_input(self, call_id: str, user_input: str) -> str:
        """One turn of a call."""
        state = CallState(messages=[HumanMessage(user_input)])
        try:
            result = await self.graph.ainvoke(state, {"configurable": {"thread_id": call_id}})
            return str(result["messages"][-1].content)
        except Exception:
            return APOLOGY

    async def conversation(self, state: CallState) -> dict[str, object]:
        """Listens, and judges how likely a sale is."""
        wants_to_sell = "sell" in state.messages[-1].text
        return {"score": 0.9 if wants_to_sell else 0.3}

    async def scheduler(self, state: CallState) -> dict[str, object]:
        """Offers an appointment."""
        return {"messages": [await self.model.ainvoke(state.messages)]}

    async def objections(self, state: CallState) -> dict[str, object]:
        """Answers a doubt."""
        state.objections += 1
        return {"messages": [await self.model.ainvoke(state.messages)], "objections": state.objections}

    def route(self, state: CallState) -> Literal["book", "doubt"]:
        """Who goes on."""
        return "book" if state.score > 0.5 else "doubt"


async def main() -> None:
    """Two calls of a few turns."""
    team = SalesTeam()
    print(await team.process_input("call-1", "I want to sell my house"))
    print(await team.process_input("call-1", "Yes, sell it this month"))
    print(await team.process_input("call-2", "Are you sure?"))
    print(await team.process_input("call-2", "Hello?"))


if __name__ == "__main__":
    asyncio.run(main())
