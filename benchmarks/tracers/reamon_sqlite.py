"""reamon, every span durable in a SQLite database."""

from pathlib import Path

import reamon
from benchmarks.tracers._reamon import finish, traced
from reamon.exporters import SQLiteExporter

__all__ = ["finish", "start", "traced"]


def start(home: Path) -> None:
    """Configure reamon with this one exporter."""
    reamon.configure(exporters=[SQLiteExporter(home / "spans.db")])
