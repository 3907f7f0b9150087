"""reamon, every span durable in a JSONL file."""

from pathlib import Path

import reamon
from benchmarks.tracers._reamon import finish, traced
from reamon.exporters import JSONLExporter

__all__ = ["finish", "start", "traced"]


def start(home: Path) -> None:
    """Configure reamon with this one exporter."""
    reamon.configure(exporters=[JSONLExporter(home / "spans.jsonl")])
