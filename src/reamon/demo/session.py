"""The session: a model server and a campaign against it, from the first call to the last or to Ctrl-C."""

import asyncio
from collections.abc import Sequence

from reamon.demo.campaign import Campaign, OnCallEnded
from reamon.demo.leads import Lead
from reamon.demo.model_server import ModelServer
from reamon.demo.office import open_office
from reamon.demo.progress import progress_of


def call_all(leads: Sequence[Lead], *, seed: int, concurrency: int, pace: float) -> bool:
    """Call all leads.

    Args:
        leads: Whom to call.
        seed: The seed of the model server's script.
        concurrency: How many calls go on at once.
        pace: How much of the time that people take to speak and listen really passes.

    Returns:
        Whether all were called; False after Ctrl-C.
    """
    with ModelServer(seed) as server, progress_of(len(leads)) as call_ended:
        return asyncio.run(_campaign(server.base_url, leads, concurrency, pace, call_ended))


async def _campaign(
    base_url: str, leads: Sequence[Lead], concurrency: int, pace: float, call_ended: OnCallEnded
) -> bool:
    try:
        async with open_office(base_url) as office:
            await Campaign(office, concurrency=concurrency, pace=pace, on_call_ended=call_ended).run(leads)
    except asyncio.CancelledError:
        # What asyncio.run makes of Ctrl-C. The calls under way are recorded as cancelled.
        return False
    return True
