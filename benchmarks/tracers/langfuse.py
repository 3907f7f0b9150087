"""langfuse with an exporter that does nothing in place of its own."""

from pathlib import Path

from langfuse import Langfuse, observe

from benchmarks.tracers import Function
from benchmarks.tracers._nowhere import exporter

KEY = "benchmark"


def start(home: Path) -> None:
    """Make the client that `observe` finds by its key."""
    Langfuse(public_key=KEY, secret_key=KEY, base_url="http://127.0.0.1:9", span_exporter=exporter)


def traced(kind: str, function: Function) -> Function:
    """`function`, observed."""
    return observe(name=function.__name__)(function)


def finish() -> int | None:
    """Flush and stop the client."""
    client = Langfuse(public_key=KEY, secret_key=KEY, base_url="http://127.0.0.1:9")
    client.flush()
    client.shutdown()
    return exporter.count
