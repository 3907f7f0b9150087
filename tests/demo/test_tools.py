import asyncio

import pytest

from reamon.demo.leads import make_leads
from reamon.demo.tools import OUTAGES, Calendar, CalendarError, Library


async def test_a_visit_that_is_booked_again_is_moved_not_doubled() -> None:
    calendar = Calendar()
    await calendar.book("call-7-0001", "Monday", 9)
    await calendar.book("call-7-0001", "Friday", 14)

    assert calendar.visits == {"call-7-0001": "Friday 14:00"}


async def test_for_some_calls_the_calendar_is_out_of_order() -> None:
    calendar = Calendar()
    call_ids = [lead.call_id for lead in make_leads(60, seed=7)]
    bookings = [calendar.book(call_id, "Monday", 9) for call_id in call_ids]
    answers = await asyncio.gather(*bookings, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, CalendarError)]

    assert 0 < len(refusals) < 60 * OUTAGES * 3
    assert len(calendar.visits) == 60 - len(refusals)
    assert "Monday at 9 o'clock" in str(refusals[0])


async def test_a_day_that_was_named_is_looked_up() -> None:
    assert await Calendar().free_hours("Friday") == ["Friday 10:00", "Friday 14:00", "Friday 16:00"]
    assert {hour.split()[0] for hour in await Calendar().free_hours(None)} == {"Tuesday", "Thursday"}


@pytest.mark.parametrize(("objection", "found"), [("It is too expensive.", "2.4 percent"), ("No time now", "")])
async def test_an_objection_finds_its_figures(objection: str, found: str) -> None:
    figures = await Library().figures_about(objection)

    assert len(figures) == bool(found)
    assert all(found in figure for figure in figures)
