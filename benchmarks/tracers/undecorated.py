"""No tracer at all: what the application costs by itself."""

from pathlib import Path

from benchmarks.tracers import Function


def start(home: Path) -> None:
    """Nothing to set up."""


def traced(kind: str, function: Function) -> Function:
    """`function` as it is."""
    return function


def finish() -> int | None:
    """Nothing was recorded."""
    return 0
