"""The server: listening, letting in, taking runs, answering reads."""

import dataclasses
import socket
import time
from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import orjson

from .faults import WRITES_ONLY, Fault, FaultPlan, Plan
from .ingest import Ingest, Write, read
from .reading import Reading
from .rules import is_uuid7, problems
from .state import Keep, MixedConflict, State
from .traffic import Answer, Request
from .violations import RefusedError, Violation
from .wire import Listener

INFO = {
    "version": "0.18.2",
    "batch_ingest_config": {
        "use_multipart_endpoint": True,
        "size_limit": 100,
        "size_limit_bytes": 20_971_520,
        "scale_up_qsize_trigger": 1000,
        "scale_up_nthreads_limit": 16,
        "scale_down_nempty_trigger": 4,
    },
    "instance_flags": {"zstd_compression_enabled": True},
}
"""What `/info` says unless told otherwise."""

_ACCEPTED = Answer.of(202, {"message": "Runs batch ingested"})
_CONFLICT = Answer.of(409, {"detail": "payload already received"})
_NOT_CARRIED_OUT = (Fault.HANG, Fault.DROP, Fault.NOT_HTTP, Fault.REFUSE)


class LangSmithServer:
    """A LangSmith on 127.0.0.1 that checks what it gets. Used with `with`, or `start` and `close`.

    Args:
        api_key: What `x-api-key` must be; None: anything goes.
        port: 0: any that is free.
        workspaces: The ones that the key may write to, by id: `X-Tenant-Id` must name one. None: it need not.
        keep: `ids` forgets what is in the runs, for tests with very many.
        mixed_conflict: What becomes of the new runs in a request that also holds old ones.
        v1: Whether the first generation of the read API is there.
        v2: Whether the second is.

    Attributes:
        poison: Says whether a run is refused, and with it its whole request; the answer is `poison_status`.
        info: What `/info` says. The limits and features in it are the ones that are enforced.
        info_status: What `/info` is answered with; 404 on servers that are too old for it.
        enforce_size_limit: Whether a request with more runs than `size_limit` is refused. The SDK itself sends such
            requests when it compresses.
        writes_per_minute: More runs than this are answered with 429; None: no limit.
        slow_seconds: How long `Fault.SLOW` waits.
        now: The server's clock.
        fault_info: Whether faults that are a status also meet `/info` and reads.
        requests: All that arrived, in order.
        violations: All that was refused because it was wrong.
        warnings: Ids of runs that were taken though they are no UUIDv7.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        port: int = 0,
        workspaces: Collection[str] | None = None,
        keep: Keep = "runs",
        mixed_conflict: MixedConflict = "reject_all",
        v1: bool = True,
        v2: bool = True,
    ) -> None:
        self.api_key = api_key
        self.workspaces = workspaces
        self.state = State(keep, mixed_conflict)
        self.poison: Callable[[dict[str, Any]], bool] | None = None
        self.poison_status = 422
        self.info: dict[str, Any] = orjson.loads(orjson.dumps(INFO))
        self.info_status = 200
        self.enforce_size_limit = True
        self.writes_per_minute: int | None = None
        self.slow_seconds = 0.5
        self.now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self.requests: list[Request] = []
        self.violations: list[Violation] = []
        self.warnings: list[str] = []
        self._reading = Reading(self.state, self._clock, v1=v1, v2=v2)
        self._recent: deque[tuple[float, int]] = deque()
        self._plan = FaultPlan()
        self._holder = _holder(port)
        self._port: int = self._holder.getsockname()[1]
        self._listener: Listener | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where it is; the same for as long as it lives."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """The runs that are stored, by id, posts and patches merged."""
        return self.state.runs

    @property
    def writes(self) -> "dict[str, int]":
        """How often each run was stored."""
        return self.state.writes

    @property
    def patches(self) -> "dict[str, int]":
        """How often each run was patched."""
        return self.state.patches

    @property
    def orphans(self) -> dict[str, dict[str, Any]]:
        """Patches of runs that nobody posted."""
        return self.state.orphans

    @property
    def feedback(self) -> dict[str, Any]:
        """Feedback by id."""
        return self.state.feedback

    @property
    def fault(self) -> Plan:
        """What requests meet: a fault, a function that says which, or a series of them, one for each write."""
        return self._plan.plan

    @fault.setter
    def fault(self, plan: Plan) -> None:
        self._plan = FaultPlan(plan, reads_too=self._plan.reads_too)
        if self._plan.refuses:
            self.stop()
        else:
            self.start()

    @property
    def fault_info(self) -> bool:
        """Whether faults that are a status also meet `/info` and reads."""
        return self._plan.reads_too

    @fault_info.setter
    def fault_info(self, reads_too: bool) -> None:
        self._plan.reads_too = reads_too

    def start(self) -> None:
        """Listen, if it does not already."""
        if self._listener is None:
            self._listener = Listener(self._port, self._respond)

    def stop(self) -> None:
        """Refuse connections and end the open ones; the port stays ours, and what is stored stays stored."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def close(self) -> None:
        """Stop for good."""
        self.stop()
        self._holder.close()

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until `count` runs are stored. Returns False if they are not within `timeout` seconds."""
        return self.state.wait_for(count, timeout)

    def _clock(self) -> datetime:
        return self.now()  # which a test may have replaced

    def _respond(self, request: Request) -> tuple[Answer | None, Fault]:
        """Deal with a request: what it is answered, and what befalls it."""
        self.requests.append(request)
        ingest = self._ingest_of(request) if request.writes else None
        fault = self._plan.meets(request)
        if fault in _NOT_CARRIED_OUT:
            return None, fault
        if fault in WRITES_ONLY:
            return WRITES_ONLY[fault], fault
        if fault is Fault.SLOW:
            time.sleep(self.slow_seconds)
        try:
            answer = self._carry_out(request, ingest, halve=fault is Fault.PARTIAL_CONFLICT)
        except RefusedError as refusal:
            self.violations += refusal.violations
            answer = Answer.of(refusal.status, {"detail": [dataclasses.asdict(each) for each in refusal.violations]})
        return None if fault is Fault.LOSE_ANSWER else answer, fault

    def _ingest_of(self, request: Request) -> Ingest | RefusedError:
        """What a request writes, or why nobody can say."""
        try:
            ingest = read(request, max_bytes=self.info["batch_ingest_config"]["size_limit_bytes"])
        except RefusedError as refusal:
            return refusal
        request.run_ids = tuple(write.id for write in ingest.writes)
        return ingest

    def _carry_out(self, request: Request, ingest: Ingest | RefusedError | None, *, halve: bool) -> Answer:
        if request.path == "/info":
            return Answer.of(self.info_status, self.info if self.info_status == 200 else {"detail": "Not Found"})
        refused = self._let_in(request)
        if refused is not None:
            return refused
        if ingest is None:
            return self._reading.answer(request)
        not_offered = self._not_offered(request)
        if not_offered is not None:
            return not_offered
        if isinstance(ingest, RefusedError):
            raise ingest
        if self._too_many(len(ingest.writes)):
            return Answer.of(429, {"detail": "Rate limit exceeded"})
        self._check(ingest.writes)
        if halve:
            self.state.add_first_half(ingest)
            return _CONFLICT
        return _ACCEPTED if self.state.add(ingest) else _CONFLICT

    def _let_in(self, request: Request) -> Answer | None:
        """Refuse those who may not enter."""
        if self.api_key is not None and request.headers.get("x-api-key") != self.api_key:
            return Answer.of(401, {"detail": "Invalid token"})
        workspace = request.headers.get("x-tenant-id")
        if self.workspaces is not None and workspace not in self.workspaces:
            return Answer.of(403, {"error": "Forbidden" if workspace else "org_scoped_key_requires_workspace"})
        return None

    def _not_offered(self, request: Request) -> Answer | None:
        """Refuse what `/info` does not offer."""
        if request.path == "/runs/multipart" and not self.info["batch_ingest_config"]["use_multipart_endpoint"]:
            return Answer.of(404, {"detail": "Not Found"})
        flags = self.info.get("instance_flags") or {}
        if request.headers.get("content-encoding") == "zstd" and not flags.get("zstd_compression_enabled"):
            return Answer.of(415, {"detail": "zstd is not enabled"})
        return None

    def _too_many(self, count: int) -> bool:
        """Whether `count` more runs are beyond what a minute may bring."""
        if self.writes_per_minute is None:
            return False
        now = self.now().timestamp()
        with self.state.changed:
            while self._recent and self._recent[0][0] <= now - 60:
                self._recent.popleft()
            if sum(runs for _, runs in self._recent) + count > self.writes_per_minute:
                return True
            self._recent.append((now, count))
            return False

    def _check(self, writes: list[Write]) -> None:
        """Refuse the request if anything is wrong with one of its runs."""
        limit = self.info["batch_ingest_config"]["size_limit"]
        if self.enforce_size_limit and len(writes) > limit:
            raise RefusedError(422, Violation("size_limit", f"{len(writes)} runs are more than {limit}"))
        now = self.now()
        found = [Violation(field, problem, write.id) for write in writes for field, problem in problems(write, now)]
        if found:
            raise RefusedError(422, *found)
        poisoned = [write.id for write in writes if self.poison is not None and self.poison(write.run)]
        if poisoned:
            raise RefusedError(self.poison_status, *(Violation("poison", "is poisoned", run_id) for run_id in poisoned))
        self.warnings += [write.id for write in writes if not is_uuid7(write.id)]


def _holder(port: int) -> socket.socket:
    """A socket that keeps a port for us and does not listen, so that nobody else gets it while the server is away."""
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", port))
    return holder
