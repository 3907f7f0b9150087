"""The queries that read `Facts`."""

from typing import Any, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, Table, func, literal, null, or_, select, true, union
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.store.facts import AgentFact, CostFact, ErrorFact, Facts, ModelUsage, StepFact, TurnFact
from reamon.store.views import AGENTS, COSTS, OPERATIONS, TRACES


async def read_facts(connection: AsyncConnection, project: str | None = None) -> Facts:
    """Read the facts of one project, or of all."""
    return Facts(
        turns=await _read(connection, TurnFact, _turns(project)),
        agents=await _read(connection, AgentFact, _agents(project)),
        models=await _read(connection, ModelUsage, _models(project)),
        costs=await _read(connection, CostFact, _costs(project)),
        unbilled=list(await connection.scalars(_unbilled(project))),
        errors=[error for query in _errors(project) for error in await _read(connection, ErrorFact, query)],
        slowest=max(
            [step for query in _slowest(project) for step in await _read(connection, StepFact, query)],
            key=lambda step: step.duration_ms,
            default=None,
        ),
    )


Fact = TypeVar("Fact", bound=msgspec.Struct)


async def _read(connection: AsyncConnection, fact: type[Fact], query: Select[Any]) -> list[Fact]:
    rows = await connection.execute(query)
    return [fact(**row) for row in rows.mappings()]


def _columns(table: Table, fact: type[msgspec.Struct]) -> list[ColumnElement[Any]]:
    return [table.c[name] for name in fact.__struct_fields__]


def _turns(project: str | None) -> Select[Any]:
    return select(*_columns(TRACES, TurnFact)).where(_is_of(project)).order_by(TRACES.c.id)


def _agents(project: str | None) -> Select[Any]:
    return select(*_columns(AGENTS, AgentFact)).where(_belongs_to(project, AGENTS)).order_by(AGENTS.c.id)


def _models(project: str | None) -> Select[Any]:
    used = OPERATIONS.c
    tokens = (used.input_tokens, used.output_tokens, used.cached_input_tokens)
    return (
        select(
            used.provider,
            used.model,
            func.count().label("calls"),
            func.count(func.coalesce(used.input_tokens, used.output_tokens)).label("counted"),
            *(func.sum(column).label(column.name) for column in tokens),
        )
        .where(or_(used.kind == "llm", used.input_tokens.is_not(None)), _belongs_to(project, OPERATIONS))
        .group_by(used.provider, used.model)
        .order_by(used.provider, used.model)
    )


def _costs(project: str | None) -> Select[Any]:
    return select(COSTS.c.trace_id, COSTS.c.cost_type, COSTS.c.cost_amount.label("amount")).where(
        COSTS.c.superseded_by.is_(None), _belongs_to(project, COSTS)
    )


def _unbilled(project: str | None) -> Select[Any]:
    billed = select(COSTS.c.span_id)
    spans = [(TRACES, TRACES.c.trace_id), (AGENTS, AGENTS.c.span_id), (OPERATIONS, OPERATIONS.c.span_id)]
    users = union(
        *(
            select(table.c.trace_id, span_id.label("span_id")).where(
                table.c.usage.is_not(None), span_id.not_in(billed), _belongs_to(project, table)
            )
            for table, span_id in spans
        )
    ).subquery()
    return select(users.c.trace_id)


def _errors(project: str | None) -> list[Select[Any]]:
    spans = [
        (TRACES, TRACES.c.trace_id, null(), TRACES.c.kind, TRACES.c.workflow_name),
        (AGENTS, AGENTS.c.span_id, AGENTS.c.parent_id, literal("agent"), AGENTS.c.agent_type),
        (OPERATIONS, OPERATIONS.c.span_id, OPERATIONS.c.parent_id, OPERATIONS.c.kind, OPERATIONS.c.name),
    ]
    return [
        select(
            span_id.label("span_id"),
            table.c.trace_id,
            parent_id.label("parent_id"),
            kind.label("kind"),
            name.label("name"),
            table.c.error_type,
            table.c.error_message,
        ).where(table.c.error_type.is_not(None), _belongs_to(project, table))
        for table, span_id, parent_id, kind, name in spans
    ]


def _slowest(project: str | None) -> list[Select[Any]]:
    """The slowest agent and the slowest operation among those that have nothing below them."""
    parents = union(
        *(select(table.c.parent_id).where(table.c.parent_id.is_not(None)) for table in (AGENTS, OPERATIONS))
    )
    spans = [(AGENTS, literal("agent"), AGENTS.c.agent_type), (OPERATIONS, OPERATIONS.c.kind, OPERATIONS.c.name)]
    return [
        select(table.c.span_id, table.c.trace_id, kind.label("kind"), name.label("name"), table.c.duration_ms)
        .where(table.c.duration_ms.is_not(None), table.c.span_id.not_in(parents), _belongs_to(project, table))
        .order_by(table.c.duration_ms.desc())
        .limit(1)
        for table, kind, name in spans
    ]


def _is_of(project: str | None) -> ColumnElement[bool]:
    return true() if project is None else TRACES.c.project == project


def _belongs_to(project: str | None, table: Table) -> ColumnElement[bool]:
    """The condition that a row is of a trace of the project."""
    if project is None:
        return true()
    return table.c.trace_id.in_(select(TRACES.c.trace_id).where(_is_of(project)))
