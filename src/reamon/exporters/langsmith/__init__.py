"""LangSmith: an exporter and a client. Each is imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reamon.exporters.langsmith.client import LangSmithClient
    from reamon.exporters.langsmith.exporter import LangSmithExporter

_HOMES = {
    "LangSmithClient": "reamon.exporters.langsmith.client",
    "LangSmithExporter": "reamon.exporters.langsmith.exporter",
}

__all__ = ["LangSmithClient", "LangSmithExporter"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
