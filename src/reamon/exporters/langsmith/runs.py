"""Runs: a span as LangSmith has it, encoded.

The mapping reads like what the SDK's `@traceable` writes, so that traces of both look alike: arguments by name as
`inputs`, the result as `outputs`, the conversation as metadata `thread_id`. A finished span is one complete run, to
which nothing has to be added later.
"""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import msgspec

from reamon.exporters.langsmith._lineage import Lineage, lineage_of, stamp_of
from reamon.exporters.langsmith._metadata import error_text, is_plain, metadata_of
from reamon.exporters.langsmith._payloads import as_object
from reamon.guard import guard
from reamon.model import Span, SpanEvent, SpanKind, SpanStatus
from reamon.model.times import iso
from reamon.store.mending import mended
from reamon.tracing.capture import snapshot

RUN_TYPES: Final = {
    SpanKind.WORKFLOW: "chain",
    SpanKind.AGENT: "chain",
    SpanKind.STEP: "chain",
    SpanKind.LLM: "llm",
    SpanKind.TOOL: "tool",
    SpanKind.STT: "tool",
    SpanKind.TTS: "tool",
    SpanKind.TELEPHONY: "tool",
    SpanKind.RETRIEVAL: "retriever",
}
"""What LangSmith calls a kind. It has no word for speech and telephony; metadata `reamon_kind` says what it was."""

PARTS: Final = ("inputs", "outputs", "events", "extra", "error")
"""What a run has beside its fields, in the order in which it is sent."""

_HIDDEN: Final = b"{}"
_SHARED_KEPT: Final = 512
_plain_extras: Final[dict[tuple[object, ...], bytes]] = {}
_LAST_NS: Final = (1 << 63) - 1  # in the year 2262; later moments have no 64-bit integer
_OK: Final = SpanStatus.OK
_RUNNING: Final = SpanStatus.RUNNING
_encode: Final = msgspec.json.Encoder().encode


class RunOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How spans become runs.

    Attributes:
        project: The project of spans that have none of their own.
        hide_inputs: Send `{}` for inputs, the state before included.
        hide_outputs: Send `{}` for outputs, the state after included.
        hide_metadata: Send no metadata but the model and what was consumed, and events without their attributes. As
            with the SDK, that takes the conversation away too, so LangSmith shows no threads.
    """

    project: str
    hide_inputs: bool = False
    hide_outputs: bool = False
    hide_metadata: bool = False


class Run(msgspec.Struct, frozen=True, gc=False):
    """One run, encoded: JSON in UTF-8 throughout.

    Attributes:
        id: The run.
        trace_id: The root run of its tree.
        fields: An object with everything that is not one of the parts below.
        inputs: An object.
        outputs: An object.
        events: A list.
        extra: An object with `metadata` and `runtime`.
        error: A string.
    """

    id: str
    trace_id: str
    fields: bytes
    inputs: bytes | None = None
    outputs: bytes | None = None
    events: bytes | None = None
    extra: bytes | None = None
    error: bytes | None = None

    @property
    def parts(self) -> tuple[tuple[str, bytes | None], ...]:
        """The parts that are sent beside the fields, by name."""
        return tuple(zip(PARTS, (self.inputs, self.outputs, self.events, self.extra, self.error), strict=True))

    @property
    def size(self) -> int:
        """How many bytes the run takes, without what a request puts around it."""
        return (
            len(self.fields)
            + len(self.inputs or b"")
            + len(self.outputs or b"")
            + len(self.events or b"")
            + len(self.extra or b"")
            + len(self.error or b"")
        )


class _Shared(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    name: str
    run_type: str
    session_name: str
    tags: tuple[str, ...] = ()


class _Extra(msgspec.Struct, frozen=True, gc=False):
    metadata: dict[str, Any]
    runtime: msgspec.Raw


def to_run(span: Span, options: RunOptions) -> Run:
    """`span` as a run; never raises.

    What JSON cannot say (a lone surrogate, a foreign object) is mended. A span that stands nowhere in a tree, having no
    proper id or start, still becomes a run: LangSmith is the one to refuse it, and says why. It counts as an internal
    error.

    Args:
        span: A finished span, or a workflow that has begun: one of status `running` has no end and no outputs.
        options: How to do it.

    Example:
        >>> from reamon.testing import make_span
        >>> to_run(make_span("reply", "llm", input={"text": "hello"}), RunOptions(project="calls")).inputs
        b'{"text":"hello"}'
    """
    try:
        return _encoded(span, options)
    except Exception:
        # Rare, so nobody looks for it before encoding has failed.
        return _salvaged(span, options)


def _encoded(span: Span, options: RunOptions) -> Run:
    lineage = lineage_of(span)
    is_running = span.status is _RUNNING
    inputs = as_object(span.input, "input", span.state_before, "state_before")
    outputs = None if is_running else as_object(span.output, "output", span.state_after, "state_after")
    error = None if span.status is _OK and span.error is None and not span.events else error_text(span)
    return Run(
        span.span_id,
        lineage.trace_id,
        _fields(span, lineage, None if is_running else span.end_ns, span.project or options.project),
        _HIDDEN if options.hide_inputs and inputs is not None else inputs,
        _HIDDEN if options.hide_outputs and outputs is not None else outputs,
        _events(span, options) if span.events or span.first_token_ns is not None else None,
        _extra(span, is_moved=lineage.is_moved, hide=options.hide_metadata),
        None if error is None else _encode(error),
    )


def _fields(span: Span, lineage: Lineage, end_ns: int | None, project: str) -> bytes:
    """What a run has no part for. Ids and times need no escaping, and to spell them directly takes half the time."""
    parent = f'"parent_run_id":"{lineage.parent_id}",' if lineage.parent_id else ""
    # Times of one form sort as text. Nobody wants to see a run end before the start that it was given.
    end = "" if end_ns is None else f'"end_time":"{max(iso(end_ns), lineage.start_time)}",'
    shared = _shared(span.name or span.kind.value, span.kind, project, tuple(span.tags))
    return (
        f'{{"id":"{span.span_id}","trace_id":"{lineage.trace_id}","dotted_order":"{lineage.dotted_order}",'
        f'{parent}"start_time":"{lineage.start_time}",{end}{shared}'
    ).encode()


@lru_cache(maxsize=_SHARED_KEPT)
def _shared(name: str, kind: SpanKind, project: str, tags: tuple[str, ...]) -> str:
    """The fields that all runs of one function have in common, and the closing brace."""
    return _encode(_Shared(name, RUN_TYPES[kind], project, tags))[1:].decode()


def _events(span: Span, options: RunOptions) -> bytes:
    events: list[dict[str, Any]] = []
    if span.first_token_ns is not None:
        events.append({"name": "new_token", "time": iso(span.start_ns + span.first_token_ns)})
    for event in span.events:
        said: dict[str, Any] = {"name": event.name, "time": iso(event.time_ns)}
        if event.attributes and not options.hide_metadata:
            said["kwargs"] = event.attributes
        events.append(said)
    return _encode(events)


def _extra(span: Span, *, is_moved: bool, hide: bool) -> bytes:
    if is_moved or not is_plain(span):
        return _encode(_Extra(metadata_of(span, is_moved=is_moved, hide=hide), _runtime(span.process_id)))
    alike = (hide, span.kind, span.call_id, span.project, span.version, span.process_id)
    known = _plain_extras.get(alike)
    if known is None:
        if len(_plain_extras) >= _SHARED_KEPT:
            _plain_extras.clear()
        known = _plain_extras[alike] = _encode(_Extra(metadata_of(span, hide=hide), _runtime(span.process_id)))
    return known


@lru_cache(maxsize=64)
def _runtime(process_id: str | None) -> msgspec.Raw:
    """What made the run."""
    said = {"sdk": "reamon", "sdk_version": _version()}
    return msgspec.Raw(_encode(said if process_id is None else {**said, "process_id": process_id}))


@lru_cache(maxsize=1)
def _version() -> str:
    try:
        return version("reamon")
    except PackageNotFoundError:  # imported from a folder that nobody installed
        return "unknown"


def _salvaged(span: Span, options: RunOptions) -> Run:
    """The run of a span that is not sound: text mended, foreign objects captured, times such as a date can say."""
    try:
        plain = span.replace(
            end_ns=None if span.end_ns is None else _sayable(span.end_ns),
            attributes=_captured(span.attributes),
            events=tuple(
                SpanEvent(event.name, _sayable(event.time_ns), _captured(event.attributes)) for event in span.events
            ),
        )
        return _encoded(mended(plain), options)
    except Exception as error:
        guard.contain("langsmith mapping", error)
        return _bare(span, options, error)


def _captured(attributes: dict[str, Any]) -> dict[str, Any]:
    return {str(name): msgspec.json.decode(snapshot(value)) for name, value in attributes.items()}


def _bare(span: Span, options: RunOptions, error: Exception) -> Run:
    """A run that says which span could not be encoded, and why. Its id is such that it cannot break a request."""
    run_id = "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in span.span_id)
    start_time = iso(_sayable(span.start_ns))
    fields = {
        "id": run_id,
        "trace_id": run_id,
        "dotted_order": stamp_of(start_time) + run_id,
        "name": span.name or "unnamed",
        "run_type": RUN_TYPES.get(span.kind, "chain"),
        "start_time": start_time,
        "end_time": start_time,
        "session_name": span.project or options.project,
    }
    extra = {"metadata": {"reamon_error": f"this span could not be encoded: {type(error).__name__}: {error}"}}
    return Run(run_id, run_id, snapshot(fields), extra=snapshot(extra))


def _sayable(nanos: int) -> int:
    return min(max(nanos, 0), _LAST_NS)
