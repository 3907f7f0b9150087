"""The LangSmith exporter: each finished span as a run, there once, whatever happens on the way."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Literal
from urllib.parse import urlsplit

from pydantic import SecretStr

from reamon.errors import ConfigurationError, Rejected
from reamon.exporters.langsmith import _sdk
from reamon.exporters.langsmith.connection import connection_of
from reamon.exporters.langsmith.ingestion import Ingestion, Upload
from reamon.exporters.langsmith.runs import RunOptions, to_run
from reamon.model import Span
from reamon.model.times import NANOS_PER_SECOND
from reamon.settings import LangSmithSettings

_HOSTED: Final = "langchain.com"
_BEGUN_KEPT: Final = 10_000
_MARGIN: Final = 30.0  # seconds that a run may still be on its way


class LangSmithExporter:
    """Sends finished spans to LangSmith, where each becomes one complete run.

    A span counts as delivered once LangSmith has said so. Until then it waits in the outbox, through outages, rate
    limits and restarts. Sending it twice does no harm, since LangSmith takes a run once. What LangSmith will never take
    is kept as a dead letter: a run that it finds wrong, and one that began more than a day ago, which it refuses.

    Whatever is not given comes from the settings: `REAMON_LANGSMITH__X`, then the SDK's own variables `LANGSMITH_X` and
    `LANGCHAIN_X`.

    Args:
        api_key: The API key.
        endpoint: The address of the API.
        project: The project of runs whose trace names none.
        workspace_id: The workspace, for keys that are valid in several.
        hide_inputs: Send no inputs.
        hide_outputs: Send no outputs.
        hide_metadata: Send no metadata.
        live: Let workflows appear when they start, not when they end. Costs one request more for each.
        connect_timeout: Seconds to wait for a connection.
        read_timeout: Seconds to wait for an answer.
        batch_size: Runs in one request, at most.
        batch_bytes: Bytes in one request before compression, at most.
        flush_interval: Seconds that finished spans may wait to be sent together.
        compression: "auto" compresses requests where the server can read that; "none" never does.
        max_age: Seconds from now beyond which LangSmith refuses a run's start, before and after; `math.inf` for none.
        name: Unique among the configured exporters.
        now: Gives nanoseconds since 1970; for tests.

    Raises:
        ConfigurationError: A value cannot be used, or the hosted LangSmith is to be used without a key.

    Example:
        >>> LangSmithExporter("lsv2_pt_example", "https://langsmith.example", "calls")
        LangSmithExporter(endpoint='https://langsmith.example', project='calls', name='langsmith')
    """

    def __init__(
        self,
        api_key: str | SecretStr | None = None,
        endpoint: str | None = None,
        project: str | None = None,
        *,
        workspace_id: str | None = None,
        hide_inputs: bool | None = None,
        hide_outputs: bool | None = None,
        hide_metadata: bool | None = None,
        live: bool | None = None,
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        batch_size: int | None = None,
        batch_bytes: int | None = None,
        flush_interval: float | None = None,
        compression: Literal["auto", "none"] | None = None,
        max_age: float | None = None,
        name: str = "langsmith",
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        settings = LangSmithSettings.from_environment(
            api_key=api_key,
            endpoint=endpoint,
            project=project,
            workspace_id=workspace_id,
            hide_inputs=hide_inputs,
            hide_outputs=hide_outputs,
            hide_metadata=hide_metadata,
            live=live,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            batch_size=batch_size,
            batch_bytes=batch_bytes,
            flush_interval=flush_interval,
            compression=compression,
            max_age=max_age,
        )
        _check_key(settings)
        self.name = name
        self.batch_size = settings.batch_size
        self.batch_bytes = settings.batch_bytes
        self.flush_interval = settings.flush_interval
        if settings.live:
            self.started = self._started  # a lane gathers starts for whoever has the attribute
        self._settings = settings
        self._connection = partial(connection_of, settings)
        self._options = RunOptions(
            project=settings.project,
            hide_inputs=settings.hide_inputs,
            hide_outputs=settings.hide_outputs,
            hide_metadata=settings.hide_metadata,
        )
        self._beginnings = self._ingestion()
        self._ends = self._ingestion()
        self._begun: dict[str, None] = {}
        self._max_age_ns = max(settings.max_age - _MARGIN, settings.max_age / 2) * NANOS_PER_SECOND
        self._now = now

    @property
    def destination(self) -> str:
        """Where runs go. The key is no part of it, so what waits on disk is delivered after a change of keys, too."""
        settings = self._settings
        workspace = f" workspace {settings.workspace_id}" if settings.workspace_id else ""
        return f"langsmith {settings.endpoint}{workspace} project {settings.project}"

    def open(self) -> None:
        """Begin to import the SDK, in the background. LangSmith is not asked anything yet.

        Raises:
            ConfigurationError: The environment is such that the SDK refuses to work.
        """
        _sdk.check_environment()
        _sdk.prepare()

    def export(self, batch: Sequence[Span]) -> None:
        """Send `batch`. Returns once LangSmith has taken all of it.

        Raises:
            Rejected: Some spans are too old, and the others are there; or LangSmith refuses some, or all.
            Paused: LangSmith takes nothing until somebody changes a setting.
            RetryAfter: LangSmith asks to wait.
            ExportError: LangSmith did not take all of it.
        """
        now = self._now()
        too_old = [span.span_id for span in batch if abs(now - span.start_ns) > self._max_age_ns]
        in_time = [span for span in batch if span.span_id not in too_old] if too_old else batch
        self._ends.send([self._end(span) for span in in_time])
        if self._begun:
            for span in in_time:
                self._begun.pop(span.span_id, None)
        if too_old:
            raise Rejected(
                f"it began more than {self._settings.max_age:g} s from now, and LangSmith refuses such runs",
                too_old,
                counted_as="too_old",
            )

    def __repr__(self) -> str:
        endpoint, project = self._settings.endpoint, self._settings.project
        return f"LangSmithExporter(endpoint={endpoint!r}, project={project!r}, name={self.name!r})"

    def _started(self, batch: Sequence[Span]) -> None:
        """Send the beginnings of workflows.

        Raises:
            ExportError: LangSmith did not take all of them; their ends will do without.
        """
        self._beginnings.send([Upload(to_run(span, self._options)) for span in batch])
        self._begun.update(dict.fromkeys(span.span_id for span in batch))
        for span_id in list(self._begun)[:-_BEGUN_KEPT]:
            del self._begun[span_id]

    def _end(self, span: Span) -> Upload:
        """The end of a root may follow a beginning that another process has sent: one before a restart, say."""
        has_begun = True if span.span_id in self._begun else None if span.parent_id is None else False
        return Upload(to_run(span, self._options), has_begun)

    def _ingestion(self) -> Ingestion:
        settings = self._settings
        return Ingestion(self._connection, batch_bytes=settings.batch_bytes, compress=settings.compression == "auto")


def _check_key(settings: LangSmithSettings) -> None:
    host = urlsplit(settings.endpoint).hostname or ""
    if settings.api_key is None and (host == _HOSTED or host.endswith(f".{_HOSTED}")):
        raise ConfigurationError(
            f"LangSmith at {settings.endpoint} wants an API key: set LANGSMITH_API_KEY, or api_key="
        )
