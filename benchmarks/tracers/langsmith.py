"""langsmith's `@traceable`, whose HTTP session takes every request and sends none."""

from pathlib import Path
from typing import Any, cast

import langsmith
import requests

from benchmarks.tracers import Function


class Accepting(requests.Session):
    """A session in which every request is accepted at once, and goes nowhere."""

    accepted = 0

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Count it and accept it."""
        self.accepted += 1
        response = requests.Response()
        response.status_code = 202
        response._content = b"{}"
        return response


_session = Accepting()
_client = langsmith.Client(
    api_url="http://127.0.0.1:9",
    api_key="benchmark",
    session=_session,
    info={"instance_flags": {"zstd_compression_enabled": True}},
)


def start(home: Path) -> None:
    """Turn tracing on for the whole process."""
    langsmith.configure(client=_client, enabled=True)


def traced(kind: str, function: Function) -> Function:
    """`function` as a run."""
    return cast("Function", langsmith.traceable(name=function.__name__)(function))


def finish() -> int | None:
    """Flush the client's queue; it cannot tell how many runs it sent, but that it sent some."""
    _client.flush()
    if not _session.accepted:
        raise SystemExit("langsmith sent nothing, so what was measured is not tracing")
    return None
