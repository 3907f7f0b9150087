"""What an import brings along: `import reamon` must cost next to nothing, and the write path needs no ORM."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "aiosqlite",
    "alembic",
    "genai_prices",
    "langsmith",
    "psycopg",
    "pydantic",
    "pydantic_settings",
    "redis",
    "rich",
    "sqlalchemy",
    "sqlmodel",
    "structlog",
    "yaml",
}

LIGHT_IMPORTS = [
    "reamon",
    "reamon.cli",
    "reamon.collectors",
    "reamon.exporters",
    "reamon.model",
    "reamon.pipeline",
    "reamon.runtime",
    "reamon.store",
    "reamon.tracing",
]

RECORD_WITH = """
import reamon, reamon.exporters
reamon.configure(exporters=[reamon.exporters.{exporter}])
with reamon.trace_workflow("turn"):
    pass
assert reamon.shutdown()
"""


def modules_after(code: str) -> set[str]:
    """The names of all modules that a new process has imported once it ran `code`."""
    report = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    environment = {**os.environ, "PYDANTIC_DISABLE_PLUGINS": "__all__"}  # what others hang into pydantic is not ours
    run = subprocess.run(
        [sys.executable, "-c", code + report], env=environment, capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout))


@pytest.mark.parametrize("module", LIGHT_IMPORTS)
def test_importing_it_brings_no_heavy_module(module: str) -> None:
    assert modules_after(f"import {module}") & (HEAVY | {"asyncio"}) == set()


def test_decorating_and_calling_brings_no_heavy_module() -> None:
    code = "import reamon\n@reamon.trace_tool\ndef f(x): return x\nassert f(1) == 1"
    assert modules_after(code) & HEAVY == set()


@pytest.mark.parametrize("exporter", ["SQLiteExporter('spans.db')", "JSONLExporter('spans.jsonl')", "MemoryExporter()"])
def test_recording_imports_no_orm(exporter: str, tmp_path: Path) -> None:
    brought = modules_after(RECORD_WITH.format(exporter=exporter))
    assert brought & {"aiosqlite", "alembic", "langsmith", "rich", "sqlalchemy", "sqlmodel"} == set()
