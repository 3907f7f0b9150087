import asyncio

import openai
import pytest
from langgraph.runtime import Runtime

from reamon.demo import teamwork
from reamon.demo.leads import Temper, make_lead
from reamon.demo.office import Office
from reamon.demo.state import CallState, hear, opening
from reamon.demo.teamwork import APOLOGY, Answer, in_time

STATE = hear(opening(make_lead(1, 7, Temper.EAGER)), "Yes, speaking.")


@in_time
async def quick(state: CallState, office: Office) -> Answer:
    """Answers at once."""
    return Answer("scheduler", "The lead is willing.", 0.9, {"reply": "Good.", "score": 0.8})


@in_time
async def slow(state: CallState, office: Office) -> Answer:
    await asyncio.sleep(60)
    raise AssertionError("the budget has run out long ago")


@in_time
async def broken(state: CallState, office: Office) -> Answer:
    raise openai.APIError("overloaded", request=None, body=None)  # type: ignore[arg-type]


@in_time
async def wrong(state: CallState, office: Office) -> Answer:
    raise KeyError("score")


@pytest.fixture
def runtime(office: Office) -> Runtime[Office]:
    return Runtime(context=office)


@pytest.fixture
def short_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(teamwork, "BUDGET_SECONDS", 0.01)


async def test_an_answer_changes_the_state_and_names_the_next_agent(runtime: Runtime[Office]) -> None:
    assert await quick(STATE, runtime) == {"reply": "Good.", "score": 0.8, "next_agent": "scheduler"}


@pytest.mark.usefixtures("short_budget")
async def test_an_agent_out_of_time_apologises(runtime: Runtime[Office]) -> None:
    assert await slow(STATE, runtime) == {"reply": APOLOGY, "next_agent": "analytics"}


async def test_an_agent_whose_model_fails_apologises(runtime: Runtime[Office]) -> None:
    assert await broken(STATE, runtime) == {"reply": APOLOGY, "next_agent": "analytics"}


async def test_an_agent_that_is_late_leaves_the_answer_of_another_alone(runtime: Runtime[Office]) -> None:
    answered = {**STATE, "reply": "No sale, no fee."}

    assert (await broken(answered, runtime))["reply"] == "No sale, no fee."  # type: ignore[arg-type]


async def test_a_mistake_in_the_code_is_no_case_for_an_apology(runtime: Runtime[Office]) -> None:
    with pytest.raises(KeyError):
        await wrong(STATE, runtime)


@pytest.mark.usefixtures("short_budget")
async def test_the_wait_for_a_turn_is_not_taken_from_the_budget(office: Office, runtime: Runtime[Office]) -> None:
    office.slots = asyncio.Semaphore(0)
    waiting = asyncio.create_task(quick(STATE, runtime))
    await asyncio.sleep(0.05)
    assert not waiting.done()

    office.slots.release()
    assert (await waiting)["reply"] == "Good."


def test_a_node_is_known_by_the_agents_name() -> None:
    assert (quick.__name__, quick.__doc__) == ("quick", "Answers at once.")
