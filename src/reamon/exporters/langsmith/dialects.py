"""Dialects: the two read APIs of LangSmith, and how the same question is put in each.

LangSmith means to remove the first (`/runs/query`) in 2027, and servers before 0.16 do not have the second
(`/api/v2/...`). Both are asked over the connection that the exporter uses. The SDK's methods for the first warn that
they are deprecated, and those for the second bring a pool, retries and a minimum version of their own.
"""

from datetime import datetime
from typing import Any, Final, Protocol
from uuid import uuid4

import msgspec

from reamon.exporters.langsmith.connection import Method
from reamon.exporters.langsmith.remote import RunRecord
from reamon.exporters.langsmith.service import understood
from reamon.model.times import from_datetime, iso

_FIELDS: Final = RunRecord.__struct_fields__


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are wanted.

    Attributes:
        project_id: LangSmith's id of the project that they are in.
        since: The earliest start.
        until: The latest start; None: now.
        trace_id: Only those of this trace.
        roots: Only roots.
        filter: An expression in LangSmith's filter language.
    """

    project_id: str
    since: datetime
    until: datetime | None = None
    trace_id: str | None = None
    roots: bool = False
    filter: str | None = None


class Page(msgspec.Struct, frozen=True):
    """Some of the runs that were asked for.

    Attributes:
        records: The runs, newest first.
        cursor: What to ask for the next page with; None on the last.
    """

    records: list[RunRecord]
    cursor: str | None


class Dialect(Protocol):
    """One of the read APIs."""

    query_path: str
    page_size: int

    def question(self, query: RunQuery, size: int, cursor: str | None) -> dict[str, Any]:
        """The body that asks for a page of at most `size` runs."""

    def page(self, answer: bytes) -> Page:
        """What was answered.

        Raises:
            ServiceError: Something else was.
        """

    def sharing(self, trace_id: str, project_id: str) -> tuple[Method, str, dict[str, str]]:
        """Method, path and body that make a trace public."""


class _SecondPage(msgspec.Struct, frozen=True):
    items: list[RunRecord] | None = None
    next_cursor: str | None = None


class SecondDialect:
    """`/api/v2`: needs project ids and bounds in time, and gives only the fields that it is asked for."""

    query_path = "/api/v2/runs/query"
    page_size = 1000

    def question(self, query: RunQuery, size: int, cursor: str | None) -> dict[str, Any]:
        """See `Dialect`."""
        return _given(
            project_ids=[query.project_id],
            min_start_time=query.since,
            max_start_time=query.until,
            trace_id=query.trace_id,
            is_root=query.roots or None,
            filter=query.filter,
            selects=[field.upper() for field in _FIELDS],
            include_subtree_usage=True,
            page_size=size,
            cursor=cursor,
        )

    def page(self, answer: bytes) -> Page:
        """See `Dialect`."""
        page = understood(answer, _SecondPage)
        return Page(page.items or [], page.next_cursor)

    def sharing(self, trace_id: str, project_id: str) -> tuple[Method, str, dict[str, str]]:
        """See `Dialect`."""
        return "POST", f"/api/v2/runs/{trace_id}/share", {"session_id": project_id, "trace_id": trace_id}


class _FirstCursors(msgspec.Struct, frozen=True):
    next: str | None = None


class _FirstPage(msgspec.Struct, frozen=True):
    runs: list[RunRecord] | None = None
    cursors: _FirstCursors | None = None


class FirstDialect:
    """`/runs/query`, of servers before 0.16. Its `end_time` bounds the ends, so `until` becomes part of the filter."""

    query_path = "/runs/query"
    page_size = 100

    def question(self, query: RunQuery, size: int, cursor: str | None) -> dict[str, Any]:
        """See `Dialect`."""
        before = None if query.until is None else f'lt(start_time, "{iso(from_datetime(query.until))}")'
        return _given(
            session=[query.project_id],
            start_time=query.since,
            trace=query.trace_id,
            is_root=query.roots or None,
            filter=every(query.filter, before),
            select=list(_FIELDS),
            order="desc",
            limit=size,
            cursor=cursor,
        )

    def page(self, answer: bytes) -> Page:
        """See `Dialect`."""
        page = understood(answer, _FirstPage)
        return Page(page.runs or [], page.cursors.next if page.cursors else None)

    def sharing(self, trace_id: str, project_id: str) -> tuple[Method, str, dict[str, str]]:
        """See `Dialect`. Here the client makes up the secret part of the address."""
        return "PUT", f"/runs/{trace_id}/share", {"run_id": trace_id, "share_token": str(uuid4())}


def every(*expressions: str | None) -> str | None:
    """The filter that is met where all of `expressions` are; None where there is none.

    Example:
        >>> every('eq(name, "turn")', None, 'has(tags, "eu")')
        'and(eq(name, "turn"), has(tags, "eu"))'
    """
    given = [expression for expression in expressions if expression]
    return f"and({', '.join(given)})" if len(given) > 1 else next(iter(given), None)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
