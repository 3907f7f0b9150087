"""Consumption: what spans used, beside what that costs by the details in the store."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import RowMapping, Select, Table, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model import CostDetail, Usage
from reamon.model.cost import STATED_COSTS
from reamon.store.views import AGENTS, COSTS, OPERATIONS, TRACES, cost_detail

_SPANS: Final = (
    (TRACES, TRACES.c.trace_id, TRACES.c.kind, literal(None)),
    (AGENTS, AGENTS.c.span_id, literal("agent"), AGENTS.c.parent_id),
    (OPERATIONS, OPERATIONS.c.span_id, OPERATIONS.c.kind, OPERATIONS.c.parent_id),
)


class Consumption(msgspec.Struct, frozen=True, kw_only=True):
    """What a span used, and what that costs.

    Attributes:
        span_id: The span.
        trace_id: Its trace.
        kind: What it is ("llm").
        agent_id: The nearest agent's span.
        call_id: The conversation.
        project: The project.
        start_time: When it began.
        end_time: When it ended; None while it runs.
        usage: What it used; empty where that is not recorded, or no longer.
        attributes: More about it.
        details: The cost details that count.
        superseded: Those that a repricing has put others in the place of.
    """

    span_id: str
    trace_id: str
    kind: str
    agent_id: str | None
    call_id: str | None
    project: str | None
    start_time: datetime
    end_time: datetime | None
    usage: tuple[Usage, ...]
    attributes: dict[str, Any]
    details: tuple[CostDetail, ...] = ()
    superseded: tuple[CostDetail, ...] = ()

    def states(self, detail: CostDetail) -> bool:
        """Whether the application stated a detail of this span; a price book is not asked about it."""
        return detail.says_stated or detail.cost_type in self.attributes.get(STATED_COSTS, ())

    @property
    def moment(self) -> datetime:
        """When what it used is paid: at its end."""
        return self.start_time if self.end_time is None else self.end_time


async def next_traces(connection: AsyncConnection, after: str, portion: int) -> list[str]:
    """The ids of the traces that follow `after`, in their order: of all that there is anything of.

    Spans may be there without their root, so every table is asked; each has an index over it.
    """
    found: set[str] = set()
    for table in (TRACES, AGENTS, OPERATIONS, COSTS):
        trace_id = table.c.trace_id
        query = select(trace_id).where(trace_id > after).distinct().order_by(trace_id).limit(portion)
        found.update(await connection.scalars(query))
    return sorted(found)[:portion]


async def read_consumption(connection: AsyncConnection, trace_ids: Sequence[str]) -> list[Consumption]:
    """The spans of these traces that used something, or have cost details; but for traces whose details are pruned.

    Args:
        connection: To the store.
        trace_ids: The traces; a few hundred at most.
    """
    roots = {row["trace_id"]: row for row in await _rows(connection, _roots(trace_ids))}
    kept = [trace_id for trace_id in trace_ids if trace_id not in roots or not roots[trace_id]["costs_pruned"]]
    spans: dict[str, RowMapping] = {}
    for query in _spans(kept):
        for row in await _rows(connection, query):
            spans.setdefault(row["span_id"], row)  # a root that is an agent has a row in two tables
    # Details come after the spans: a span that is stored just now has been stored with its own.
    details: defaultdict[str, list[CostDetail]] = defaultdict(list)
    for row in await _rows(connection, select(COSTS).where(COSTS.c.trace_id.in_(kept)).order_by(COSTS.c.item)):
        details[row["span_id"]].append(cost_detail(row))
    parents = {span_id: (row["parent_id"], row["kind"]) for span_id, row in spans.items()}
    return [
        *_with_usage(spans, parents, roots, details),
        *(_without_span(of_span) for span_id, of_span in details.items() if span_id not in spans),
    ]


async def _rows(connection: AsyncConnection, query: Select[Any]) -> Sequence[RowMapping]:
    return list((await connection.execute(query)).mappings())


def _roots(trace_ids: Sequence[str]) -> Select[Any]:
    root = TRACES.c
    return select(root.trace_id, root.call_id, root.project, root.costs_pruned).where(root.trace_id.in_(trace_ids))


def _spans(trace_ids: Sequence[str]) -> Iterator[Select[Any]]:
    for table, span_id, kind, parent_id in _SPANS:
        yield _of_table(table, span_id, kind, parent_id).where(table.c.trace_id.in_(trace_ids))


def _of_table(table: Table, span_id: Any, kind: Any, parent_id: Any) -> Select[Any]:
    columns = table.c
    return select(
        span_id.label("span_id"),
        columns.trace_id,
        kind.label("kind"),
        parent_id.label("parent_id"),
        columns.start_time,
        columns.end_time,
        columns.usage,
        columns.attributes,
    )


def _with_usage(
    spans: dict[str, RowMapping],
    parents: dict[str, tuple[str | None, str]],
    roots: dict[str, RowMapping],
    details: dict[str, list[CostDetail]],
) -> Iterator[Consumption]:
    for span_id, row in spans.items():
        of_span = details.get(span_id, ())
        if not row["usage"] and not of_span:
            continue
        root = roots.get(row["trace_id"])
        first = next(iter(of_span), None)
        yield Consumption(
            span_id=span_id,
            trace_id=row["trace_id"],
            kind=row["kind"],
            agent_id=_agent_of(span_id, parents) if first is None else first.agent_id,
            call_id=first.call_id if first else root["call_id"] if root else None,
            project=first.project if first else root["project"] if root else None,
            start_time=row["start_time"],
            end_time=row["end_time"],
            usage=msgspec.convert(row["usage"] or (), tuple[Usage, ...]),
            attributes=row["attributes"] or {},
            details=tuple(detail for detail in of_span if detail.superseded_by is None),
            superseded=tuple(detail for detail in of_span if detail.superseded_by is not None),
        )


def _without_span(details: Sequence[CostDetail]) -> Consumption:
    """The details of a span whose row retention has deleted, or that never came."""
    first = details[0]
    return Consumption(
        span_id=first.span_id,
        trace_id=first.trace_id,
        kind=first.cost_type,
        agent_id=first.agent_id,
        call_id=first.call_id,
        project=first.project,
        start_time=first.timestamp,
        end_time=first.timestamp,
        usage=(),
        attributes={},
        details=tuple(detail for detail in details if detail.superseded_by is None),
        superseded=tuple(detail for detail in details if detail.superseded_by is not None),
    )


def _agent_of(span_id: str, parents: dict[str, tuple[str | None, str]]) -> str | None:
    """The span itself if it is an agent, else the closest one that encloses it."""
    at: str | None = span_id
    while at is not None:
        parent_id, kind = parents.get(at, (None, ""))
        if kind == "agent":
            return at
        at = parent_id
    return None
