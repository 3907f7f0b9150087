"""The LangSmith client: traces written by hand, read back, shared, and the connection checked."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from reamon.errors import ServiceError
from reamon.exporters.langsmith.checking import ConnectionCheck, check
from reamon.exporters.langsmith.dialects import every
from reamon.exporters.langsmith.drafts import Draft, Place
from reamon.exporters.langsmith.reading import Reader
from reamon.exporters.langsmith.remote import RemoteTrace, tree
from reamon.exporters.langsmith.service import Service
from reamon.exporters.langsmith.writing import Writer, canonical
from reamon.model import Usage
from reamon.model.times import from_datetime
from reamon.settings import LangSmithSettings

RunType = Literal["chain", "llm", "tool", "retriever", "embedding", "prompt", "parser"]

_FIRST_PAUSE: Final = 0.1  # seconds between two looks for a trace; doubled up to the longest
_LONGEST_PAUSE: Final = 2.0
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class LangSmithClient:
    """Writes traces to LangSmith by hand, reads them back, and tells whether LangSmith can be reached.

    For what your decorated code does, `LangSmithExporter` is enough. The client is for the rest: an event that arrives
    from outside, a script, a test that wants to see what LangSmith has. What it writes is not queued: each method
    returns once LangSmith has taken the run, and raises otherwise. LangSmith then needs a moment, usually a second or
    two, until what it has taken can be read.

    All clients and exporters of a process that have the same endpoint, key, workspace and timeouts share one pooled
    connection. A client may be used by any number of threads, and in forked processes.

    Args:
        api_key: The API key; default `LANGSMITH_API_KEY`.
        endpoint: The address of the API; default `LANGSMITH_ENDPOINT`, else LangSmith's own.
        project: The project of traces that name none; default `LANGSMITH_PROJECT`, else "default".
        workspace_id: The workspace, for keys that are valid in several; default `LANGSMITH_WORKSPACE_ID`.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for an answer.
        now: Gives nanoseconds since 1970; for tests.

    Raises:
        ConfigurationError: A value cannot be used; the message says which.

    Example:
        >>> client = LangSmithClient("lsv2_pt_example", "https://api.smith.langchain.com", "calls")
        >>> client
        LangSmithClient(endpoint='https://api.smith.langchain.com', project='calls')
    """

    def __init__(
        self,
        api_key: str | None = None,
        endpoint: str | None = None,
        project: str | None = None,
        *,
        workspace_id: str | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        settings = LangSmithSettings.from_environment(
            api_key=api_key,
            endpoint=endpoint,
            project=project,
            workspace_id=workspace_id,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
        )
        self.project = settings.project
        self._service = Service(settings)
        self._reader = Reader(self._service, now)
        self._writer = Writer(self._service, self._reader)
        self._now = now

    def __repr__(self) -> str:
        return f"LangSmithClient(endpoint={self._service.settings.endpoint!r}, project={self.project!r})"

    def create_trace(
        self,
        name: str,
        inputs: Any = None,
        *,
        call_id: str | None = None,
        project: str | None = None,
        run_type: RunType = "chain",
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        start: datetime | None = None,
    ) -> str:
        """Begin a trace.

        Args:
            name: What it is called.
            inputs: What it is given; anything but a mapping goes under `input`.
            call_id: The conversation; LangSmith shows traces that share it as one thread.
            project: The project; default the client's.
            run_type: What LangSmith shows the root as.
            tags: Its tags.
            metadata: More about it.
            start: When it began; default now. LangSmith refuses what began more than 24 hours ago.

        Returns:
            The trace's id, a UUIDv7, by which the other methods know it.

        Raises:
            ServiceError: LangSmith did not take it; the message says what to do.

        Example:
            >>> def on_call_started(client: LangSmithClient, call: str) -> str:
            ...     return client.create_trace("call", {"number": "+49 30 1234"}, call_id=call, tags=["inbound"])
        """
        place = Place.root(
            self._moment(start), project=project or self.project, call_id=call_id, metadata=dict(metadata or {})
        )
        return self._writer.post(place, Draft(name=name, run_type=run_type, inputs=inputs, tags=tags))

    def add_trace_step(
        self,
        trace_id: str,
        name: str,
        *,
        run_type: RunType = "chain",
        inputs: Any = None,
        outputs: Any = None,
        parent_id: str | None = None,
        error: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        usage: Usage | None = None,
        cost: Decimal | None = None,
        project: str | None = None,
        call_id: str | None = None,
    ) -> str:
        """Add a step that is over to a trace.

        The trace may be one that this client began, one of another process, or one that reamon exported. Where the
        parent is a step that this client does not know, it is looked up in LangSmith.

        Args:
            trace_id: The trace.
            name: What the step is called.
            run_type: What LangSmith shows it as.
            inputs: What it was given; anything but a mapping goes under `input`.
            outputs: What it gave back; anything but a mapping goes under `output`.
            parent_id: The step around it; default the root.
            error: What went wrong.
            start: When it began; default at its end. Nothing begins before its parent: an earlier start is moved.
            end: When it ended; default now.
            tags: Its tags.
            metadata: More about it.
            usage: What it consumed.
            cost: USD that it cost.
            project: The trace's project; default the one this client began it in, else the client's.
            call_id: The trace's conversation; default as with `project`.

        Returns:
            The step's id, which may be the `parent_id` of others.

        Raises:
            ServiceError: LangSmith did not take it, or does not have the parent; the message says what to do.

        Example:
            >>> def on_transcript(client: LangSmithClient, trace: str, text: str) -> None:
            ...     client.add_trace_step(trace, "whisper", run_type="tool", outputs={"text": text})
        """
        end_ns = self._moment(end)
        parent = self._writer.place(trace_id, parent_id or trace_id, project, call_id)
        place = parent.below(end_ns if start is None else from_datetime(start))
        draft = Draft(
            name=name,
            run_type=run_type,
            inputs=inputs,
            outputs=outputs,
            error=error,
            end_ns=end_ns,
            tags=tags,
            metadata=metadata or {},
            usage=usage,
            cost=cost,
        )
        return self._writer.post(place, draft)

    def update_trace(
        self,
        trace_id: str,
        *,
        outputs: Any = None,
        error: str | None = None,
        end: datetime | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        project: str | None = None,
        call_id: str | None = None,
    ) -> None:
        """Say how a trace ended, or more about it. LangSmith takes one update of a run, so say everything at once.

        Args:
            trace_id: The trace.
            outputs: What it gave back; anything but a mapping goes under `output`.
            error: What went wrong.
            end: When it ended; default now, unless only tags or metadata are given.
            tags: Its tags, which replace those it has.
            metadata: More about it.
            project: The trace's project; default the one this client began it in, else the client's.
            call_id: The trace's conversation; default as with `project`.

        Raises:
            ServiceError: LangSmith did not take it; the message says what to do. With status 409 somebody has updated
                the trace before.

        Example:
            >>> def on_hang_up(client: LangSmithClient, trace: str) -> None:
            ...     client.update_trace(trace, outputs={"appointment": True}, tags=["booked"])
        """
        place = self._writer.place(trace_id, trace_id, project, call_id)
        only_described = outputs is None and error is None and not (tags is None and metadata is None)
        draft = Draft(
            outputs=outputs,
            error=error,
            end_ns=None if end is None and only_described else self._moment(end),
            tags=tags or (),
            metadata=metadata or {},
        )
        self._writer.patch(place, draft)

    def get_trace(self, trace_id: str, *, project: str | None = None, wait: float = 0.0) -> RemoteTrace:
        """Read a trace.

        Args:
            trace_id: The trace.
            project: The project that it is in; default the one this client began it in, else the client's.
            wait: Seconds to wait for the trace's root to turn up. LangSmith takes runs into a queue, and in no order,
                so other runs of the trace may follow later.

        Raises:
            ServiceError: LangSmith does not have it, or not yet, or did not answer.

        Example:
            >>> def slowest(client: LangSmithClient, trace: str) -> str:
            ...     runs = [run for run in client.get_trace(trace, wait=10).runs if run.end]
            ...     return max(runs, key=lambda run: run.end - run.start).name
        """
        trace_id = canonical(trace_id)
        where = project or self._writer.project_of(trace_id)
        deadline, pause = time.monotonic() + wait, _FIRST_PAUSE
        while (root := tree(self._reader.trace(trace_id, where), trace_id)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise ServiceError(
                    f"LangSmith has no trace {trace_id} in project {where!r}, or has it still in its queue: look again "
                    "in some seconds (`wait=`), or name its project (`project=`)",
                    404,
                )
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        return RemoteTrace(root=root, project=where)

    def query_traces(
        self,
        *,
        project: str | None = None,
        call_id: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        status: Literal["success", "error", "pending"] | None = None,
        name: str | None = None,
        tags: Sequence[str] = (),
        filter: str | None = None,
        limit: int = 100,
    ) -> list[RemoteTrace]:
        """Find traces, newest first. They come with their root only; `get_trace` brings the rest of one.

        Args:
            project: The project; default the client's.
            call_id: Only those of this conversation.
            since: Only those that began then or later; default as far back as LangSmith keeps them.
            until: Only those that began before.
            status: Only those that ended like this, or, with "pending", that still run.
            name: Only those of this name.
            tags: Only those that have all these tags.
            filter: An expression in LangSmith's filter language, to be met as well, such as `gt(latency, 5)`.
            limit: How many, at most.

        Raises:
            ServiceError: LangSmith refused, did not answer, or has no such project.

        Example:
            >>> def failed_today(client: LangSmithClient, midnight: datetime) -> list[str]:
            ...     return [trace.trace_id for trace in client.query_traces(status="error", since=midnight)]
        """
        where = project or self.project
        wanted = every(
            _equals("thread_id", call_id),
            _equals("status", status),
            _equals("name", name),
            *(f"has(tags, {json.dumps(tag)})" for tag in tags),
            filter,
        )
        roots = [
            record.to_run()
            for record in self._reader.roots(
                where, since=_in_utc(since), until=_in_utc(until), filter=wanted, limit=limit
            )
        ]
        newest_first = sorted(roots, key=lambda root: root.start or _NEVER, reverse=True)
        return [RemoteTrace(root=root, project=where) for root in newest_first]

    def share_trace(self, trace_id: str, *, project: str | None = None) -> str:
        """Make a trace public. Whoever has the address that is returned sees all of it, without signing in.

        Args:
            trace_id: The trace.
            project: The project that it is in; default as with `get_trace`.

        Returns:
            The address of its public page.

        Raises:
            ServiceError: LangSmith does not have it, or not yet, or did not answer.

        Example:
            >>> def link_for_the_ticket(client: LangSmithClient, trace: str) -> str:
            ...     return f"What happened: {client.share_trace(trace)}"
        """
        from langsmith.utils import get_host_url  # noqa: PLC0415 - the SDK takes half a second to import

        trace_id = canonical(trace_id)
        token = self._reader.share(trace_id, project or self._writer.project_of(trace_id))
        return f"{get_host_url(None, self._service.settings.endpoint)}/public/{token}/r"

    def check_connection(self) -> ConnectionCheck:
        """Tell whether LangSmith can be reached with this endpoint, key and workspace, and what to do if not.

        Never raises. The key is really tried, by a request that needs one.

        Example:
            >>> def ready(client: LangSmithClient) -> bool:
            ...     found = client.check_connection()
            ...     print(found.message)
            ...     return found.ok
        """
        return check(self._service, self._now)

    def _moment(self, moment: datetime | None) -> int:
        return self._now() if moment is None else from_datetime(moment)


def _equals(field: str, value: str | None) -> str | None:
    return None if value is None else f"eq({field}, {json.dumps(value)})"


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.astimezone(UTC)
