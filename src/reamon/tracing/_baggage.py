"""Baggage: what LangSmith's callers tell their services about a trace, as members of the W3C header `baggage`."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, unquote, unquote_to_bytes

import msgspec

from reamon.tracing.capture import snapshot

_METADATA: Final = "langsmith-metadata"
_TAGS: Final = "langsmith-tags"
_PROJECT: Final = "langsmith-project"
_OURS: Final = (_METADATA, _TAGS, _PROJECT)
_THREAD_KEYS: Final = ("thread_id", "session_id", "conversation_id")
"""The metadata by which LangSmith knows a conversation."""

_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class Baggage(msgspec.Struct, frozen=True):
    """What is said about a trace.

    Attributes:
        call_id: Its conversation; LangSmith's thread.
        project: Its project.
        tags: Its tags.
    """

    call_id: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()


def baggage(said: Baggage, others: str = "") -> str:
    """The header, with other systems' members behind ours: LangSmith's reader stops at one that it cannot read."""
    members = []
    if said.call_id is not None:
        members.append(f"{_METADATA}={quote(snapshot({_THREAD_KEYS[0]: said.call_id}))}")
    if said.tags:
        members.append(f"{_TAGS}={quote(','.join(said.tags), errors='replace')}")
    if said.project is not None:
        members.append(f"{_PROJECT}={quote(said.project, errors='replace')}")
    members += [f"{key}={value}" for key, value in _members(others) if key not in _OURS]
    return ",".join(members)


def read_baggage(text: str) -> Baggage:
    """What the header says; members that cannot be read say nothing."""
    members = {key: value.partition(";")[0].strip() for key, value in _members(text)}
    tags = unquote(members.get(_TAGS, "")).split(",")
    return Baggage(
        _thread(members.get(_METADATA, "")),
        unquote(members.get(_PROJECT, "")) or None,
        tuple(tag for tag in tags if tag),
    )


def _members(text: str) -> Iterator[tuple[str, str]]:
    for item in text.split(","):
        key, equals, value = item.partition("=")
        if equals:
            yield key.strip(), value.strip()


def _thread(quoted: str) -> str | None:
    try:
        metadata = _decode_object(unquote_to_bytes(quoted))
    except ValueError:
        return None
    return next((str(metadata[key]) for key in _THREAD_KEYS if metadata.get(key)), None)
