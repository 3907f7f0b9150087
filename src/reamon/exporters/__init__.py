"""Exporters: where finished spans go. Each is imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reamon.exporters.console import ConsoleExporter
    from reamon.exporters.jsonl import JSONLExporter, read_jsonl
    from reamon.exporters.langsmith.client import LangSmithClient
    from reamon.exporters.langsmith.exporter import LangSmithExporter
    from reamon.exporters.memory import MemoryExporter
    from reamon.exporters.otlp.exporter import OTLPExporter
    from reamon.exporters.postgres import PostgresExporter
    from reamon.exporters.sqlite import SQLiteExporter

_HOMES = {
    "ConsoleExporter": "reamon.exporters.console",
    "JSONLExporter": "reamon.exporters.jsonl",
    "LangSmithClient": "reamon.exporters.langsmith.client",
    "LangSmithExporter": "reamon.exporters.langsmith.exporter",
    "MemoryExporter": "reamon.exporters.memory",
    "OTLPExporter": "reamon.exporters.otlp.exporter",
    "PostgresExporter": "reamon.exporters.postgres",
    "SQLiteExporter": "reamon.exporters.sqlite",
    "read_jsonl": "reamon.exporters.jsonl",
}

__all__ = [
    "ConsoleExporter",
    "JSONLExporter",
    "LangSmithClient",
    "LangSmithExporter",
    "MemoryExporter",
    "OTLPExporter",
    "PostgresExporter",
    "SQLiteExporter",
    "read_jsonl",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
