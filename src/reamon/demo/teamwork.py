"""Teamwork: what all agents have in common, which is a turn at the models, half a second, and an apology."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from langgraph.runtime import Runtime
from openai import APIError

import reamon
from reamon.demo.office import Office
from reamon.demo.state import CallState

BUDGET_SECONDS = 0.5
APOLOGY = "Sorry, I did not catch that. Could you say it again?"

Update = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What an agent came to.

    Attributes:
        next_agent: Who is to go on; None ends the turn.
        reasoning: Why.
        confidence: How sure the agent is, from 0 to 1.
        update: What changes in the state of the call.
    """

    next_agent: str | None
    reasoning: str
    confidence: float
    update: Update = field(default_factory=dict)


Think = Callable[[CallState, Office], Awaitable[Answer]]
Node = Callable[[CallState, Runtime[Office]], Coroutine[Any, Any, Update]]


def in_time(think: Think) -> Node:
    """Make a node of the graph out of what an agent thinks: it answers within its budget, or apologises.

    The wait for a turn at the models is not the agent's fault, so the budget starts after it and reamon records it
    apart. An agent that apologises swallows the error, so it tells reamon itself: it was not "ok", it was "degraded".
    """

    async def answer_in_time(state: CallState, runtime: Runtime[Office]) -> Update:
        span = reamon.current_span()
        span.set_state(before=state)
        try:
            answer = await _within_budget(think, state, runtime.context)
        except (TimeoutError, APIError) as error:
            span.record_error(error)
            span.set_status("degraded", "apologised instead of answering")
            answer = _apology(state)
        span.record_decision(next_agent=answer.next_agent, reasoning=answer.reasoning, confidence=answer.confidence)
        update = {**answer.update, "next_agent": answer.next_agent}
        span.set_state(after={**state, **update})
        return update

    answer_in_time.__name__ = answer_in_time.__qualname__ = think.__name__
    answer_in_time.__doc__ = think.__doc__
    return answer_in_time


async def _within_budget(think: Think, state: CallState, office: Office) -> Answer:
    asked = perf_counter()
    async with office.slots:
        reamon.current_span().record_wait(perf_counter() - asked)
        try:
            async with asyncio.timeout(BUDGET_SECONDS):
                return await think(state, office)
        except TimeoutError as error:
            raise TimeoutError(f"no answer within {BUDGET_SECONDS * 1000:.0f} ms") from error


def _apology(state: CallState) -> Answer:
    update = {"reply": state["reply"] or APOLOGY}
    return Answer("analytics", "Nobody answered, so the lead is asked to repeat.", 0.0, update)
