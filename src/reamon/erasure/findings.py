"""Findings: which calls and traces belong to somebody, gathered from all places before anything is deleted."""

import re
from collections.abc import Iterable
from typing import Protocol

import msgspec

from reamon.erasure.residue import RawPattern, literally
from reamon.erasure.subject import SHORTEST_TOLD
from reamon.model import Span


class Wanted(Protocol):
    """What is looked for: a `Subject`, or what was erased before.

    Attributes:
        kind: What is known of the person.
        needle: What every text contains that speaks of them; None where nothing is sure.
        reads_texts: Whether texts have to be looked through.
        raw_pattern: What must be left in no file.
    """

    @property
    def kind(self) -> str: ...  # noqa: D102 - see above
    @property
    def needle(self) -> str | None: ...  # noqa: D102
    @property
    def reads_texts(self) -> bool: ...  # noqa: D102
    @property
    def raw_pattern(self) -> RawPattern | None: ...  # noqa: D102

    def covers(self, trace_id: str, call_id: str | None) -> bool:
        """Whether what has these ids belongs to them."""
        ...

    def is_mentioned_in(self, texts: Iterable[str]) -> bool:
        """Whether one of these texts speaks of them."""
        ...


class Findings:
    """The traces and calls that go, whole."""

    def __init__(self) -> None:
        self.traces: set[str] = set()
        self.calls: set[str] = set()

    def add(self, trace_id: str, call_id: str | None) -> None:
        """This trace belongs to the subject, and so does its whole call."""
        self.traces.add(trace_id)
        if call_id:
            self.calls.add(call_id)

    def cover(self, span: Span) -> bool:
        """Whether a span belongs to one of them."""
        return span.trace_id in self.traces or (span.call_id is not None and span.call_id in self.calls)

    @property
    def size(self) -> int:
        """Grows while there is more to find."""
        return len(self.traces) + len(self.calls)


class PlaceReport(msgspec.Struct, frozen=True, kw_only=True):
    """What was done in one place.

    Attributes:
        kind: What it is: "store", "outbox" or "jsonl".
        where: Its path, or its address without a password.
        removed: How many rows, spans or lines went, by table or file.
        kept: What stayed without anything of the person in it.
        remaining: What could not be done, and what to do about it.
    """

    kind: str
    where: str
    removed: dict[str, int]
    kept: dict[str, int] = {}
    remaining: tuple[str, ...] = ()


class Place(Protocol):
    """Where spans are kept."""

    def find(self, subject: Wanted, findings: Findings) -> None:
        """Add the traces and calls that belong to the subject, and what belongs to those that are known."""
        ...

    def erase(self, subject: Wanted, findings: Findings, *, dry_run: bool) -> PlaceReport:
        """Delete what was found, or count it."""
        ...

    def destinations(self) -> Iterable[str]:
        """To whom spans of this place are sent."""
        ...


def patterns_of(subject: Wanted, findings: Findings) -> list[RawPattern]:
    """What must be left in no file: the subject itself and the ids of the calls, where they are long enough to tell."""
    patterns = {literally(call_id) for call_id in findings.calls if len(call_id) >= SHORTEST_TOLD}
    if subject.raw_pattern is not None:
        patterns.add(subject.raw_pattern)
    return sorted(patterns)


def names_them(text: str, subject: Wanted, findings: Findings) -> bool:
    """Whether a text that is none of ours speaks of the subject, or has the id of a trace or call that goes."""
    if subject.is_mentioned_in([text]) or any(trace_id in text for trace_id in findings.traces):
        return True
    return any(re.search(rf"(?<![\w-]){re.escape(call_id)}(?![\w-])", text) for call_id in findings.calls)


def texts_of(span: Span) -> list[str]:
    """All that a span says, as texts."""
    payloads = (span.input, span.output, span.state_before, span.state_after, span.metadata)
    others = (span.attributes, span.events, span.decision, span.tags, span.error, span.links, span.usage)
    plain = (span.name, span.status_reason, span.outcome, span.call_id)
    return [
        *(payload.text for payload in payloads if payload is not None),
        *(encoded(part) for part in others if part),
        *(text for text in plain if text),
        *((span.error.message, span.error.stack or "") if span.error else ()),
    ]


def encoded(value: object) -> str:
    """A part of a span as JSON; what is no plain value by its type's name."""
    return msgspec.json.encode(value, enc_hook=lambda part: f"<{type(part).__name__}>").decode("utf-8", "replace")
