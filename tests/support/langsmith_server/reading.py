"""The read API: which question is answered by whom, and what both of its generations share."""

import re
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

import orjson

from .filters import InvalidFilterError
from .queries import FIRST_SELECTS, BadQuestionError, Query, first_query, second_query, trace_query
from .rules import is_uuid
from .state import TENANT_ID, State
from .traffic import Answer, Request
from .views import Run, view, view_v2

Handler = Callable[[Request, str], Answer]

_NOT_FOUND = Answer.of(404, {"detail": "Not Found"})
_ID = r"([^/]+)"


class Reading:
    """Answers what is asked about stored runs.

    Args:
        state: What is stored.
        now: The server's clock.
        v1: Whether the first generation is there: `/runs/...`.
        v2: Whether the second is: `/api/v2/...`.
    """

    def __init__(self, state: State, now: Callable[[], datetime], *, v1: bool, v2: bool) -> None:
        self._state = state
        self._now = now
        routes: list[tuple[str, str, Handler]] = [
            ("GET", "/sessions", self._projects),
            ("GET", f"/sessions/{_ID}", self._project),
            ("GET", "/workspaces/current", self._workspace),
            ("GET", "/settings", self._workspace),
        ]
        if v1:
            routes += [
                ("POST", "/runs/query", self._first_page),
                ("GET", f"/runs/{_ID}", self._run),
                ("PUT|POST", f"/runs/{_ID}/share", self._share),
                ("GET", f"/runs/{_ID}/share", self._shared),
                ("DELETE", f"/runs/{_ID}/share", self._unshare),
            ]
        if v2:
            routes += [
                ("POST", "/api/v2/runs/query", self._second_page),
                ("GET", f"/api/v2/traces/{_ID}/runs", self._trace),
                ("GET", f"/api/v2/runs/{_ID}", self._run_v2),
                ("POST", f"/api/v2/runs/{_ID}/share", self._share_v2),
                ("DELETE", f"/api/v2/runs/{_ID}/share", self._unshare),
            ]
        self._routes = [(re.compile(f"(?:{methods}) {path}"), handler) for methods, path, handler in routes]

    def answer(self, request: Request) -> Answer:
        """What is known about what `request` asks for."""
        for pattern, handler in self._routes:
            matched = pattern.fullmatch(f"{request.method} {request.path}")
            if matched is not None:
                return self._answered(handler, request, *matched.groups(""))
        return _NOT_FOUND

    def _answered(self, handler: Handler, request: Request, key: str = "") -> Answer:
        if key and not is_uuid(key):
            return Answer.of(422, {"detail": f"{key!r} is no UUID"})
        try:
            with self._state.changed:
                return handler(request, key)
        except (BadQuestionError, InvalidFilterError, orjson.JSONDecodeError) as error:
            return Answer.of(422, {"detail": str(error)})

    def _projects(self, request: Request, key: str) -> Answer:
        wanted = request.query.get("name")
        found = [each for each, name in self._state.projects.items() if wanted is None or name in wanted]
        limit = int(request.query.get("limit", ["100"])[0])
        return Answer.of(200, [self._shown_project(each) for each in found[:limit]])

    def _project(self, request: Request, key: str) -> Answer:
        return Answer.of(200, self._shown_project(key)) if key in self._state.projects else _NOT_FOUND

    def _workspace(self, request: Request, key: str) -> Answer:
        return Answer.of(200, {"id": TENANT_ID, "display_name": "tests", "created_at": self._now().isoformat()})

    def _shown_project(self, project_id: str) -> dict[str, Any]:
        starts = [run["start_time"] for run in self._state.runs.values() if run["session_id"] == project_id]
        return {
            "id": project_id,
            "name": self._state.projects[project_id],
            "tenant_id": TENANT_ID,
            "start_time": min(starts, default=self._now().isoformat()),
            "reference_dataset_id": None,
        }

    def _run(self, request: Request, key: str) -> Answer:
        run = self._state.runs.get(key)
        return Answer.of(200, self._shown(run)) if run else _NOT_FOUND

    def _run_v2(self, request: Request, key: str) -> Answer:
        query = trace_query("", request.query, self._now())
        run = self._state.runs.get(key)
        if run is None or run["session_id"] not in query.project_ids:
            return _NOT_FOUND
        return Answer.of(200, self._shown_v2(run, query))

    def _first_page(self, request: Request, key: str) -> Answer:
        query = first_query(request.json)
        runs, cursor = query.page(self._candidates())
        shown = [self._shown(run, query.selects) for run in runs]
        return Answer.of(200, {"runs": shown, "cursors": {"next": cursor, "prev": None}})

    def _second_page(self, request: Request, key: str) -> Answer:
        query = second_query(request.json, self._now())
        runs, cursor = query.page(self._candidates())
        shown = [self._shown_v2(run, query) for run in runs]
        return Answer.of(200, {"items": shown, "has_more": cursor is not None, "next_cursor": cursor})

    def _trace(self, request: Request, key: str) -> Answer:
        query = trace_query(key, request.query, self._now())
        runs, _ = query.page(self._candidates())
        return Answer.of(200, {"items": [self._shown_v2(run, query) for run in reversed(runs)]})

    def _candidates(self) -> list[tuple[Run, Run]]:
        """Every run as stored, and as filters see it."""
        return [(run, view(run)) for run in self._state.runs.values()]

    def _below(self, run: Run) -> list[Run]:
        prefix = run["dotted_order"] + "."
        return [other for other in self._state.runs.values() if other["dotted_order"].startswith(prefix)]

    def _shown_v2(self, run: Run, query: Query) -> Run:
        shown = view_v2(run, query.selects, self._below(run) if query.subtree_usage else ())
        token = self._state.shares.get(run["trace_id"])
        if token is not None and "SHARE_URL" in query.selects:
            shown["share_url"] = f"/public/{token}/r"
        return shown

    def _shown(self, run: Run, selects: tuple[str, ...] = ()) -> Run:
        shown = view(run, self._below(run))
        fields = selects or [field for field in shown if field in FIRST_SELECTS]
        return {field: shown.get(field) for field in fields}

    def _share(self, request: Request, key: str) -> Answer:
        """The first generation: the client makes up the token."""
        if key not in self._state.runs:
            return _NOT_FOUND
        asked = request.json
        if not is_uuid(asked.get("share_token")) or asked.get("run_id") != key:
            return Answer.of(422, {"detail": "run_id and share_token are needed"})
        token = self._state.shares.setdefault(key, asked["share_token"])
        return Answer.of(200, {"run_id": key, "share_token": token})

    def _shared(self, request: Request, key: str) -> Answer:
        if key not in self._state.runs:
            return _NOT_FOUND
        token = self._state.shares.get(key)
        return Answer.of(200, None if token is None else {"run_id": key, "share_token": token})

    def _unshare(self, request: Request, key: str) -> Answer:
        self._state.shares.pop(key, None)
        return Answer(204)

    def _share_v2(self, request: Request, key: str) -> Answer:
        """The second generation: what is shared is the trace, and the server makes up the token."""
        run, asked = self._state.runs.get(key), request.json
        if run is None or asked.get("trace_id") != run["trace_id"] or asked.get("session_id") != run["session_id"]:
            return _NOT_FOUND
        token = self._state.shares.setdefault(run["trace_id"], str(uuid.uuid4()))
        return Answer.of(200, {"share_token": token})
