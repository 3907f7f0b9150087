"""Remote runs: a trace as LangSmith has it, put together again from its runs."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec

from reamon.model import Usage

_ID_LENGTH = 36


class RemoteRun(msgspec.Struct, frozen=True, kw_only=True):
    """One run of a trace, as LangSmith has it.

    Attributes:
        id: The run, which is the id of its span.
        trace_id: The trace, which is the id of its root.
        parent_id: The run around it; None for a root.
        name: What it is called.
        run_type: chain, llm, tool, retriever, embedding, prompt or parser.
        status: success, error or pending.
        start: When it began, in UTC.
        end: When it ended, in UTC; None while it runs.
        inputs: What it was given.
        outputs: What it gave back; None where it has not.
        error: What went wrong.
        tags: Its tags.
        metadata: Its metadata; `thread_id` is the call.
        usage: Tokens of the run and all below it; None where it counts none.
        cost: USD for the run and all below it, to the digit; None where LangSmith knows of none.
        children: The runs inside it, oldest first. A root from `query_traces` comes without.
    """

    id: str
    trace_id: str
    parent_id: str | None
    name: str
    run_type: str
    status: str
    start: datetime | None
    end: datetime | None
    inputs: Any
    outputs: Any
    error: str | None
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    usage: Usage | None
    cost: Decimal | None
    children: tuple["RemoteRun", ...] = ()

    @property
    def call_id(self) -> str | None:
        """The conversation that the run belongs to, which is LangSmith's thread."""
        thread = self.metadata.get("thread_id")
        return None if thread is None else str(thread)

    def walk(self) -> Iterator["RemoteRun"]:
        """This run and all below it, each before its children."""
        waiting = [self]
        while waiting:
            run = waiting.pop()
            yield run
            waiting.extend(reversed(run.children))


class RemoteTrace(msgspec.Struct, frozen=True, kw_only=True):
    """A trace, as LangSmith has it.

    Attributes:
        root: The run that the trace begins with; its `children` lead to all others.
        project: The project in which it was found.
    """

    root: RemoteRun
    project: str

    @property
    def trace_id(self) -> str:
        """The trace's id."""
        return self.root.trace_id

    @property
    def call_id(self) -> str | None:
        """The conversation that the trace belongs to."""
        return self.root.call_id

    @property
    def runs(self) -> list[RemoteRun]:
        """All runs, each before its children."""
        return list(self.root.walk())


class RunRecord(msgspec.Struct, frozen=True):
    """A run as either read API writes it; what is not asked for or not known is left out."""

    id: str
    trace_id: str
    name: str | None = None
    run_type: str | None = None
    status: str | None = None
    start_time: datetime | None = None
    end_time: datetime | None = None
    dotted_order: str | None = None
    inputs: Any = None
    outputs: Any = None
    error: str | None = None
    tags: list[str] | None = None
    extra: dict[str, Any] | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_cost: Decimal | None = None

    @property
    def ancestors(self) -> list[str]:
        """The ids of the runs around it, root first, parent last."""
        return [segment[-_ID_LENGTH:] for segment in (self.dotted_order or "").split(".")[:-1]]

    def to_run(self, children: Iterable[RemoteRun] = ()) -> RemoteRun:
        """The same for people, with its children in place."""
        metadata = (self.extra or {}).get("metadata") or {}
        return RemoteRun(
            id=self.id,
            trace_id=self.trace_id,
            parent_id=next(reversed(self.ancestors), None),
            name=self.name or "",
            run_type=(self.run_type or "").lower(),
            status=(self.status or "").lower(),
            start=_in_utc(self.start_time),
            end=_in_utc(self.end_time),
            inputs=self.inputs,
            outputs=self.outputs,
            error=self.error,
            tags=tuple(self.tags or ()),
            metadata=metadata,
            usage=self._usage(metadata),
            cost=self.total_cost,
            children=tuple(children),
        )

    def _usage(self, metadata: Mapping[str, Any]) -> Usage | None:
        if not self.prompt_tokens and not self.completion_tokens:
            return None
        return Usage(
            provider=metadata.get("ls_provider"),
            model=metadata.get("ls_model_name"),
            input_tokens=self.prompt_tokens,
            output_tokens=self.completion_tokens,
        )


def tree(records: Iterable[RunRecord], trace_id: str) -> RemoteRun | None:
    """The runs of one trace, each inside its parent; None where the root is not among them.

    A run whose parent is missing, because LangSmith has not taken it in yet, is put into the closest run around it that
    is there.
    """
    present = {record.id: record for record in records}
    if trace_id not in present:
        return None
    children: defaultdict[str, list[RemoteRun]] = defaultdict(list)
    # A dotted order begins with the parent's, so from the last to the first all children come before their parent.
    for record in sorted(present.values(), key=lambda record: record.dotted_order or "", reverse=True):
        if record.id != trace_id:
            around = next((run for run in reversed(record.ancestors) if run in present), trace_id)
            children[around].append(record.to_run(reversed(children.pop(record.id, []))))
    return present[trace_id].to_run(reversed(children[trace_id]))


def _in_utc(moment: datetime | None) -> datetime | None:
    """The older API writes UTC without saying so."""
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
