"""The office: everything that the agents share, opened once for a whole campaign."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from reamon.demo.models import Models
from reamon.demo.tools import Calendar, Library, Records
from reamon.demo.voice import Voice

MODEL_SLOTS = 12
"""How many agents may think at once; the others wait for their turn."""


@dataclass(eq=False)
class Office:
    """What the agents share.

    Attributes:
        models: The language models.
        slots: The right to ask them.
        voice: The telephone.
        calendar: Visits.
        library: Figures.
        records: Notes on each call.
    """

    models: Models
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MODEL_SLOTS))
    voice: Voice = field(default_factory=Voice)
    calendar: Calendar = field(default_factory=Calendar)
    library: Library = field(default_factory=Library)
    records: Records = field(default_factory=Records)


@asynccontextmanager
async def open_office(base_url: str) -> AsyncIterator[Office]:
    """An office whose models answer at `base_url`, closed at the end."""
    office = Office(Models(base_url))
    try:
        yield office
    finally:
        await office.models.close()
