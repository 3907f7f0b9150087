"""The script: what the model says, how long it takes over it, and when it fails.

A stand-in for a language model. It knows the agents by their prompts and the leads by their words, and the same request
always gets the same treatment: the campaign of a seed goes the same way each time.
"""

import json
import random
import re
from dataclasses import dataclass
from typing import Any

Request = dict[str, Any]

_AGENT = re.compile(r"You are the (\w+) agent")
_TOKEN = re.compile(r"\w+|[^\w\s]")
_APPOINTMENT = re.compile(r"(Monday|Tuesday|Wednesday|Thursday|Friday) at (\d+) o'clock")
_TOKENS_PER_MESSAGE = 4

_INTENTS: tuple[tuple[str, str, str, str], ...] = (
    ("real person", "escalate", "analytics", "The lead insists on a person."),
    ("not interested|off your list", "decline", "analytics", "The lead wants no more calls."),
    ("call me back", "callback", "analytics", "The lead has no time now, but does not refuse."),
    ("think about it", "information", "analytics", "The lead wants something to read first."),
    ("expensive|no time|promised|not sell", "objection", "objection_handler", "The lead objects; it needs an answer."),
    ("o'clock|come and", "visit", "scheduler", "The lead is ready for a visit."),
    ("bedrooms", "facts", "qualification", "The lead describes the house; it can be judged now."),
)

_SPEECH: dict[str, tuple[str, ...]] = {
    "talk": (
        "Good afternoon, Robin from Alder & Finch Homes. May I ask about your house?",
        "It is Robin from Alder & Finch Homes; buyers ask us about your street.",
        "Prices near you rose by four percent this year. Shall we see what that means for yours?",
        "A colleague looks at the house for half an hour, and you get the figure in writing.",
    ),
    "escalate": ("Of course. I connect you with my colleague, one moment please.",),
    "decline": ("I understand. You are off our list, and I am sorry for the trouble.",),
    "callback": ("Gladly. I call you then, and until then I leave you in peace.",),
    "information": ("I send you our guide today. Thank you for your time.",),
    "facts": ("Thank you, that helps me. What would you like to know from us?",),
    "objection": (
        "I hear that often. We charge only when it is sold, and nothing before.",
        "That is fair. Last year we sold nine houses of ten within twelve weeks.",
        "If it does not sell, you owe us nothing. That stands in the contract.",
    ),
    "offer": ("We could come by on Tuesday at 10 or on Thursday at 16 o'clock. What suits you?",),
    "booked": ("That is settled, then. You get a message with the date in a minute.",),
    "summary": ("The lead was friendly and the next step is agreed.", "The lead was short, and the outcome is clear."),
}


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer of the model, and what it took.

    Attributes:
        text: The answer.
        input_tokens: The tokens of all messages.
        output_tokens: The tokens of the answer.
        seconds: How long the model thinks before its first token.
    """

    text: str
    input_tokens: int
    output_tokens: int
    seconds: float

    @property
    def pieces(self) -> list[str]:
        """The answer as it is streamed: three words at a time."""
        words = self.text.split(" ")
        groups = [" ".join(words[start : start + 3]) for start in range(0, len(words), 3)]
        return [group if place == 0 else f" {group}" for place, group in enumerate(groups)]


class Script:
    """Answers requests; the same seed and request give the same answer, pace and failures.

    Args:
        seed: Which of the possible campaigns this is.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def failure(self, request: Request, attempt: int) -> int | None:
        """The HTTP status with which this attempt fails, or None where it succeeds.

        Args:
            request: The body of the request.
            attempt: 0 for the first one, 1 for its first retry.
        """
        fate = self._dice("failure", request).random()
        if fate < 0.006:
            return 500
        if attempt == 0 and fate < 0.036:
            return 429 if fate < 0.025 else 500
        return None

    def complete(self, request: Request) -> Completion:
        """The answer to a chat completion request."""
        dice = self._dice("answer", request)
        text = self._text(request, dice)
        input_tokens = sum(count_tokens(message["content"]) + _TOKENS_PER_MESSAGE for message in request["messages"])
        return Completion(text, input_tokens, count_tokens(text), _seconds(request["model"], dice))

    def _text(self, request: Request, dice: random.Random) -> str:
        messages = request["messages"]
        found = _AGENT.search(messages[0]["content"])
        agent = found[1] if found else "conversation"
        said = messages[-1]["content"]
        if "response_format" in request:
            return json.dumps(_decision(agent, said, dice))
        return dice.choice(_SPEECH[_subject(agent, said)])

    def _dice(self, purpose: str, request: Request) -> random.Random:
        return random.Random(f"{self._seed}/{purpose}/{json.dumps(request, sort_keys=True)}")  # noqa: S311


def count_tokens(text: str) -> int:
    """How many tokens the scripted model counts in `text`: its words and its punctuation marks."""
    return len(_TOKEN.findall(text))


def _seconds(model: str, dice: random.Random) -> float:
    if dice.random() < 0.02:
        return dice.uniform(0.75, 1.1)
    return dice.uniform(0.03, 0.08) * (1.8 if model == "gpt-4" else 1)


def _decision(agent: str, said: str, dice: random.Random) -> dict[str, Any]:
    confidence = round(dice.uniform(0.7, 0.97), 2)
    match agent:
        case "qualification":
            score = round(dice.uniform(0.55, 0.95), 2)
            reply = dice.choice(_SPEECH["facts"])
            reasoning = "Owner, size known, open to a visit."
            return {"score": score, "reply": reply, "confidence": confidence, "reasoning": reasoning}
        case "scheduler":
            found = _APPOINTMENT.search(said)
            day, hour = (found[1], int(found[2])) if found else (None, None)
            return {"day": day, "hour": hour, "confidence": confidence, "reasoning": "Taken from the lead's words."}
        case _:
            intent, next_agent, reasoning = _intent(said)
            heard = {"intent": intent, "next_agent": next_agent, "confidence": confidence, "reasoning": reasoning}
            return {**heard, "reply": dice.choice(_SPEECH[intent])} if next_agent == "analytics" else heard


def _intent(said: str) -> tuple[str, str, str]:
    for keywords, intent, next_agent, reasoning in _INTENTS:
        if re.search(keywords, said):
            return intent, next_agent, reasoning
    return "talk", "analytics", "The lead wants to know who is calling and why."


def _subject(agent: str, said: str) -> str:
    match agent:
        case "analytics":
            return "summary"
        case "scheduler":
            return "booked" if _APPOINTMENT.search(said) else "offer"
        case _:
            return "objection"
