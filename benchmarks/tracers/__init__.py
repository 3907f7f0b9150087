"""The tracers that are compared, one module each, all with the three functions of `Tracer`.

Every tracer captures the arguments and the result of each call as JSON and ships them to an exporter that does
nothing, so that nobody is charged for a back end; reamon alone writes to disk.
"""

import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

Function = TypeVar("Function", bound=Callable[..., Any])

REQUIRES = {
    "undecorated": None,
    "bare": None,
    "reamon_sqlite": None,
    "reamon_jsonl": None,
    "opentelemetry": "opentelemetry.sdk",
    "langsmith": "langsmith",
    "logfire": "logfire",
    "langfuse": "langfuse",
}
"""Every tracer, and the module without which it is left out."""


class Tracer(Protocol):
    """What a module of this package offers."""

    def start(self, home: Path) -> None:
        """Set the tracer up; what it writes goes below `home`."""

    def traced(self, kind: str, function: Function) -> Function:
        """`function`, recorded as a span of that kind at each call; coroutine functions too."""

    def finish(self) -> int | None:
        """Deliver everything. Returns how many spans were delivered, or None where the tracer cannot tell."""


def load(name: str) -> Tracer:
    """The tracer of that name."""
    return cast("Tracer", importlib.import_module(f"{__name__}.{name}"))


def installed() -> list[str]:
    """The names of the tracers that can run here."""
    return [name for name, module in REQUIRES.items() if module is None or _importable(module)]


def _importable(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # the parent package is missing
        return False
