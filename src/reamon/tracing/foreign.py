"""The foreign parent: a caller in another process that another system traces."""

import itertools
from collections.abc import Mapping
from typing import Any

from reamon.model import SpanLink
from reamon.tracing._state import Trace
from reamon.tracing.noop import NoopSpan


class ForeignParent(NoopSpan):
    """Current where a request of such a caller is served, and no span of ours runs yet.

    It takes nothing in, as its own system records it. A span that starts below it opens a trace, which inherits its
    conversation and project, and is linked to it.

    Args:
        headers: What the caller sent, for services further down.
        call_id: The conversation, where the caller says it.
        project: The project, where the caller says it.
        links: For every span of the trace.
        root_links: For its root alone.
    """

    __slots__ = ("headers", "root_links", "trace")

    def __init__(
        self,
        headers: Mapping[str, str],
        call_id: str | None = None,
        project: str | None = None,
        links: tuple[SpanLink, ...] = (),
        root_links: tuple[SpanLink, ...] = (),
    ) -> None:
        self.headers = headers
        self.trace = Trace(0, call_id, project, (), itertools.repeat(None), 0, 0, links=links)
        self.root_links = root_links

    def __repr__(self) -> str:
        return "<ForeignParent>"

    def __reduce__(self) -> tuple[Any, ...]:
        trace = self.trace
        return ForeignParent, (self.headers, trace.call_id, trace.project, trace.links, self.root_links)
