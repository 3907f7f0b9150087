"""Costs: the repository of cost details. Sums over them are `reamon.store.cost_queries`."""

from collections.abc import Sequence
from typing import Any, ClassVar

from sqlalchemy import Column, RowMapping, and_, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model import CostDetail
from reamon.store.conditions import SQLITE, Condition, amount_between, equals, in_time, is_one_of
from reamon.store.filters import CostDetailFilter
from reamon.store.listing import Listing, Search
from reamon.store.views import AGENTS, COSTS, TRACES, cost_detail


class CostRepository(Listing[CostDetail, CostDetailFilter]):
    """The cost details of a store (`store.costs`), those that count unless others are asked for.

    Example:
        ```python
        unpriced = await store.costs.query(CostDetailFilter(unknown=True))
        print({(detail.provider, detail.model) for detail in unpriced.items})
        ```
    """

    name: ClassVar[str] = "costs"
    _filters = CostDetailFilter
    _columns: ClassVar[Sequence[Column[Any]]] = tuple(COSTS.columns)
    _keys: ClassVar[tuple[Column[Any], ...]] = (
        COSTS.c.timestamp,
        COSTS.c.span_id,
        COSTS.c.cost_type,
        COSTS.c.price_version,
        COSTS.c.item,
    )

    async def get(self, span_id: str, cost_type: str, price_version: str, item: int = 0) -> CostDetail | None:
        """One detail, superseded or not; None where there is none of that key, or it is another project's."""
        wanted = {"span_id": span_id, "cost_type": cost_type, "price_version": price_version, "item": item}
        return await self._one(and_(*(COSTS.c[name] == value for name, value in wanted.items())))

    async def _search(self, connection: AsyncConnection, which: CostDetailFilter) -> Search:
        columns, dialect = COSTS.c, self._database.dialect
        conditions = [
            *equals(columns.trace_id, which.trace_id),
            *equals(columns.span_id, which.span_id),
            *_of_call(which.call_id),
            *_of_agent(which.agent, dialect),
            *equals(columns.project, which.project),
            *is_one_of(columns.cost_type, which.cost_type),
            *equals(columns.provider, which.provider),
            *equals(columns.model, which.model),
            *equals(columns.price_source, which.price_source),
            *equals(columns.price_version, which.price_version),
            *in_time(columns.timestamp, which.since, which.until),
            *amount_between(columns.cost_amount, which.min_amount, which.max_amount, dialect),
            *_is_null(columns.cost_amount, which.unknown),
            *([] if which.estimated is None else [columns.estimated.is_(which.estimated)]),
            *_is_null(columns.superseded_by, None if which.superseded is None else not which.superseded),
        ]
        return Search(conditions, self._keys)

    def _may_be_seen(self) -> list[Condition]:
        return equals(COSTS.c.project, self._database.project)

    def _view(self, row: RowMapping) -> CostDetail:
        return cost_detail(row)


def _of_call(call_id: str | None) -> list[Condition]:
    if call_id is None:
        return []
    return [COSTS.c.trace_id.in_(select(TRACES.c.trace_id).where(TRACES.c.call_id == call_id))]


def _of_agent(agent: str | None, dialect: str) -> list[Condition]:
    if agent is None:
        return []
    is_it = AGENTS.c.agent_type == agent
    if dialect != SQLITE:
        return [COSTS.c.agent_id.in_(select(AGENTS.c.span_id).where(is_it))]
    by_trace = and_(AGENTS.c.trace_id == COSTS.c.trace_id, AGENTS.c.span_id == COSTS.c.agent_id)
    return [select(literal(1)).where(by_trace, is_it).correlate(COSTS).exists()]


def _is_null(column: Column[Any], wanted: bool | None) -> list[Condition]:
    if wanted is None:
        return []
    return [column.is_(None) if wanted else column.is_not(None)]
