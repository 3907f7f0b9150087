"""Executions: the repository of agent executions."""

from collections.abc import Sequence
from typing import Any, ClassVar

from sqlalchemy import Column, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model import AgentExecution
from reamon.store.conditions import Condition, decided, equals, has_id, is_between
from reamon.store.filters import ExecutionFilter
from reamon.store.listing import Listing, Search
from reamon.store.span_search import ran_in, search_below
from reamon.store.views import AGENTS, agent_execution


class ExecutionRepository(Listing[AgentExecution, ExecutionFilter]):
    """The agent executions of a store (`store.executions`), with their states, inputs and outputs.

    Which project one belongs to is known from its trace, so a reader of one project sees it once its trace is stored.

    Example:
        ```python
        unsure = ExecutionFilter(agent="qualification", max_confidence=0.5)
        async for execution in store.executions.iterate(unsure):
            print(execution.decision, execution.changes)
        ```
    """

    name: ClassVar[str] = "executions"
    _filters = ExecutionFilter
    _columns: ClassVar[Sequence[Column[Any]]] = tuple(AGENTS.columns)
    _keys: ClassVar[tuple[Column[Any], ...]] = (AGENTS.c.id, AGENTS.c.span_id)

    async def get(self, span_id: str) -> AgentExecution | None:
        """One execution; None where there is none of that id, or it is another project's."""
        return await self._one(has_id(AGENTS, "span_id", span_id))

    async def _search(self, connection: AsyncConnection, which: ExecutionFilter) -> Search:
        dialect = self._database.dialect
        own = [
            *decided(AGENTS.c.decision, which.decision, dialect),
            *equals(AGENTS.c.next_agent, which.next_agent),
            *is_between(AGENTS.c.confidence, which.min_confidence, which.max_confidence),
        ]
        below = await search_below(connection, AGENTS, which, {"agent_type": which.agent}, dialect)
        return below._replace(conditions=[*below.conditions, *own])

    def _may_be_seen(self) -> list[Condition]:
        return ran_in(AGENTS, {"project": self._database.project}, None, self._database.dialect)

    def _view(self, row: RowMapping) -> AgentExecution:
        return agent_execution(row)
