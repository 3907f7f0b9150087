"""The state of a call: what the agents know, and what LangGraph carries from one to the next."""

from typing import TypedDict

from reamon.demo.leads import Lead


class CallState(TypedDict):
    """What is known in one turn of a call; the next turn starts from it.

    Attributes:
        call_id: The conversation.
        lead: Name and street of the lead.
        said: What the lead says in this turn.
        reply: What the team answers in this turn.
        history: Everything that was said, the lead first, then in turns.
        score: How likely a sale is, from 0 to 1; None until somebody judged it.
        objections: How often the lead objected.
        escalated: Whether the stronger model has taken over.
        next_agent: Who is to go on in this turn.
        outcome: How the call ended; None while it goes on.
    """

    call_id: str
    lead: str
    said: str
    reply: str
    history: list[str]
    score: float | None
    objections: int
    escalated: bool
    next_agent: str | None
    outcome: str | None


def opening(lead: Lead) -> CallState:
    """The state of a call before anybody said a word."""
    return CallState(
        call_id=lead.call_id,
        lead=f"{lead.name}, {lead.street}",
        said="",
        reply="",
        history=[],
        score=None,
        objections=0,
        escalated=False,
        next_agent=None,
        outcome=None,
    )


def hear(state: CallState, words: str) -> CallState:
    """The state in which a turn starts: the lead's words are on the table, and nobody has answered."""
    return {**state, "said": words, "reply": "", "next_agent": None, "history": [*state["history"], words]}


def answered(state: CallState) -> CallState:
    """The state in which a turn ends: the team's reply is part of the history."""
    return {**state, "history": [*state["history"], state["reply"]]}
