"""The prompts: what each agent tells its model before the conversation itself."""

from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionMessageParam,
    ChatCompletionSystemMessageParam,
    ChatCompletionUserMessageParam,
)

from reamon.demo.state import CallState

AGENCY = "Alder & Finch Homes"
LINES_REMEMBERED = 3
"""How much of the conversation a model is told; it bills each line again each time."""

_TASKS = {
    "conversation": "You answer the telephone. Find out what the lead wants and who of the team is to go on.",
    "qualification": "You judge from what the lead tells about the house how likely a sale is, from 0 to 1.",
    "objection_handler": "You take the lead's objection seriously and answer it with the agency's own figures.",
    "scheduler": "You find a day and an hour for a visit.",
    "analytics": "You sum up the call in one sentence for the agency's records.",
}


def prompt(agent: str, state: CallState) -> list[ChatCompletionMessageParam]:
    """The messages for `agent`: who it is, who the lead is, and what was said just now, the lead's words last."""
    system = f"You are the {agent} agent of {AGENCY}, on the telephone with {state['lead']}. {_TASKS[agent]}"
    spoken = [_message(place, line) for place, line in enumerate(state["history"])][-LINES_REMEMBERED:]
    return [ChatCompletionSystemMessageParam(role="system", content=system), *spoken]


def _message(place: int, line: str) -> ChatCompletionMessageParam:
    if place % 2 == 0:
        return ChatCompletionUserMessageParam(role="user", content=line)
    return ChatCompletionAssistantMessageParam(role="assistant", content=line)
