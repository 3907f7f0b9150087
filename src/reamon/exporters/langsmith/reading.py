"""Reading: what LangSmith has, asked for in the dialect that it speaks."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeVar
from urllib.parse import urlencode

import msgspec

from reamon.errors import ServiceError
from reamon.exporters.langsmith.dialects import Dialect, FirstDialect, RunQuery, SecondDialect
from reamon.exporters.langsmith.remote import RunRecord
from reamon.exporters.langsmith.service import Service, understood
from reamon.model.ids import start_of
from reamon.model.times import to_datetime

T = TypeVar("T")
RETENTION: Final = timedelta(days=400)
"""The longest for which LangSmith keeps a trace."""

_SLACK: Final = timedelta(days=1)  # by how much clocks may differ: LangSmith takes no run that is further off
_NOT_OFFERED: Final = frozenset((404, 405, 410, 501))
_VERSION: Final = 14  # where an id says which kind of UUID it is


class _Project(msgspec.Struct, frozen=True):
    id: str
    name: str


class _Shared(msgspec.Struct, frozen=True):
    share_token: str


class Reader:
    """Asks LangSmith for runs: in its second API, in the first where that is not offered, and remembers which.

    Args:
        service: Whom to ask.
        now: Gives nanoseconds since 1970.
    """

    def __init__(self, service: Service, now: Callable[[], int] = time.time_ns) -> None:
        self._service = service
        self._now = now
        self._dialects: tuple[Dialect, ...] = (SecondDialect(), FirstDialect())
        self._project_ids: dict[str, str] = {}

    def trace(self, trace_id: str, project: str) -> list[RunRecord]:
        """All runs of a trace that LangSmith has by now; none where it does not know the project yet.

        Raises:
            ServiceError: LangSmith refused, or did not answer.
        """
        project_id = self.project_id(project)
        if project_id is None:
            return []
        now = to_datetime(self._now())
        since = to_datetime(start_of(trace_id)) - _SLACK if trace_id[_VERSION] == "7" else now - RETENTION
        query = RunQuery(project_id=project_id, trace_id=trace_id, since=since, until=now + _SLACK)
        return self._all(query)

    def roots(
        self, project: str, *, since: datetime | None, until: datetime | None, filter: str | None, limit: int
    ) -> list[RunRecord]:
        """The newest roots of a project, at most `limit` of them.

        Raises:
            ServiceError: LangSmith refused, did not answer, or has no such project.
        """
        project_id = self.project_id(project)
        if project_id is None:
            raise ServiceError(
                f"LangSmith has no project {project!r}; the first trace that is sent to it makes it", 404
            )
        query = RunQuery(
            project_id=project_id,
            roots=True,
            since=since or to_datetime(self._now()) - RETENTION,
            until=until,
            filter=filter,
        )
        return self._all(query, limit)

    def share(self, trace_id: str, project: str) -> str:
        """Make a trace public and return its token.

        Raises:
            ServiceError: LangSmith refused, did not answer, or has no such trace.
        """
        project_id = self.project_id(project)
        if project_id is None:
            raise ServiceError(f"LangSmith has no project {project!r}, so no trace in it to share", 404)

        def ask(dialect: Dialect) -> str:
            answer = self._service.ask(*dialect.sharing(trace_id, project_id))
            return understood(answer, _Shared).share_token

        return self._in_a_dialect(ask)

    def project_id(self, name: str) -> str | None:
        """LangSmith's id of a project, or None where it has none of that name.

        Raises:
            ServiceError: LangSmith refused, or did not answer.
        """
        if name not in self._project_ids:
            answer = self._service.ask("GET", f"/sessions?{urlencode({'name': name, 'limit': 1})}")
            for project in understood(answer, list[_Project]):
                if project.name == name:
                    self._project_ids[name] = project.id
        return self._project_ids.get(name)

    def _all(self, query: RunQuery, limit: int | None = None) -> list[RunRecord]:
        return self._in_a_dialect(lambda dialect: self._pages(dialect, query, limit))

    def _pages(self, dialect: Dialect, query: RunQuery, limit: int | None) -> list[RunRecord]:
        records: list[RunRecord] = []
        cursor: str | None = None
        while limit is None or len(records) < limit:
            size = dialect.page_size if limit is None else min(dialect.page_size, limit - len(records))
            answer = self._service.ask("POST", dialect.query_path, dialect.question(query, size, cursor))
            page = dialect.page(answer)
            records += page.records
            cursor = page.cursor
            if cursor is None or not page.records:
                break
        return records

    def _in_a_dialect(self, ask: Callable[[Dialect], T]) -> T:
        """Ask in the dialect that worked last; where the server does not have it, in the other."""
        first, second = self._dialects
        try:
            return ask(first)
        except ServiceError as error:
            if error.status not in _NOT_OFFERED:
                raise
            missing = error
        try:
            found = ask(second)
        except ServiceError as error:
            raise missing if error.status in _NOT_OFFERED else error from None
        self._dialects = (second, first)
        return found
