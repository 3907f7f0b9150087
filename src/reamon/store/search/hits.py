"""Hits: what a search has found, with as much of the text as shows why."""

import unicodedata
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Literal

import msgspec

from reamon.store.search.query import Query, divided

_BEFORE: Final = 40
_AFTER: Final = 80
_ESCAPES: Final = (
    ("\\\\", "  "),
    ("\\n", "  "),
    ("\\r", "  "),
    ("\\t", "  "),
    ("\\b", "  "),
    ("\\f", "  "),
    ("\\", " "),
)
"""JSON's escapes, and as much room: what follows one is not part of a word."""


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A span in which all that was looked for occurs.

    Attributes:
        trace_id: Its trace.
        call_id: The conversation, where the trace has one.
        project: The project, where the trace has one.
        span_id: The span; the trace's own id where that is its root.
        kind: What the span is.
        name: Its name.
        where: In which part of it the text stands: "input", "output", "state", "decision", "metadata" or "error".
        snippet: The text around the first match.
        marks: Where in `snippet` matches begin and end.
        time: When the span started.
    """

    trace_id: str
    call_id: str | None
    project: str | None
    span_id: str
    kind: str
    name: str
    where: str
    snippet: str
    marks: tuple[tuple[int, int], ...]
    time: datetime

    def marked(self, begin: str = "[", end: str = "]") -> str:
        """The snippet with its matches between two marks."""
        parts, last = [], 0
        for start, stop in self.marks:
            parts += [self.snippet[last:start], begin, self.snippet[start:stop], end]
            last = stop
        return "".join([*parts, self.snippet[last:]])


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search has found.

    Attributes:
        hits: Newest first.
        by: How: by an index, or by reading every row.
        note: Why no index was used, and what to do about it; None where there is nothing to say.
    """

    hits: tuple[Hit, ...]
    by: Literal["index", "scan"]
    note: str | None = None


class Excerpt(msgspec.Struct, frozen=True):
    """A part of a text, with the matches in it."""

    where: str
    snippet: str
    marks: tuple[tuple[int, int], ...]


def excerpt(query: Query, texts: Mapping[str, str], labels: Mapping[str, str]) -> Excerpt:
    """The part of the texts that shows best why they match: of the one in which most terms occur.

    Args:
        query: What was looked for.
        texts: By column.
        labels: What people call the columns.
    """
    best: tuple[int, str, str, list[tuple[int, int]]] = (-1, "", "", [])
    for column, text in texts.items():
        plain = readable(text)
        words = list(divided(plain))
        found = [place for term in query.terms if (place := term.found_in(words))]
        if len(found) > best[0]:
            best = (len(found), column, plain, sorted(found))
    _, column, plain, found = best
    first = found[0][0] if found else 0
    begin, end = max(first - _BEFORE, 0), min(first + _AFTER, len(plain))
    marks: list[tuple[int, int]] = []
    for start, stop in found:
        if begin <= start and stop <= end and (not marks or start - begin >= marks[-1][1]):
            marks.append((start - begin, stop - begin))
    return Excerpt(labels.get(column, column), plain[begin:end], tuple(marks))


def readable(text: str) -> str:
    """JSON text as it is shown and divided into words: without escapes.

    Example:
        >>> readable(chr(34) + "one" + chr(92) + "ntwo" + chr(34))
        '"one  two"'
    """
    if "\\" in text:
        for escape, room in _ESCAPES:
            text = text.replace(escape, room)
    return unicodedata.normalize("NFC", text)
