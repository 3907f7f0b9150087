"""langsmith's `@traceable`, delivering to a server on this machine."""

import os
from pathlib import Path
from typing import cast

import langsmith

from benchmarks.tracers import Function

_failures: list[Exception] = []
_client: langsmith.Client | None = None


def start(home: Path) -> None:
    """Turn tracing on for the whole process."""
    global _client  # noqa: PLW0603 - one process, one client
    _client = langsmith.Client(
        api_url=os.environ["BENCHMARK_URL"],
        api_key=os.environ["BENCHMARK_KEY"],
        tracing_error_callback=_failures.append,
    )
    langsmith.configure(client=_client, enabled=True, project_name="benchmark")


def traced(kind: str, function: Function) -> Function:
    """`function` as a run."""
    return cast("Function", langsmith.traceable(name=function.__name__)(function))


def finish() -> int | None:
    """Flush the client's queue; the server knows how many runs have come."""
    if _client is not None:
        _client.flush()
    if _failures:
        raise SystemExit(f"langsmith could not deliver: {_failures[0]}")
    return None
