"""The store as readers know it: traces, calls, and the facts that figures are made of. It never writes."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Table, and_, or_, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from reamon.errors import StoreError
from reamon.model import AgentExecution, CostData, Operation, WorkflowTrace
from reamon.model.ids import row_id
from reamon.store.engine import check_schema, location, open_engine
from reamon.store.fact_queries import read_facts
from reamon.store.facts import Facts
from reamon.store.places import Places
from reamon.store.views import (
    AGENTS,
    COSTS,
    LISTED,
    OPERATIONS,
    TRACES,
    agent_execution,
    cost_data,
    operation,
    workflow_trace,
)

Part = TypeVar("Part", AgentExecution, Operation, CostData)


class TraceFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which traces are meant: those that have every value given here.

    Attributes:
        call_id: The conversation.
        status: A status as the table says it ("completed", "failed", "degraded", …).
        workflow: The workflow's name.
        project: The project.
    """

    call_id: str | None = None
    status: str | None = None
    workflow: str | None = None
    project: str | None = None


EVERYTHING = TraceFilter()
"""The filter that leaves nothing out."""


class Store:
    """Reads what was recorded. Each method sees one moment of the store, however busily others write to it.

    Every method raises `StoreError` where the database cannot answer: it is damaged, or locked for good.

    Example:
        ```python
        async with Store.open("calls.db") as store:
            for trace in await store.traces(TraceFilter(status="failed"), limit=10):
                print(trace.call_id, trace.error_message)
        ```
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, target: Path | str) -> Self:
        """The store at `target`, a SQLite file's path or URL; for use with `async with`.

        Raises:
            StoreError: There is no store there.
        """
        return cls(open_engine(target))

    async def __aenter__(self) -> Self:
        """Check that the tables are the ones that this version reads.

        Raises:
            StoreError: The file is not a store, or one of an older or newer reamon.
        """
        try:
            async with self._moment() as connection:
                await check_schema(connection)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Let go of the database."""
        await self._engine.dispose()

    async def traces(self, which: TraceFilter = EVERYTHING, *, limit: int = 50) -> list[WorkflowTrace]:
        """The newest traces, newest first, without what lies below their roots."""
        query = select(*LISTED).where(*_conditions(which)).order_by(TRACES.c.id.desc()).limit(limit)
        async with self._moment() as connection:
            rows = await connection.execute(query)
            return [workflow_trace(row) for row in rows.mappings()]

    async def trace(self, trace_id: str) -> WorkflowTrace | None:
        """One whole trace, or None if the store has none of that id."""
        is_it = _has_id(trace_id)
        if is_it is None:
            return None
        async with self._moment() as connection:
            return next(iter(await _assembled(connection, is_it)), None)

    async def call(self, call_id: str) -> list[WorkflowTrace]:
        """All traces of a call, whole, in order of their start; none if the store does not know the call."""
        async with self._moment() as connection:
            return await _assembled(connection, TRACES.c.call_id == call_id)

    async def trace_ids(self, fragment: str, *, limit: int = 10) -> list[str]:
        """The ids of the newest traces that begin or end with `fragment`, newest first."""
        matches = or_(
            TRACES.c.trace_id.startswith(fragment, autoescape=True),
            TRACES.c.trace_id.endswith(fragment, autoescape=True),
        )
        async with self._moment() as connection:
            rows = await connection.scalars(
                select(TRACES.c.trace_id).where(matches).order_by(TRACES.c.id.desc()).limit(limit)
            )
            return list(rows)

    async def call_ids(self, *, limit: int = 1000) -> list[str]:
        """The ids of the calls that appear in the newest `limit` traces, each once, newest first."""
        newest = select(TRACES.c.call_id).where(TRACES.c.call_id.is_not(None)).order_by(TRACES.c.id.desc()).limit(limit)
        async with self._moment() as connection:
            return list(dict.fromkeys(await connection.scalars(newest)))

    async def facts(self, project: str | None = None) -> Facts:
        """What a summary is made of: every turn, agent execution, model and cost, without payloads."""
        async with self._moment() as connection:
            return await read_facts(connection, project)

    @asynccontextmanager
    async def _moment(self) -> AsyncIterator[AsyncConnection]:
        """A connection on which all queries see the same state.

        Raises:
            StoreError: The database could not answer.
        """
        try:
            async with self._engine.connect() as connection:
                await connection.exec_driver_sql("BEGIN")
                yield connection
        except DatabaseError as error:
            where = location(self._engine)
            raise StoreError(f"{where} cannot be read as a store ({error.orig}): `reamon doctor` says more") from error


def _conditions(which: TraceFilter) -> list[ColumnElement[bool]]:
    wanted = {
        TRACES.c.call_id: which.call_id,
        TRACES.c.status: which.status,
        TRACES.c.workflow_name: which.workflow,
        TRACES.c.project: which.project,
    }
    return [column == value for column, value in wanted.items() if value is not None]


def _has_id(trace_id: str) -> ColumnElement[bool] | None:
    """The condition that finds a trace by its key (`store.tables`), or None where no trace can have that id."""
    try:
        near, near_end, far, far_end = Places.of(row_id(trace_id), trace_id)
    except ValueError:
        return None
    is_held_here = or_(TRACES.c.id.between(near, near_end), TRACES.c.id.between(far, far_end))
    return and_(is_held_here, TRACES.c.trace_id == trace_id)


async def _assembled(connection: AsyncConnection, are_meant: ColumnElement[bool]) -> list[WorkflowTrace]:
    """The whole traces that meet the condition, in order of their start."""
    ids = select(TRACES.c.trace_id).where(are_meant)
    agent_rows = await connection.execute(select(AGENTS).where(AGENTS.c.trace_id.in_(ids)).order_by(*_by_start(AGENTS)))
    agents = _by_trace((row["trace_id"], agent_execution(row)) for row in agent_rows.mappings())
    operation_rows = await connection.execute(
        select(OPERATIONS).where(OPERATIONS.c.trace_id.in_(ids)).order_by(*_by_start(OPERATIONS))
    )
    operations = _by_trace((row["trace_id"], operation(row)) for row in operation_rows.mappings())
    cost_rows = await connection.execute(
        select(COSTS).where(COSTS.c.trace_id.in_(ids)).order_by(COSTS.c.timestamp, COSTS.c.span_id, COSTS.c.item)
    )
    costs = _by_trace((row["trace_id"], cost_data(row)) for row in cost_rows.mappings())
    roots = await connection.execute(select(TRACES).where(are_meant).order_by(*_by_start(TRACES)))
    return [
        workflow_trace(row, agents[row["trace_id"]], operations[row["trace_id"]], costs[row["trace_id"]])
        for row in roots.mappings()
    ]


def _by_start(table: Table) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """In order of start; the key alone follows it to the second only, where many spans were given one start."""
    return table.c.start_time, table.c.id


def _by_trace(parts: Iterable[tuple[str, Part]]) -> defaultdict[str, list[Part]]:
    grouped: defaultdict[str, list[Part]] = defaultdict(list)
    for trace_id, part in parts:
        grouped[trace_id].append(part)
    return grouped
