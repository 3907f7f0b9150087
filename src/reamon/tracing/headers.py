"""Headers: the current span into a request to another service, and out of one there."""

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Final, TypeAlias

from reamon.guard import guarded
from reamon.model import SpanLink
from reamon.model.dotted_order import dotted_order, ids_in
from reamon.model.times import NANOS_PER_SECOND
from reamon.tracing._baggage import Baggage, baggage, read_baggage
from reamon.tracing._switch import current, switch
from reamon.tracing._w3c import Member, read_traceparent, read_tracestate, traceparent, tracestate
from reamon.tracing.active import ActiveSpan
from reamon.tracing.block import Block
from reamon.tracing.foreign import ForeignParent
from reamon.tracing.propagation import SpanContext

_TRACEPARENT: Final = "traceparent"
_TRACESTATE: Final = "tracestate"
_BAGGAGE: Final = "baggage"
_LANGSMITH: Final = "langsmith-trace"
_NAMES: Final = (_TRACEPARENT, _TRACESTATE, _LANGSMITH, _BAGGAGE)
_CLOCKS_DIFFER: Final = 3_600 * NANOS_PER_SECOND  # at most, between one machine and another
_PRINTABLE: Final = re.compile(r"[\t\x20-\x7e]*")

Text: TypeAlias = str | bytes
Headers: TypeAlias = Mapping[str, str] | Mapping[str, Text] | Iterable[tuple[Text, Text]]


@guarded(default=None)
def inject(headers: MutableMapping[str, str]) -> None:
    """Write the current span into the headers of a request, so that the service that gets it continues the trace.

    Where no span is current, and inside `suppress()`, nothing is written. The call id, the project and the tags go
    along: use it for requests to services of your own.

    Args:
        headers: What the request is sent with; a dict, or the headers of any HTTP client. Written are W3C's
            `traceparent`, `tracestate` and `baggage`, where what other systems put into the last two stays, and
            LangSmith's `langsmith-trace`.

    Example:
        >>> headers = {"accept": "application/json"}
        >>> inject(headers)  # nothing runs here
        >>> headers
        {'accept': 'application/json'}
    """
    span = current.get()
    if isinstance(span, ActiveSpan):
        _replace(headers, _written(SpanContext.of(span), _found(headers, _TRACESTATE), _found(headers, _BAGGAGE)))
    elif isinstance(span, ForeignParent):
        _replace(headers, span.headers)


def extract(headers: Headers) -> "RemoteScope":
    """What runs inside the block belongs to the span that the caller wrote into the headers of its request.

    - A caller that used `inject` is the parent: the trace goes on here. As everywhere, a workflow inside it is a trace
      of its own, linked to it.
    - A caller that langsmith's SDK traces: what starts here is a trace of its own, which LangSmith shows below the
      caller's run. Its conversation is the caller's thread, and its project the caller's, unless you give others.
    - Any other `traceparent`: a trace of its own, whose root is linked to the caller.
    - Headers that say nothing, or nonsense, change nothing.

    Headers are believed. At an edge that strangers reach, drop theirs first, or do without.

    Args:
        headers: A mapping, in any case; or pairs of text or bytes, as ASGI has them.

    Returns:
        A context manager, sync and async alike. Its value is the span that encloses the block: a parent for
        `start_span` and `record_span`, inside of the block and after it.

    Example:
        >>> import reamon
        >>> with extract({"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}) as caller:
        ...     reamon.start_span("tool", "look up", parent=caller).end()  # the same without `parent=`
    """
    return RemoteScope(_parent_in(headers))


class RemoteScope(Block):
    """A block that belongs to a caller in another process. Made by `extract`."""

    __slots__ = ()


# -- out ---------------------------------------------------------------------------------------------------------------


def _written(context: SpanContext, foreign_state: str, foreign_baggage: str) -> dict[str, str]:
    lineage = (*context.ancestors, context.span_id)
    written = {
        _TRACEPARENT: traceparent(context.trace_id, context.span_id),
        _TRACESTATE: tracestate(Member(lineage, context.agent_id, context.call_id), foreign_state),
        _LANGSMITH: dotted_order(lineage, _langsmith_parent(context)),
    }
    said = baggage(Baggage(context.call_id, context.project, context.tags), foreign_baggage)
    return {**written, _BAGGAGE: said} if said else written


def _langsmith_parent(context: SpanContext) -> str | None:
    return next((link.context for link in context.links if link.relation == "langsmith_parent"), None)


def _found(headers: Mapping[str, str], name: str) -> str:
    return ",".join(headers[key] for key in _spellings(headers, name))


def _replace(headers: MutableMapping[str, str], written: Mapping[str, str]) -> None:
    for name, value in written.items():
        for key in _spellings(headers, name):
            del headers[key]
        headers[name] = value


def _spellings(headers: Mapping[str, str], name: str) -> list[str]:
    """The keys that are `name` in whatever case: a dict may have several."""
    return [key for key in dict.fromkeys(headers) if key.lower() == name]


# -- in ----------------------------------------------------------------------------------------------------------------


@guarded(default=None)
def _parent_in(headers: Headers) -> ActiveSpan | ForeignParent | None:
    recorder = switch.recorder
    if recorder is None:
        return None
    received = _received(headers)
    said = read_baggage(received.get(_BAGGAGE, ""))
    member = read_tracestate(received.get(_TRACESTATE, ""))
    run = received.get(_LANGSMITH, "")
    if member is not None:
        return _context(member, run, said).revive()
    path = ids_in(run, latest_ns=recorder.clock.wall_ns() + _CLOCKS_DIFFER)
    ids = read_traceparent(received.get(_TRACEPARENT, ""))
    if not path and ids is None:
        return None
    links = _langsmith_links(path, run)
    root_links = () if ids is None else (SpanLink(*ids, "remote_parent"),)
    return ForeignParent(received, said.call_id, said.project, links, root_links)


def _received(headers: Headers) -> dict[str, str]:
    """The headers that matter here; one that was sent several times is put together, as HTTP has it."""
    received: dict[str, str] = {}
    for key, value in headers.items() if isinstance(headers, Mapping) else headers:
        name = _text(key).lower()
        if name in _NAMES:
            text = _text(value).strip()
            if _PRINTABLE.fullmatch(text):
                received[name] = f"{received[name]},{text}" if name in received else text
    return received


def _text(value: Text) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _context(member: Member, run: str, said: Baggage) -> SpanContext:
    """The caller, with all of its ancestors and what its trace belongs under, where LangSmith's header has them."""
    lineage, above = member.lineage, 0
    path = ids_in(run)
    if lineage[0] in path and path[-1] == lineage[-1]:
        above = path.index(lineage[0])
        lineage = path[above:]
    return SpanContext(
        lineage[0],
        lineage[-1],
        lineage[:-1],
        member.agent_id,
        member.call_id or said.call_id,
        said.project,
        said.tags,
        _langsmith_links(path[:above], ".".join(run.split(".")[:above])),
    )


def _langsmith_links(path: tuple[str, ...], run: str) -> tuple[SpanLink, ...]:
    return (SpanLink(path[0], path[-1], "langsmith_parent", run),) if path else ()
