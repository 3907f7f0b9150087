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
    """Who visits whom, and when."""

    @reamon.trace_tool
    async def free_hours(self, day: str | None) -> list[str]:
        """When somebody can come: on `day`, or on any."""
        await asyncio.sleep(_LOOKUP_SECONDS)
        return [f"{day} {hour}:00" for hour in (10, 14, 16)] if day else ["Tuesday 10:00", "Thursday 16:00"]

    @reamon.trace_tool
    async def book(self, call_id: str, day: str, hour: int) -> str:
        """Enter a visit.

        Raises:
            CalendarError: The calendar is out of order.
        """
        await asyncio.sleep(_LOOKUP_SECONDS)
        if random.Random(call_id).random() < OUTAGES:  # noqa: S311 - the same calls fail in every run of a seed
            raise CalendarError(f"the calendar did not answer while booking {day} at {hour} o'clock")
        return f"{day} {hour}:00"


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
