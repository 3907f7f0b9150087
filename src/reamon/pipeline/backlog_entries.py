"""Entries of a backlog: what it tells about batches, dead letters and lanes, and how somebody says which are meant."""

import re
from datetime import datetime
from typing import Final

import msgspec

from reamon.errors import ReamonError

_ID: Final = re.compile(r"(?P<table>[BL])(?P<number>[0-9]{1,18})", re.IGNORECASE)
_TABLES: Final = {"B": "batches", "L": "letters"}


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """Batches that wait for one destination in the hands of one process.

    Attributes:
        destination: Where they are to go.
        owner: The id of the process; "replay" where somebody has let dead letters wait again.
        is_owned: Whether that process lives, and so delivers them.
        first: The id of the oldest batch.
        last: The id of the newest one.
        batches: How many there are.
        spans: How many spans are in them.
        bytes: What they take on disk.
        oldest: When the oldest was written.
    """

    destination: str
    owner: str
    is_owned: bool
    first: str
    last: str
    batches: int
    spans: int
    bytes: int
    oldest: datetime


class DeadLetters(msgspec.Struct, frozen=True, kw_only=True):
    """Dead letters of one destination that were refused for the same reason.

    Attributes:
        destination: Who refused them.
        kind: Under which name `stats().dropped` counts them: "rejected", "too_old", "abandoned", …
        reason: Why, in the destination's words.
        ids: Theirs, oldest first.
        spans: How many spans are in them.
        bytes: What they take on disk.
        oldest: When the first of them was refused.
    """

    destination: str
    kind: str
    reason: str
    ids: tuple[str, ...]
    spans: int
    bytes: int
    oldest: datetime


class LaneNote(msgspec.Struct, frozen=True, kw_only=True):
    """What a living process says about a lane of its own that is not well.

    Attributes:
        destination: Where the lane sends to.
        lane: Its name.
        state: One of "failing", "open", "half_open" and "paused".
        since: Since when.
        error: What went wrong at the last attempt.
        fix: What somebody has to change before the destination takes anything again.
    """

    destination: str
    lane: str
    state: str
    since: datetime
    error: str | None
    fix: str | None


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A batch or a dead letter, without its spans.

    Attributes:
        id: "B7" for a batch, "L12" for a dead letter.
        destination: Where it is to go, or who refused it.
        since: When it was written, or refused.
        spans: How many spans are in it.
        bytes: What it takes on disk.
        kind: Of a dead letter, as which it is counted.
        reason: Of a dead letter, why it was refused.
        owner: Of a batch, the process that it belongs to.
        is_owned: Of a batch, whether that process lives.
    """

    id: str
    destination: str
    since: datetime
    spans: int
    bytes: int
    kind: str | None
    reason: str | None
    owner: str | None
    is_owned: bool


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which items somebody means: those with these ids, else the dead letters that fit all that is said.

    Attributes:
        ids: "L12", "B7".
        destination: Only what is for it.
        kind: Only dead letters that are counted so.
        before: Only what has been there since before that.
        waiting: Batches that wait as well.
    """

    ids: tuple[str, ...] = ()
    destination: str | None = None
    kind: str | None = None
    before: datetime | None = None
    waiting: bool = False

    def conditions(self, since: str, kind: str | None = None) -> tuple[str, list[str | float]]:
        """The WHERE of a query for them, and its parameters.

        Args:
            since: The column that says when.
            kind: The column that says which kind; None where there is none.
        """
        said: list[tuple[str, str | float | None]] = [
            ("destination = ?", self.destination),
            (f"{since} < ?", None if self.before is None else self.before.timestamp()),
        ]
        if kind is not None:
            said.append((f"{kind} = ?", self.kind))
        terms = [term for term, value in said if value is not None]
        return (f" WHERE {' AND '.join(terms)}" if terms else ""), [value for _, value in said if value is not None]


def number_of(item_id: str) -> tuple[str, int]:
    """The table and the row of an item.

    Raises:
        ReamonError: It is no id of an item.

    Example:
        >>> number_of("L12"), number_of("b7")
        (('letters', 12), ('batches', 7))
    """
    match = _ID.fullmatch(item_id)
    if match is None:
        raise ReamonError(f"{item_id!r} is no id: those of dead letters look like L12, those of batches like B7")
    return _TABLES[match["table"].upper()], int(match["number"])
