"""LangSmith: an exporter, and a client with what it reads. Each is imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reamon.exporters.langsmith.checking import ConnectionCheck
    from reamon.exporters.langsmith.client import LangSmithClient
    from reamon.exporters.langsmith.exporter import LangSmithExporter
    from reamon.exporters.langsmith.remote import RemoteRun, RemoteTrace

_HOMES = {
    "ConnectionCheck": "reamon.exporters.langsmith.checking",
    "LangSmithClient": "reamon.exporters.langsmith.client",
    "LangSmithExporter": "reamon.exporters.langsmith.exporter",
    "RemoteRun": "reamon.exporters.langsmith.remote",
    "RemoteTrace": "reamon.exporters.langsmith.remote",
}

__all__ = ["ConnectionCheck", "LangSmithClient", "LangSmithExporter", "RemoteRun", "RemoteTrace"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
