import pytest

from reamon.demo.graph import build_graph
from reamon.demo.leads import Temper, make_lead
from reamon.demo.office import Office
from reamon.demo.state import CallState, hear, opening

LEAD = make_lead(1, 7, Temper.CURIOUS)


async def visited(office: Office, said: str, **known: object) -> tuple[list[str], CallState]:
    """The agents that a turn goes through, and the state in which it ends."""
    state = hear({**opening(LEAD), **known}, said)  # type: ignore[typeddict-item]
    agents = []
    async for update in build_graph().astream(state, context=office, stream_mode="updates"):
        for agent, changes in update.items():
            agents.append(agent)
            state.update(changes)
    return agents, state


async def test_small_talk_stays_with_conversation(office: Office) -> None:
    agents, state = await visited(office, "Who is this?")

    assert agents == ["conversation", "analytics"]
    assert state["reply"]
    assert state["outcome"] is None


@pytest.mark.parametrize(
    ("said", "outcome"),
    [
        ("Get me a real person, please.", "escalated"),
        ("I am not interested.", "not_interested"),
        ("You can call me back Monday evening.", "callback"),
        ("I want to think about it.", "information_sent"),
    ],
)
async def test_conversation_ends_a_call_by_itself(office: Office, said: str, outcome: str) -> None:
    agents, state = await visited(office, said)

    assert agents == ["conversation", "analytics"]
    assert state["outcome"] == outcome
    assert office.records.calls == {LEAD.call_id: outcome}


async def test_whoever_is_worth_a_visit_is_offered_one(office: Office) -> None:
    turns = [await visited(office, f"We have {rooms} bedrooms.") for rooms in range(20)]

    for agents, state in turns:
        assert state["score"] is not None
        specialists = ["qualification", "scheduler"] if state["score"] >= 0.7 else ["qualification"]
        assert agents == ["conversation", *specialists, "analytics"]
    assert len({len(agents) for agents, _ in turns}) == 2, "both ways are taken"


async def test_the_first_objection_is_answered_by_the_standard_model(office: Office) -> None:
    agents, state = await visited(office, "That is too expensive.")

    assert agents == ["conversation", "objection_handler", "analytics"]
    assert (state["objections"], state["escalated"]) == (1, False)


async def test_the_second_objection_goes_to_the_stronger_model(office: Office, asked: list[str]) -> None:
    _, state = await visited(office, "That is too expensive.", objections=1)

    assert (state["objections"], state["escalated"]) == (2, True)
    assert asked == ["gpt-3.5-turbo", "gpt-4"]


async def test_after_the_third_objection_a_visit_is_offered(office: Office) -> None:
    agents, state = await visited(office, "That is too expensive.", objections=2, escalated=True)

    assert agents == ["conversation", "objection_handler", "scheduler", "analytics"]
    assert "Tuesday" in state["reply"], "the answer to the objection and the offer are both said"
    assert len(state["reply"].split(".")) > 2


async def test_an_appointment_is_booked_and_ends_the_call(office: Office, asked: list[str]) -> None:
    agents, state = await visited(office, "Then Friday at 14 o'clock, please.")

    assert agents == ["conversation", "scheduler", "analytics"]
    assert state["outcome"] == "appointment"
    assert asked[-1] == "llama3.1", "a call that is over is summed up by the local model"
