"""Documents about an outbox: what is in it, and what is in one of its items."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from reamon.model import Payload, Span
from reamon.model.times import to_datetime
from reamon.pipeline.backlog import REPLAYED
from reamon.pipeline.backlog_entries import DeadLetters, Item, LaneNote, Waiting
from reamon.terminal.document import Align, Block, Column, Document, Facts, Heading, Note, Style, Table, Text, Tree
from reamon.terminal.document import Node as Row
from reamon.terminal.figures import count, duration, moment, volume
from reamon.terminal.listing import error_text
from reamon.terminal.statuses import mark

_MOST_LETTERS = 20
_MOST_IDS = 3
_MOST_CHARACTERS = 200
_NANOS_PER_MILLI = 1_000_000

_WAITING = (
    Column("waits", shrinks=True),
    Column("spans", Align.RIGHT),
    Column("batches"),
    Column("size", Align.UNIT),
    Column("oldest (UTC)"),
    Column("in whose hands", shrinks=True),
)
_LETTERS = (
    Column("dead letters"),
    Column("from", shrinks=True),
    Column("kind"),
    Column("spans", Align.RIGHT),
    Column("size", Align.UNIT, optional=True),
    Column("oldest (UTC)"),
    Column("reason", shrinks=True),
)
_SPANS = (Column("span"), Column("took", Align.UNIT), Column("started (UTC)"), Column("call"), Column("span id"))


def listing(
    path: Path, waiting: Sequence[Waiting], lanes: Sequence[LaneNote], letters: Sequence[DeadLetters]
) -> Document:
    """The document of `reamon outbox list`."""
    if not (waiting or lanes or letters):
        return [Note(Text.of("✓ ", Style.GOOD) + Text.of(f"Nothing waits and nothing was refused: {path}"))]
    return list(_listing(waiting, lanes, letters))


def contents(item: Item, spans: Sequence[Span]) -> Document:
    """The document of one item for `reamon outbox show`."""
    what = f"{count(item.spans, 'span')}, {volume(item.bytes)}"
    facts = Facts(
        [
            ("reason", Text.of(item.reason or "", Style.BAD)),
            ("kind", Text.of(item.kind or "")),
            ("destination", Text.of(item.destination)),
            ("refused" if item.owner is None else "written", Text.of(f"{moment(item.since)} UTC")),
            ("in whose hands", Text() if item.owner is None else _hands(item.owner, is_owned=item.is_owned)),
        ]
    )
    heading = Heading(Text.of(item.id, Style.STRONG) + Text.of(f"  {what}"))
    if not spans:
        return [heading, facts, Note(Text.of("This version of reamon cannot read the spans.", Style.WARNING))]
    return [heading, facts, Tree(_SPANS, [_row(span) for span in spans])]


def _listing(waiting: Sequence[Waiting], lanes: Sequence[LaneNote], letters: Sequence[DeadLetters]) -> Iterator[Block]:
    if waiting:
        yield Table(_WAITING, [_waiting_row(entry) for entry in waiting])
    for lane in lanes:
        yield Note(lane_text(lane))
    if letters:
        yield Table(_LETTERS, [_letters_row(group) for group in letters[:_MOST_LETTERS]])
        if len(letters) > _MOST_LETTERS:
            yield Note(Text.of(f"… and {count(len(letters) - _MOST_LETTERS, 'more reason')}; --json has all"))
    yield Note(Text.of(_advice(waiting, letters), Style.FAINT))


def lane_text(lane: LaneNote) -> Text:
    """How a lane is doing, since when, and what to do about it."""
    sign, style = ("✗", Style.BAD) if lane.state == "paused" else ("!", Style.WARNING)
    said = f"{lane.destination} is {lane.state.replace('_', ' ')} since {moment(lane.since)} UTC: {lane.error}"
    # An exporter that asks for a change says so in the error too.
    fix = f"; {lane.fix}" if lane.fix and lane.fix not in (lane.error or "") else ""
    return Text.of(f"{sign} ", style) + Text.of(said + fix)


def _waiting_row(entry: Waiting) -> Sequence[Text]:
    ids = entry.first if entry.batches == 1 else f"{entry.first}–{entry.last}"
    return (
        Text.of(entry.destination, Style.STRONG),
        Text.of(f"{entry.spans:,}"),
        Text.of(ids, Style.ACCENT),
        Text.of(volume(entry.bytes)),
        Text.of(moment(entry.oldest), Style.FAINT),
        _hands(entry.owner, is_owned=entry.is_owned),
    )


def _letters_row(group: DeadLetters) -> Sequence[Text]:
    more = len(group.ids) - _MOST_IDS
    ids = ", ".join(group.ids[:_MOST_IDS]) + (f" and {more:,} more" if more > 0 else "")
    return (
        Text.of(ids, Style.ACCENT),
        Text.of(group.destination, Style.STRONG),
        Text.of(group.kind, Style.WARNING),
        Text.of(f"{group.spans:,}"),
        Text.of(volume(group.bytes)),
        Text.of(moment(group.oldest), Style.FAINT),
        Text.of(_shortened(group.reason)),
    )


def _hands(owner: str, *, is_owned: bool) -> Text:
    if is_owned:
        return Text.of(f"process {owner[:8]} is delivering", Style.GOOD)
    if owner == REPLAYED:
        return Text.of("replayed: waits for an application that sends there", Style.WARNING)
    return Text.of("waits for an application that sends there", Style.WARNING)


def _advice(waiting: Sequence[Waiting], letters: Sequence[DeadLetters]) -> str:
    if letters:
        first = letters[0].ids[0]
        return f"`reamon outbox show {first}` tells what is in there; then `replay`, `export` or `drop` it"
    return f"`reamon outbox show {waiting[0].first}` tells what is in there" if waiting else ""


def _row(span: Span) -> Row:
    took = None if span.duration_ns is None else span.duration_ns / _NANOS_PER_MILLI
    cells = (
        mark(span.status) + Text.of(f" {span.kind} ", Style.FAINT) + Text.of(span.name, Style.STRONG),
        Text.of(duration(took)),
        Text.of(moment(to_datetime(span.start_ns)), Style.FAINT),
        Text.of(span.call_id or ""),
        Text.of(span.span_id, Style.FAINT),
    )
    return Row(cells, list(_details(span)))


def _details(span: Span) -> Iterator[Text]:
    if span.error is not None:
        yield error_text(span.error.type, span.error.message)
    for label, payload in (("input", span.input), ("output", span.output)):
        if payload is not None:
            yield Text.of(f"{label:<6}  ", Style.FAINT) + Text.of(_shortened(_readable(payload)))


def _readable(payload: Payload) -> str:
    return payload.raw[: 4 * _MOST_CHARACTERS].decode(errors="replace")


def _shortened(words: str) -> str:
    on_a_line = re.sub(r"\s+", " ", words)
    return on_a_line if len(on_a_line) <= _MOST_CHARACTERS else f"{on_a_line[:_MOST_CHARACTERS]}…"
