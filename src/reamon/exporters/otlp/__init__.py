"""OTLP: an exporter to OpenTelemetry collectors and backends. Imported when it is first asked for."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reamon.exporters.otlp.exporter import OTLPExporter

_HOMES = {"OTLPExporter": "reamon.exporters.otlp.exporter"}

__all__ = ["OTLPExporter"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
