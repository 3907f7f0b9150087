"""logfire, sending nothing anywhere: its spans end in the batch processor that OpenTelemetry gets too."""

from pathlib import Path
from typing import cast

import logfire

from benchmarks.tracers import Function
from benchmarks.tracers._nowhere import batch_processor, exporter


def start(home: Path) -> None:
    """Configure logfire without console, metrics or its own back end."""
    logfire.configure(
        send_to_logfire=False, console=False, metrics=False, additional_span_processors=[batch_processor()]
    )


def traced(kind: str, function: Function) -> Function:
    """`function`, instrumented with arguments and result."""
    name = function.__name__
    return cast("Function", logfire.instrument(name, extract_args=True, record_return=True)(function))


def finish() -> int | None:
    """Flush and stop logfire."""
    logfire.shutdown()
    return exporter.count
