"""What the two reamon tracers share: all but the sink."""

from collections.abc import Callable
from typing import Any, cast

import reamon
from benchmarks.tracers import Function

_DECORATORS: dict[str, Callable[[Any], Any]] = {
    "workflow": reamon.trace_workflow,
    "agent": reamon.trace_agent,
    "llm": reamon.trace_llm,
}


def traced(kind: str, function: Function) -> Function:
    """`function`, decorated."""
    return cast("Function", _DECORATORS[kind](function))


def finish() -> int | None:
    """Flush and stop."""
    reamon.flush(timeout=60.0)
    delivered = sum(reamon.stats().exported.values())
    reamon.shutdown()
    return delivered
