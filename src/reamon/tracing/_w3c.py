"""W3C Trace Context: `traceparent`, and our member of `tracestate`.

The first has room for two ids and no more, so what it takes to continue a trace of ours travels in the second, as
`reamon=1;<ids from the root to the span>;<steps up to the agent>;<call id>`, the ids in base64, 22 characters each.
"""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote, unquote
from uuid import UUID

import msgspec

_TRACEPARENT: Final = re.compile(
    r"(?!ff)(?P<version>[0-9a-f]{2})-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})-[0-9a-f]{2}"
    r"(?P<more>-.*)?"
)
_MEMBER: Final = re.compile(r"1;((?:[A-Za-z0-9_-]{22})+);([0-9]{0,2});([A-Za-z0-9_.~%-]*)")
_KEY: Final = "reamon="
_ID_LENGTH: Final = 22
_LONGEST_MEMBER: Final = 256  # what the standard grants a member's value
_LONGEST_CALL_ID: Final = 128
_LONGEST_STATE: Final = 512  # what the standard promises to carry in all
_UUID_VERSION: Final = 7


class Member(msgspec.Struct, frozen=True):
    """What our member of `tracestate` says.

    Attributes:
        lineage: The ids from the root to the span itself; of a deep one some in between are missing.
        agent_id: The nearest agent.
        call_id: The conversation.
    """

    lineage: tuple[str, ...]
    agent_id: str | None = None
    call_id: str | None = None


def traceparent(trace_id: str, span_id: str) -> str:
    """The header for a span of ours: the trace's id whole, and the low half of the span's.

    Example:
        >>> traceparent("018bcfe5-6800-7800-8000-000000000001", "018bcfe5-6800-7800-8000-000000000001")
        '00-018bcfe5680078008000000000000001-8000000000000001-01'
    """
    return f"00-{UUID(trace_id).hex}-{UUID(span_id).hex[16:]}-01"


def read_traceparent(text: str) -> tuple[str, str] | None:
    """The ids of the trace and of the caller's span, or None where `text` does not say any."""
    match = _TRACEPARENT.fullmatch(text)
    if match is None or (match["version"] == "00" and match["more"]):
        return None
    return match["trace"], match["span"]


def tracestate(member: Member, others: str = "") -> str:
    """The header with our member in front, and of the other systems' as many as there is room for."""
    kept = _KEY + _encoded(member)
    for other in _split(others):
        if not other.startswith(_KEY):
            longer = f"{kept},{other}"
            if len(longer) > _LONGEST_STATE:
                break
            kept = longer
    return kept


def read_tracestate(text: str) -> Member | None:
    """Our member of the header, or None where there is none that can be read."""
    mine = next((item.removeprefix(_KEY) for item in _split(text) if item.startswith(_KEY)), "")
    match = _MEMBER.fullmatch(mine)
    if match is None:
        return None
    ids, up, call_id = match.groups()
    lineage = tuple(_id(ids[begin : begin + _ID_LENGTH]) for begin in range(0, len(ids), _ID_LENGTH))
    if any(UUID(span_id).version != _UUID_VERSION for span_id in lineage):
        return None
    agent_id = lineage[-1 - int(up)] if up and int(up) < len(lineage) else None
    return Member(lineage, agent_id, unquote(call_id) or None)


def _encoded(member: Member) -> str:
    call_id = quote(member.call_id or "", safe="", errors="replace")
    if len(call_id) > _LONGEST_CALL_ID:
        call_id = ""  # a part of it would be the id of another conversation
    room = (_LONGEST_MEMBER - len(f"1;;99;{call_id}")) // _ID_LENGTH
    lineage = _nearest(member, room)
    up = len(lineage) - 1 - lineage.index(member.agent_id) if member.agent_id in lineage else ""
    return f"1;{''.join(_text(span_id) for span_id in lineage)};{up};{call_id}"


def _nearest(member: Member, room: int) -> Sequence[str]:
    """The root, which is the trace's id, the agent, and as many as there is room for of those nearest to the span."""
    lineage = member.lineage
    if len(lineage) <= room:
        return lineage
    nearest = lineage[1 - room :]
    if member.agent_id in lineage and member.agent_id not in (lineage[0], *nearest):
        nearest = (member.agent_id or "", *nearest[1:])
    return (lineage[0], *nearest)


def _split(text: str) -> list[str]:
    return [item for item in (item.strip() for item in text.split(",")) if item]


def _text(span_id: str) -> str:
    return urlsafe_b64encode(UUID(span_id).bytes).decode().rstrip("=")


def _id(text: str) -> str:
    return str(UUID(bytes=urlsafe_b64decode(text + "==")))
