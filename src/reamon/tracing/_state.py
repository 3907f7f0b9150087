"""State: what an active span refers to, and shares with others."""

from collections.abc import Iterator
from typing import Any

import msgspec

from reamon.model import CostData, Decision, Payload, SpanError, SpanEvent, SpanKind, SpanLink, Usage
from reamon.model.ids import uuid7


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
