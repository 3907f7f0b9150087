"""The dotted order: how LangSmith writes a run's place in its trace, as text that sorts.

One segment for each run from the root down, `20231114T221320000500Z` and the run's id, joined by dots. A run is filed
under its parent only if both say the same about their common part, so everything here comes from the ids alone.
"""

import re
from collections.abc import Iterable
from datetime import datetime

from reamon.model.ids import start_of
from reamon.model.times import to_datetime

_STAMP = "%Y%m%dT%H%M%S%fZ"
_STAMP_LENGTH = 22
_HEX = "[0-9a-f]"
_SEGMENT = re.compile(rf"[0-9]{{8}}T[0-9]{{12}}Z({_HEX}{{8}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{4}}-{_HEX}{{12}})")


def dotted_order(ids: Iterable[str], below: str | None = None) -> str:
    """The dotted order of the last of `ids`.

    Args:
        ids: Ids of ours, from the root to the span.
        below: The dotted order of a run of another system that the first of them belongs under.

    Returns:
        The text. No stamp in it is earlier than the one before: LangSmith accepts no child that is older than its
        parent, and two machines' clocks may say so.

    Example:
        >>> dotted_order(["018bcfe5-6800-7800-8000-000000000001"])
        '20231114T221320000500Z018bcfe5-6800-7800-8000-000000000001'
    """
    segments = [] if below is None else [below]
    stamp = "" if below is None else below.rpartition(".")[2][:_STAMP_LENGTH]
    for span_id in ids:
        stamp = max(stamp, _stamp(start_of(span_id)))
        segments.append(stamp + span_id)
    return ".".join(segments)


def ids_in(text: str, *, latest_ns: int | None = None) -> tuple[str, ...]:
    """The ids of a dotted order, root first; none if `text` is no dotted order.

    Args:
        text: What another process sent: it may be anything.
        latest_ns: Nanoseconds since 1970 after which no run in it may have started. Runs of ours below one that claims
            to begin in the future would be taken there with it.

    Example:
        >>> ids_in("20231114T221320000500Z018bcfe5-6800-7800-8000-000000000001")
        ('018bcfe5-6800-7800-8000-000000000001',)
        >>> ids_in("nonsense")
        ()
    """
    ids = []
    stamp = ""
    for segment in text.split("."):
        match = _SEGMENT.fullmatch(segment)
        earlier, stamp = stamp, segment[:_STAMP_LENGTH]
        if match is None or stamp < earlier or not _is_moment(stamp):
            return ()
        ids.append(match[1])
    return () if latest_ns is not None and stamp > _stamp(latest_ns) else tuple(ids)


def _stamp(nanos: int) -> str:
    return f"{to_datetime(nanos):{_STAMP}}"


def _is_moment(stamp: str) -> bool:
    try:
        datetime.strptime(stamp, _STAMP)
    except ValueError:
        return False
    return True
