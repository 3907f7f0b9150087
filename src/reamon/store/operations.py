"""Operations: the repository of model calls, tools, speech and steps."""

from collections.abc import Sequence
from typing import Any, ClassVar

from sqlalchemy import Column, RowMapping
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model import Operation
from reamon.store.conditions import Condition, equals, has_id, is_one_of
from reamon.store.filters import OperationFilter
from reamon.store.listing import Listing, Search
from reamon.store.span_search import ran_in, search_below
from reamon.store.views import OPERATIONS, operation


class OperationRepository(Listing[Operation, OperationFilter]):
    """The operations of a store (`store.operations`), with their inputs and outputs.

    Which project one belongs to is known from its trace, so a reader of one project sees it once its trace is stored.

    Example:
        ```python
        slow = OperationFilter(kind="llm", model="gpt-4o-mini", min_duration_ms=2000)
        print(await store.operations.count(slow))
        ```
    """

    name: ClassVar[str] = "operations"
    _filters = OperationFilter
    _columns: ClassVar[Sequence[Column[Any]]] = tuple(OPERATIONS.columns)
    _keys: ClassVar[tuple[Column[Any], ...]] = (OPERATIONS.c.id, OPERATIONS.c.span_id)

    async def get(self, span_id: str) -> Operation | None:
        """One operation; None where there is none of that id, or it is another project's."""
        return await self._one(has_id(OPERATIONS, "span_id", span_id))

    async def _search(self, connection: AsyncConnection, which: OperationFilter) -> Search:
        own = [
            *is_one_of(OPERATIONS.c.kind, which.kind),
            *equals(OPERATIONS.c.name, which.name),
            *equals(OPERATIONS.c.provider, which.provider),
        ]
        below = await search_below(connection, OPERATIONS, which, {"model": which.model}, self._database.dialect)
        return below._replace(conditions=[*below.conditions, *own])

    def _may_be_seen(self) -> list[Condition]:
        return ran_in(OPERATIONS, {"project": self._database.project}, None, self._database.dialect)

    def _view(self, row: RowMapping) -> Operation:
        return operation(row)
