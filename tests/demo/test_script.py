import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.demo.script import Script, count_tokens


def request(said: str, agent: str = "conversation", model: str = "gpt-3.5-turbo", **more: Any) -> dict[str, Any]:
    system = f"You are the {agent} agent of Alder & Finch Homes."
    messages = [{"role": "system", "content": system}, {"role": "user", "content": said}]
    return {"model": model, "messages": messages, **more}


def decision(said: str, agent: str = "conversation") -> dict[str, Any]:
    completion = Script(7).complete(request(said, agent, response_format={"type": "json_object"}))
    answer: dict[str, Any] = json.loads(completion.text)
    return answer


@given(seed=st.integers(), said=st.text())
def test_the_same_request_always_gets_the_same_treatment(seed: int, said: str) -> None:
    first, second = Script(seed), Script(seed)

    assert first.complete(request(said)) == second.complete(request(said))
    assert first.failure(request(said), 0) == second.failure(request(said), 0)


@given(said=st.text())
def test_the_pieces_of_an_answer_are_the_answer(said: str) -> None:
    completion = Script(7).complete(request(said, "objection_handler"))

    assert "".join(completion.pieces) == completion.text
    assert len(completion.pieces) > 1


@given(said=st.text())
def test_tokens_are_counted_in_what_is_said_and_in_what_is_answered(said: str) -> None:
    question = request(said)
    completion = Script(7).complete(question)

    assert completion.output_tokens == count_tokens(completion.text)
    assert completion.input_tokens == sum(count_tokens(message["content"]) + 4 for message in question["messages"])


def test_words_and_punctuation_marks_are_tokens() -> None:
    assert count_tokens("Yes, speaking.") == 4


@pytest.mark.parametrize(
    ("said", "intent", "next_agent"),
    [
        ("Who is this?", "talk", "analytics"),
        ("Get me a real person, please.", "escalate", "analytics"),
        ("Not interested. Take me off your list.", "decline", "analytics"),
        ("You can call me back Monday evening.", "callback", "analytics"),
        ("Let me think about it. Send me something to read.", "information", "analytics"),
        ("Your commission is too expensive.", "objection", "objection_handler"),
        ("And if it does not sell, I still pay?", "objection", "objection_handler"),
        ("When can somebody come and see it?", "visit", "scheduler"),
        ("Monday at 9 o'clock suits us.", "visit", "scheduler"),
        ("It has 3 bedrooms.", "facts", "qualification"),
    ],
)
def test_what_a_lead_wants_decides_who_goes_on(said: str, intent: str, next_agent: str) -> None:
    heard = decision(said)

    assert (heard["intent"], heard["next_agent"]) == (intent, next_agent)
    assert ("reply" in heard) is (next_agent == "analytics"), "who hands over leaves the answer to the specialist"


def test_the_scheduler_takes_day_and_hour_from_the_words() -> None:
    wish = decision("Then Friday at 14 o'clock, please.", "scheduler")

    assert (wish["day"], wish["hour"]) == ("Friday", 14)


def test_the_scheduler_finds_no_day_where_none_was_named() -> None:
    assert decision("Can somebody come and look at it?", "scheduler")["day"] is None


def test_a_house_is_judged_between_nothing_and_certainty() -> None:
    scores = {decision(f"It has {rooms} bedrooms.", "qualification")["score"] for rooms in range(30)}

    assert 0 <= min(scores) < 0.7 <= max(scores) <= 1


def test_a_request_without_an_agent_is_answered_as_conversation() -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], "response_format": {}}

    assert json.loads(Script(7).complete(body).text)["intent"] == "talk"


def test_some_requests_fail_once_some_for_good_and_most_never() -> None:
    script = Script(7)
    fates = [tuple(script.failure(request(str(number)), attempt) for attempt in range(3)) for number in range(2000)]

    assert set(fates) == {(None, None, None), (429, None, None), (500, None, None), (500, 500, 500)}
    assert fates.count((None, None, None)) > 1800


def test_some_answers_take_longer_than_an_agent_may() -> None:
    seconds = [Script(7).complete(request(str(number))).seconds for number in range(500)]

    assert 0 < sum(taken > 0.5 for taken in seconds) < 50
