"""The tools: the calendar, the library and the records that the agents work with."""

import asyncio
import random

import reamon

OUTAGES = 0.08
"""The share of calls for which the calendar breaks down, so that there is a failure to look at."""

_LOOKUP_SECONDS = 0.012

_FIGURES = {
    "expensive": "Commission is due on completion only; 2.4 percent on average last year.",
    "no time": "A first visit takes half an hour.",
    "promised": "Nine houses of ten were sold within twelve weeks last year.",
    "not sell": "No sale, no fee: section 4 of the contract.",
}


class CalendarError(Exception):
    """The calendar did not take an appointment."""


class Calendar:
    """Which visits are agreed: one for each call, so that a booking may safely be repeated."""

    def __init__(self) -> None:
        self.visits: dict[str, str] = {}

    @reamon.trace_tool
    async def free_hours(self, day: str | None) -> list[str]:
        """When somebody can come: on `day`, or on any."""
        await asyncio.sleep(_LOOKUP_SECONDS)
        return [f"{day} {hour}:00" for hour in (10, 14, 16)] if day else ["Tuesday 10:00", "Thursday 16:00"]

    @reamon.trace_tool
    async def book(self, call_id: str, day: str, hour: int) -> str:
        """Enter the visit of a call, in place of one that was entered before.

        Raises:
            CalendarError: The calendar is out of order.
        """
        await asyncio.sleep(_LOOKUP_SECONDS)
        if random.Random(call_id).random() < OUTAGES:  # noqa: S311 - the same calls fail in every run of a seed
            raise CalendarError(f"the calendar did not answer while booking {day} at {hour} o'clock")
        visit = self.visits[call_id] = f"{day} {hour}:00"
        return visit


class Library:
    """What the agency has to say for itself."""

    @reamon.trace_retrieval
    async def figures_about(self, objection: str) -> list[str]:
        """The figures that answer an objection."""
        await asyncio.sleep(_LOOKUP_SECONDS)
        return [figure for keyword, figure in _FIGURES.items() if keyword in objection]


class Records:
    """What the agency remembers of each call."""

    def __init__(self) -> None:
        self.calls: dict[str, str | None] = {}

    @reamon.trace_tool
    async def save(self, call_id: str, outcome: str | None) -> None:
        """Note how the call stands."""
        await asyncio.sleep(_LOOKUP_SECONDS)
        self.calls[call_id] = outcome
