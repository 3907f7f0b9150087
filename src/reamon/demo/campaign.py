"""The campaign: calls the leads, several at a time; each turn of a call is one workflow."""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast

import reamon
from reamon.demo.graph import build_graph
from reamon.demo.leads import Lead
from reamon.demo.office import Office
from reamon.demo.state import CallState, answered, hear, opening
from reamon.demo.teamwork import APOLOGY
from reamon.demo.tools import CalendarError
from reamon.demo.voice import seconds_of

NOBODY_SPEAKS = ""
SECONDS_BETWEEN_CALLS = 0.3
PATIENCE = 2
"""How often a lead says the same thing before going on to the next."""

OnCallEnded = Callable[[], object]


class Campaign:
    """Calls leads.

    Args:
        office: What the agents work with.
        concurrency: How many calls go on at once.
        pace: How much of the time that people take to speak and listen really passes; 1 is a real telephone call.
        on_call_ended: Called after each call.
    """

    def __init__(
        self,
        office: Office,
        *,
        concurrency: int,
        pace: float,
        on_call_ended: OnCallEnded = lambda: None,
    ) -> None:
        self._office = office
        self._graph = build_graph()
        self._lines = asyncio.Semaphore(concurrency)
        self._pace = pace
        self._on_call_ended = on_call_ended

    async def run(self, leads: Iterable[Lead]) -> None:
        """Call all leads; each as soon as there is a line, but never all in the same instant."""
        async with asyncio.TaskGroup() as calls:
            for lead in leads:
                await self._lines.acquire()
                calls.create_task(self._call_and_hang_up(lead))
                await asyncio.sleep(SECONDS_BETWEEN_CALLS * self._pace)

    async def _call_and_hang_up(self, lead: Lead) -> None:
        try:
            await self.call(lead)
        finally:
            self._lines.release()
        self._on_call_ended()

    async def call(self, lead: Lead) -> None:
        """Call one lead, turn by turn, until the call has an outcome or the lead has nothing left to say."""
        state = opening(lead)
        for words in lead.lines or (NOBODY_SPEAKS,):
            for _ in range(PATIENCE):
                try:
                    state = await self.turn(lead.call_id, lead, words, state)
                except CalendarError:
                    return
                await asyncio.sleep(float(seconds_of(f"{words} {state['reply']}")) * self._pace)
                if state["reply"] != APOLOGY:
                    break
            if state["outcome"]:
                return

    @reamon.trace_workflow("call_turn", version="1", ignore=("lead",))
    async def turn(self, call_id: str, lead: Lead, words: str, state: CallState) -> CallState:
        """One turn: listen, let the team think, answer.

        The call_id makes all turns of a call findable as one conversation.

        Args:
            call_id: The conversation.
            lead: Who is called.
            words: What the lead says.
            state: Where the last turn ended.

        Returns:
            Where this turn ended.

        Raises:
            CalendarError: An appointment could not be booked; the call is over.
        """
        span = reamon.current_span()
        voice = self._office.voice
        if not state["history"] and not await voice.dial(lead):
            span.set_outcome("no_answer")
            return {**state, "outcome": "no_answer"}
        said = await voice.listen(words)
        try:
            thought = await self._graph.ainvoke(hear(state, said), context=self._office)
        except CalendarError:
            span.set_outcome("failed")
            raise
        state = answered(cast(CallState, thought))
        await voice.say(state["reply"])
        await voice.carry(seconds_of(f"{words} {state['reply']}"))
        if state["reply"] == APOLOGY:
            span.set_status("degraded", "the lead got an apology")
        if state["outcome"]:
            span.set_outcome(state["outcome"])
        return state
