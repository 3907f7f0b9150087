"""State: what an active span refers to, and shares with others."""

import threading
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from reamon.model import CostData, Decision, Payload, SpanError, SpanEvent, SpanKind, SpanLink, Usage
from reamon.model.ids import uuid7

ATTRIBUTES: Final = 1_000
"""Attributes that one span, or one event, may have."""

_EVENT_ROOM: Final = 1 << 20  # characters of the events of one span
_EVENT_SIZE: Final = 64
_SCALAR_SIZE: Final = 8
_encode: Final = msgspec.json.Encoder().encode


class Making:
    """Serialises what several threads may do to one span for the first time.

    Attributes:
        lock: Reentrant, as a signal handler may record too.
    """

    __slots__ = ("lock",)

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Make the lock anew, in a forked child: a thread that is not there may have held it."""
        self.lock = threading.RLock()


making: Final = Making()


class Spec(msgspec.Struct, frozen=True, gc=False, kw_only=True, eq=False):
    """What all spans of one decorator or `with` statement have in common."""

    kind: SpanKind
    name: str
    agent_type: str | None = None
    version: str | None = None
    project: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Payload | None = None


class Trace(msgspec.Struct, gc=False, eq=False):
    """What all spans of one trace share. It does not refer to its root: a cycle would never be collected.

    `links` are on each of its spans: an exporter that sees one of them alone knows what the trace belongs to.
    """

    offset: int
    call_id: str | None
    project: str | None
    tags: tuple[str, ...]
    agents: Iterator[int | None]
    start: int
    random: int
    id: str | None = None
    outcome: str | None = None
    links: tuple[SpanLink, ...] = ()

    @property
    def trace_id(self) -> str:
        """The id, which is the root's; made on demand, like a span's."""
        identity = self.id
        if identity is None:
            identity = self.id = uuid7(self.start + self.offset, self.random)
        return identity


class Details(msgspec.Struct, gc=False, eq=False):
    """What few spans have, made when the first of it is recorded."""

    attributes: dict[str, Any] = {}
    events: list[SpanEvent] = []
    usage: list[Usage] = []
    costs: list[CostData] = []
    links: list[SpanLink] = []
    error: SpanError | None = None
    status: str | None = None
    status_reason: str | None = None
    state_before: bytes | None = None
    state_after: bytes | None = None
    decision: Decision | None = None
    outcome: str | None = None
    queue_wait_ns: int | None = None
    event_room: int = _EVENT_ROOM
    attributes_cut: int = 0
    events_cut: int = 0

    def set(self, key: str, value: Any) -> None:
        """Set an attribute, if there is room for it."""
        attributes = self.attributes
        if len(attributes) < ATTRIBUTES or key in attributes:
            attributes[key] = value
        else:
            self.attributes_cut += 1

    def add(self, event: SpanEvent) -> None:
        """Add an event, if there is room for it."""
        if self.event_room > 0:
            self.event_room -= _EVENT_SIZE + len(event.name) + sum(map(_size_of, event.attributes.items()))
            self.events.append(event)
        else:
            self.events_cut += 1


def _size_of(attribute: tuple[str, Any]) -> int:
    key, value = attribute
    kind = type(value)
    if kind is dict or kind is list:
        return len(key) + len(_encode(value))
    return len(key) + (len(value) if kind is str else _SCALAR_SIZE)
