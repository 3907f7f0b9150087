"""OpenTelemetry's SDK with its batch processor and no back end.

It has no notion of a snapshot, so input and output become two string attributes, encoded by msgspec: the cheapest
way that is fair, since attributes hold no objects.
"""

import functools
import inspect
from pathlib import Path
from typing import Any, cast

import msgspec
from opentelemetry.sdk.trace import TracerProvider

from benchmarks.tracers import Function
from benchmarks.tracers._nowhere import batch_processor, exporter

_encode = msgspec.json.Encoder().encode
_provider = TracerProvider()
_tracer = _provider.get_tracer("benchmarks")


def start(home: Path) -> None:
    """Put the batch processor in place."""
    _provider.add_span_processor(batch_processor())


def traced(kind: str, function: Function) -> Function:
    """`function` inside a current span."""
    name = function.__name__
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*args: Any) -> Any:
            with _tracer.start_as_current_span(name) as span:
                span.set_attribute("input", _encode(args).decode())
                result = await function(*args)
                span.set_attribute("output", _encode(result).decode())
                return result

    else:

        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            with _tracer.start_as_current_span(name) as span:
                span.set_attribute("input", _encode(args).decode())
                result = function(*args)
                span.set_attribute("output", _encode(result).decode())
                return result

    return cast("Function", wrapper)


def finish() -> int | None:
    """Flush the batch processor."""
    _provider.shutdown()
    return exporter.count
