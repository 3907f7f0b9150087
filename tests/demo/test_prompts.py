from reamon.demo.leads import Temper, make_lead
from reamon.demo.prompts import prompt
from reamon.demo.state import answered, hear, opening

LEAD = make_lead(1, 7, Temper.CURIOUS)


def test_a_model_is_told_who_it_is_and_who_the_lead_is() -> None:
    system, said = prompt("scheduler", hear(opening(LEAD), "Hello?"))

    assert system["role"] == "system"
    assert "You are the scheduler agent" in str(system["content"])
    assert LEAD.name in str(system["content"])
    assert said == {"role": "user", "content": "Hello?"}


def test_a_model_is_told_what_was_said_last_and_by_whom() -> None:
    state = opening(LEAD)
    for number in range(3):
        state = hear(state, f"question {number}")
        state = answered({**state, "reply": f"answer {number}"})
    _, *spoken = prompt("conversation", hear(state, "question 3"))

    assert spoken == [
        {"role": "user", "content": "question 2"},
        {"role": "assistant", "content": "answer 2"},
        {"role": "user", "content": "question 3"},
    ]
