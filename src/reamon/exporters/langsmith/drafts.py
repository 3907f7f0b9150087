"""Drafts: runs that are written by hand, rather than made of a span."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Self

import msgspec

from reamon.exporters.langsmith._lineage import stamp_of
from reamon.exporters.langsmith.runs import Run, RunOptions
from reamon.model import Usage
from reamon.model.ids import RANDOM_BITS, start_of, uuid7
from reamon.model.times import from_datetime, iso
from reamon.tracing.capture import snapshot

_STAMP: Final = "%Y%m%dT%H%M%S%fZ"
_ID_LENGTH: Final = 36
_PAYLOAD_LIMIT: Final = 16 * 1024 * 1024  # a request may have 20 MiB
_LATE: Final = 244  # what an id may lose of its start: added before, so that the microsecond stays
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a run stands: under which runs of which trace, in which project.

    Attributes:
        dotted_order: LangSmith's spelling of it: start and id of each run from the root down to this one.
        project: The project.
        call_id: The conversation.
        metadata: The metadata that it was made with, which an update has to repeat.
    """

    dotted_order: str
    project: str
    call_id: str | None = None
    metadata: Mapping[str, Any] = {}

    @classmethod
    def root(cls, start_ns: int, *, project: str, call_id: str | None, metadata: Mapping[str, Any]) -> Self:
        """The place of a new trace's root."""
        return cls(dotted_order=_segment(start_ns), project=project, call_id=call_id, metadata=metadata)

    @classmethod
    def root_of(cls, trace_id: str, *, project: str) -> Self:
        """The place of the root of a trace of ours, whose id tells its start."""
        return cls(dotted_order=stamp_of(iso(start_of(trace_id))) + trace_id, project=project)

    def below(self, start_ns: int) -> "Place":
        """The place of a new run inside this one; LangSmith lets none begin before its parent."""
        order = f"{self.dotted_order}.{_segment(max(start_ns, self.start_ns))}"
        return Place(dotted_order=order, project=self.project, call_id=self.call_id)

    def within(self, project: str | None, call_id: str | None) -> "Place":
        """The same place, where somebody knows the project or the call better."""
        return msgspec.structs.replace(self, project=project or self.project, call_id=call_id or self.call_id)

    @property
    def run_id(self) -> str:
        """The run."""
        return self.dotted_order[-_ID_LENGTH:]

    @property
    def trace_id(self) -> str:
        """The root."""
        return self.dotted_order.split(".", 1)[0][-_ID_LENGTH:]

    @property
    def parent_id(self) -> str | None:
        """The run around it."""
        parents, _, _ = self.dotted_order.rpartition(".")
        return parents[-_ID_LENGTH:] or None

    @property
    def start_ns(self) -> int:
        """The start, in nanoseconds since 1970, to the microsecond."""
        stamp = self.dotted_order.rpartition(".")[2][:-_ID_LENGTH]
        return from_datetime(datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC))


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says about a run.

    Attributes:
        name: What it is called.
        run_type: One of LangSmith's seven.
        inputs: What it is given; anything but a mapping goes under `input`.
        outputs: What it gives back; anything but a mapping goes under `output`.
        error: What went wrong.
        end_ns: When it ended, in nanoseconds since 1970.
        tags: Its tags.
        metadata: More about it.
        usage: What it consumed.
        cost: USD that it cost.
    """

    name: str | None = None
    run_type: str | None = None
    inputs: Any = None
    outputs: Any = None
    error: str | None = None
    end_ns: int | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, Any] = {}
    usage: Usage | None = None
    cost: Decimal | None = None

    def as_new(self, place: Place, options: RunOptions) -> Run:
        """The run that is posted."""
        fields = {
            "name": self.name,
            "run_type": self.run_type,
            "start_time": iso(place.start_ns),
            "session_name": place.project,
        }
        return self._run(place, options, fields, inputs=_object({} if self.inputs is None else self.inputs, "input"))

    def as_update(self, place: Place, options: RunOptions) -> Run:
        """The run that a run of LangSmith's is patched with."""
        return self._run(place, options, {}, inputs=None)

    def _run(self, place: Place, options: RunOptions, fields: dict[str, Any], *, inputs: bytes | None) -> Run:
        fields |= {"id": place.run_id, "trace_id": place.trace_id, "dotted_order": place.dotted_order}
        if place.parent_id is not None:
            fields["parent_run_id"] = place.parent_id
        if self.end_ns is not None:
            fields["end_time"] = iso(max(self.end_ns, place.start_ns))
        if self.tags:
            fields["tags"] = list(self.tags)
        outputs = None if self.outputs is None else _object(self.outputs, "output")
        return Run(
            id=place.run_id,
            trace_id=place.trace_id,
            fields=snapshot(fields, _PAYLOAD_LIMIT),
            inputs=b"{}" if inputs and options.hide_inputs else inputs,
            outputs=b"{}" if outputs and options.hide_outputs else outputs,
            events=None,
            extra=self._extra(place, options),
            error=None if self.error is None else snapshot(self.error, _PAYLOAD_LIMIT),
        )

    def _extra(self, place: Place, options: RunOptions) -> bytes | None:
        said = {} if options.hide_metadata else {**place.metadata, **self.metadata}
        if place.call_id is not None and not options.hide_metadata:  # the SDK hides the conversation as well
            said["thread_id"] = place.call_id
        usage = self.usage or Usage()
        said |= _given(ls_provider=usage.provider, ls_model_name=usage.model)
        consumed = self._consumed(usage)
        if consumed:
            said.pop("usage_metadata", None)
        pieces = [snapshot(said, _PAYLOAD_LIMIT)[1:-1]] if said else []
        if consumed:
            pieces.append(b'"usage_metadata":%b' % _encode(consumed))
        return b'{"metadata":{%b}}' % b",".join(pieces) if pieces else None

    def _consumed(self, usage: Usage) -> dict[str, Any]:
        taken = _given(
            cache_read=usage.cached_input_tokens,
            cache_creation=usage.cache_write_tokens,
            audio=usage.input_audio_tokens,
        )
        made = _given(reasoning=usage.reasoning_tokens, audio=usage.output_audio_tokens)
        return _given(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            total_tokens=(usage.input_tokens or 0) + (usage.output_tokens or 0) or None,
            input_token_details=taken or None,
            output_token_details=made or None,
            total_cost=self.cost,
        )


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _object(value: Any, name: str) -> bytes:
    """Inputs and outputs are objects to LangSmith."""
    raw = snapshot(value, _PAYLOAD_LIMIT)
    return raw if raw.startswith(b"{") else b'{"%b":%b}' % (name.encode(), raw)


def _segment(start_ns: int) -> str:
    """Start and id of a new run, as a dotted order has them."""
    start = start_ns // 1000 * 1000
    return stamp_of(iso(start)) + uuid7(start + _LATE, secrets.randbits(RANDOM_BITS))
