"""Traces: the repository of workflow traces, alone in listings, and whole one by one."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from typing import Any, ClassVar

from sqlalchemy import Column, RowMapping, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model import Span, WorkflowTrace
from reamon.store.assembly import assembled
from reamon.store.changes import owned
from reamon.store.conditions import Condition, has_id, unindexed
from reamon.store.filters import TraceFilter
from reamon.store.listing import ITERATED_AT_A_TIME, Listing, Search
from reamon.store.pages import Order, Page
from reamon.store.trace_search import search_traces
from reamon.store.views import LISTED, TRACES, workflow_trace


class TraceRepository(Listing[WorkflowTrace, TraceFilter]):
    """The workflow traces of a store (`store.traces`).

    Example:
        ```python
        failed = TraceFilter(status="failed", workflow="process_input")
        page = await store.traces.query(failed, limit=20)
        print(await store.traces.count(failed), [trace.call_id for trace in page.items])
        older = await store.traces.query(failed, limit=20, after=page.next) if page.next else None
        ```
    """

    name: ClassVar[str] = "traces"
    _filters = TraceFilter
    _columns: ClassVar[Sequence[Column[Any]]] = LISTED
    _keys: ClassVar[tuple[Column[Any], ...]] = (TRACES.c.id, TRACES.c.trace_id)

    async def get(self, trace_id: str) -> WorkflowTrace | None:
        """One whole trace; None where there is none of that id, or it is another project's."""
        is_it = has_id(TRACES, "trace_id", trace_id)
        return None if is_it is None else next(iter(await self._whole(is_it)), None)

    async def get_many(self, trace_ids: Collection[str]) -> list[WorkflowTrace]:
        """Those of these traces that there are, whole, in order of their start: one query a table for all of them."""
        return await self._whole(TRACES.c.trace_id.in_(list(trace_ids)))

    async def of_call(self, call_id: str) -> list[WorkflowTrace]:
        """All traces of a call, whole, in order of their start; none where the call is unknown."""
        return await self._whole(TRACES.c.call_id == call_id)

    async def query_whole(
        self, which: TraceFilter | None = None, *, limit: int = 50, after: str | None = None, order: Order = "newest"
    ) -> Page[WorkflowTrace]:
        """As `query`, with all that is in the traces, read by one query a table for the whole page."""
        return await self._page(self._assembled, which, limit, after, order)

    async def iterate_whole(
        self, which: TraceFilter | None = None, *, after: str | None = None, order: Order = "newest"
    ) -> AsyncIterator[WorkflowTrace]:
        """As `iterate`, with all that is in the traces."""
        while True:
            page = await self.query_whole(which, limit=ITERATED_AT_A_TIME // 10, after=after, order=order)
            for trace in page.items:
                yield trace
            if page.next is None:
                return
            after = page.next

    async def create(self, spans: Iterable[Span]) -> None:
        """Store spans, in any order: what an application recorded elsewhere, or a back-fill.

        A trace's spans make its rows, executions, operations and costs included, and its totals are added up anew.
        Spans that are there already stay as they are; only a workflow that runs is replaced by one that has finished.

        Args:
            spans: The spans. Those that name no project get the one that the store was opened for.

        Raises:
            StoreError: A project is another than the store's, some can never be stored, or the store cannot be changed.

        Example:
            ```python
            turn = make_span("process_input", "workflow", call_id="call-1")
            await store.traces.create([turn, make_span("chat", "llm", parent=turn)])
            ```
        """
        owned_spans = [span.replace(project=owned(self._database, span.project)) for span in spans]
        await self._database.write(owned_spans)

    async def ids_like(self, fragment: str, *, limit: int = 10) -> list[str]:
        """The ids of the newest traces that begin or end with `fragment`, newest first."""
        matches = or_(
            TRACES.c.trace_id.startswith(fragment, autoescape=True),
            TRACES.c.trace_id.endswith(fragment, autoescape=True),
        )
        statement = select(TRACES.c.trace_id).where(matches, *self._may_be_seen())
        async with self._database.moment() as connection:
            return list(await connection.scalars(statement.order_by(TRACES.c.id.desc()).limit(limit)))

    async def calls(self, *, limit: int = 1000) -> list[str]:
        """The ids of the calls that appear in the newest `limit` traces, each once, newest first."""
        statement = select(TRACES.c.call_id).where(TRACES.c.call_id.is_not(None), *self._may_be_seen())
        async with self._database.moment() as connection:
            newest = await connection.scalars(statement.order_by(TRACES.c.id.desc()).limit(limit))
            return list(dict.fromkeys(newest))

    async def _whole(self, are_meant: Condition) -> list[WorkflowTrace]:
        project = self._database.project
        column = unindexed(TRACES.c.project, self._database.dialect)
        is_seen = [] if project is None else [column == project]
        async with self._database.moment() as connection:
            return await assembled(connection, [are_meant, *is_seen])

    async def _assembled(self, connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[WorkflowTrace]:
        ids = [row["trace_id"] for row in rows]
        whole = {trace.trace_id: trace for trace in await assembled(connection, [TRACES.c.trace_id.in_(ids)])}
        return [whole[trace_id] for trace_id in ids]

    async def _search(self, connection: AsyncConnection, which: TraceFilter) -> Search:
        return await search_traces(connection, which, self._database.dialect)

    def _may_be_seen(self) -> list[Condition]:
        project = self._database.project
        return [] if project is None else [TRACES.c.project == project]

    def _view(self, row: RowMapping) -> WorkflowTrace:
        return workflow_trace(row)
