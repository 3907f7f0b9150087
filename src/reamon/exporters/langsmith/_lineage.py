"""Lineage: where a run stands in LangSmith's tree, told from the ids alone.

LangSmith sorts a trace by `dotted_order`: start and id of every run from the root down to this one. Our ids carry their
starts, so a span that knows its ancestors' ids can spell it without having seen them, and every span of a trace, in
whatever process, spells the part that they share in the same way.
"""

import re
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from reamon.model import Span
from reamon.model.ids import start_of
from reamon.model.times import NANOS_PER_SECOND, iso

_PATHS_KEPT: Final = 256  # spans come in batches of few traces, and siblings share their path
_ID_LENGTH: Final = 36
_STAMP_LENGTH: Final = 22
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # a repeated group would be slower
_ID: Final = re.compile(_UUID).fullmatch
_SEGMENT: Final = re.compile(rf"[0-9]{{8}}T[0-9]{{12}}Z{_UUID}").fullmatch
_ROUNDING: Final = 1_000  # an id may lose up to 245 ns of its start, which may cost it a microsecond
_CLOCKS_DIFFER: Final = 3_600 * NANOS_PER_SECOND  # at most


class Lineage(msgspec.Struct, frozen=True, gc=False):
    """Where a run stands.

    Attributes:
        trace_id: The root run.
        parent_id: The run around it, or None for a root.
        dotted_order: Starts and ids from the root down to this run.
        start_time: The start that `dotted_order` says, as ISO 8601.
        is_moved: Whether that is not the span's own start: LangSmith lets no run begin before its parent.
    """

    trace_id: str
    parent_id: str | None
    dotted_order: str
    start_time: str
    is_moved: bool


class _Path(NamedTuple):
    """The shared beginning of the dotted orders of all children of one parent, and the parent's stamp in it."""

    text: str
    stamp: str
    trace_id: str
    parent_id: str


_TOP: Final = _Path("", "", "", "")


def lineage_of(span: Span) -> Lineage:
    """Where `span` stands.

    A trace that a LangSmith caller continues through us (`SpanLink.relation == "langsmith_parent"`) hangs below the
    run of the caller.

    Raises:
        ValueError: One of the ids is no UUID.
        OverflowError: The start lies beyond the year 9999.
    """
    span_id, start_ns = span.span_id, span.start_ns
    if not _ID(span_id):
        raise ValueError(f"{span_id!r} is no UUID")
    said_ns = start_of(span_id) if span_id[14] == "7" else start_ns
    caller = _caller(span) if span.links else ""
    path = _path(span.ancestors, caller) if span.ancestors or caller else _TOP
    start_time = iso(said_ns)
    stamp = stamp_of(start_time)
    is_moved = not 0 <= start_ns - said_ns < _ROUNDING
    if stamp < path.stamp:
        stamp, is_moved = path.stamp, True
        start_time = _time_of(stamp)
    return Lineage(
        path.trace_id or span_id, path.parent_id or None, f"{path.text}{stamp}{span_id}", start_time, is_moved
    )


def stamp_of(time: str) -> str:
    """An ISO 8601 time of `reamon.model.times.iso` as a dotted order has it.

    Example:
        >>> stamp_of("2023-11-14T22:13:20.123456Z")
        '20231114T221320123456Z'
    """
    return _second_of(time[:19]) + time[20:]


@lru_cache(maxsize=_PATHS_KEPT)
def _second_of(time: str) -> str:
    """The part of a stamp that the runs of one second share."""
    return f"{time[:4]}{time[5:7]}{time[8:13]}{time[14:16]}{time[17:19]}"


def _time_of(stamp: str) -> str:
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:11]}:{stamp[11:13]}:{stamp[13:15]}.{stamp[15:]}"


@lru_cache(maxsize=_PATHS_KEPT)
def _path(ancestors: tuple[str, ...], caller: str) -> _Path:
    """The path down to the last of `ancestors`, below the run whose dotted order is `caller`, if there is one.

    Stamps never decrease on the way down; they are compared as text, which sorts as the times do.
    """
    segments = caller.split(".") if caller else []
    stamp = segments[-1][:_STAMP_LENGTH] if segments else ""
    for span_id in ancestors:
        if not _ID(span_id):
            raise ValueError(f"the enclosing span {span_id!r} is no UUID")
        if span_id[14] == "7":
            stamp = max(stamp, stamp_of(iso(start_of(span_id))))
        segments.append(f"{stamp}{span_id}")
    return _Path(".".join(segments) + ".", stamp, segments[0][-_ID_LENGTH:], segments[-1][-_ID_LENGTH:])


def _caller(span: Span) -> str:
    """The dotted order of the LangSmith run that called us, or "" where none did."""
    for link in span.links:
        if link.relation == "langsmith_parent" and link.context:
            return _believed(link.context, span.ancestors[0] if span.ancestors else span.span_id)
    return ""


@lru_cache(maxsize=_PATHS_KEPT)
def _believed(dotted_order: str, root_id: str) -> str:
    """`dotted_order`, if it makes sense above our root, else "".

    It came with a request, from whomever. Runs below a broken one, or below one that claims to begin in the future and
    takes ours there with it, would all be refused.
    """
    stamp = ""
    for segment in dotted_order.split("."):
        earlier, stamp = stamp, segment[:_STAMP_LENGTH]
        if not _SEGMENT(segment) or stamp < earlier or not _is_date(stamp):
            return ""
    return dotted_order if stamp <= stamp_of(iso(start_of(root_id) + _CLOCKS_DIFFER)) else ""


def _is_date(stamp: str) -> bool:
    try:
        datetime.fromisoformat(_time_of(stamp))
    except ValueError:
        return False
    return True
