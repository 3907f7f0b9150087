"""The leads: the people who are called, each of a temper that decides what they say."""

import random
from dataclasses import dataclass
from enum import StrEnum


class Temper(StrEnum):
    """What a lead is like on the telephone."""

    EAGER = "eager"
    CURIOUS = "curious"
    SCEPTICAL = "sceptical"
    BUSY = "busy"
    HOSTILE = "hostile"
    IMPATIENT = "impatient"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody who may want to sell a house.

    Attributes:
        call_id: The conversation with this lead.
        name: Who it is.
        street: Where the house is.
        temper: What the lead is like.
        lines: What the lead says, one line a turn; nobody picks up where there are none.
    """

    call_id: str
    name: str
    street: str
    temper: Temper
    lines: tuple[str, ...]


_NAMES = (
    "Amara Okafor",
    "Ben Whitaker",
    "Chloe Duval",
    "Dario Conti",
    "Elif Aydin",
    "Farid Haddad",
    "Grace Liu",
    "Hugo Brandt",
)
_STREETS = (
    "Mill Lane",
    "Station Road",
    "Orchard Close",
    "Harbour View",
    "Chestnut Avenue",
    "Abbey Street",
    "Hill Rise",
)
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday")

_SCRIPTS: dict[Temper, tuple[tuple[str, ...], ...]] = {
    Temper.EAGER: (
        (
            "Yes, speaking. Good that you call, we have been thinking of selling.",
            "Hello! Yes, the house is for us to sell.",
        ),
        ("It has {rooms} bedrooms and we own it outright.", "We have {rooms} bedrooms and a garden, and we own it."),
        ("That sounds right. Can somebody come and look at it?", "Good. When can somebody come and see it?"),
        ("{day} at {hour} o'clock suits us.", "Then {day} at {hour} o'clock, please."),
    ),
    Temper.CURIOUS: (
        ("Hello? Who is this, please?", "Yes, hello. What is this about?"),
        ("What do houses on {street} go for at the moment?", "How is the market around {street} these days?"),
        ("We have {rooms} bedrooms. I own it with my sister.", "It has {rooms} bedrooms, and I own half of it."),
        ("And how does a valuation work?", "What happens after a valuation?"),
        ("Let me think about it. Send me something to read.", "I want to think about it. Can you send me something?"),
    ),
    Temper.SCEPTICAL: (
        ("Speaking. What do you want to sell me?", "Yes. Is this another agency?"),
        ("Your commission is too expensive.", "I have heard what you charge, and it is too expensive."),
        ("The last agency promised a lot and nothing came of it.", "You all promised me the same thing before."),
        ("And if it does not sell, I still pay?", "What if it does not sell in a year?"),
        (
            "All right, {day} at {hour} o'clock, but no longer than an hour.",
            "No, thank you. I am not interested after all.",
        ),
    ),
    Temper.BUSY: (
        ("I am on my way to a meeting. What is it?", "Make it short, please."),
        ("I really have no time for this now.", "Sorry, no time today."),
        ("Then call me back on {day}.", "You can call me back {day} evening."),
    ),
    Temper.HOSTILE: (
        ("Where did you get this number?", "Who gave you my number?"),
        ("I am not interested. Do not call again.", "Not interested. Take me off your list."),
    ),
    Temper.IMPATIENT: (
        ("Yes?", "Hello, yes?"),
        ("Am I talking to a machine?", "Is this a machine?"),
        ("I want to talk to a real person.", "Get me a real person, please."),
    ),
    Temper.ABSENT: (),
}

_DECK = (
    *(Temper.EAGER,) * 5,
    *(Temper.CURIOUS,) * 4,
    *(Temper.SCEPTICAL,) * 4,
    *(Temper.BUSY,) * 2,
    *(Temper.HOSTILE,) * 2,
    *(Temper.IMPATIENT,) * 2,
    Temper.ABSENT,
)


def make_leads(count: int, seed: int) -> list[Lead]:
    """The leads of a campaign: the same ones for the same seed, every temper among any twenty in a row.

    Example:
        >>> first, *others = make_leads(20, seed=7)
        >>> first.call_id, len(others)
        ('call-7-0001', 19)
    """
    dice = random.Random(seed)  # noqa: S311 - a cast of characters, not a secret
    tempers: list[Temper] = []
    while len(tempers) < count:
        tempers += dice.sample(_DECK, k=len(_DECK))
    return [make_lead(number, seed, tempers[number - 1]) for number in range(1, count + 1)]


def make_lead(number: int, seed: int, temper: Temper) -> Lead:
    """Lead `number` of the campaign of that seed, if it is of that temper."""
    dice = random.Random(f"{seed}/{number}")  # noqa: S311
    street = f"{dice.randint(1, 80)} {dice.choice(_STREETS)}"
    facts = {"street": street, "rooms": dice.randint(2, 5), "day": dice.choice(_DAYS), "hour": dice.randint(9, 17)}
    lines = tuple(dice.choice(variants).format(**facts) for variants in _SCRIPTS[temper])
    return Lead(f"call-{seed}-{number:04d}", dice.choice(_NAMES), street, temper, lines)
