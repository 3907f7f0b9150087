"""Checks: what `reamon doctor` looks at, one function each."""

import importlib.metadata
import platform
import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from enum import StrEnum, auto
from pathlib import Path

import msgspec

from reamon.errors import StoreError
from reamon.plugins import GROUPS, names
from reamon.processes import ProcessDirectory
from reamon.settings import MonitoringSettings, unknown_variables
from reamon.store.inspection import Inspection, inspect
from reamon.store.versions import SCHEMA_VERSION, is_newer, remedy_for
from reamon.terminal.figures import count, volume

EXTRAS = {
    "aiohttp": "instrumentation of aiohttp's client",
    "anthropic": "instrumentation of Anthropic's client",
    "celery": "instrumentation of Celery",
    "cli": "colour in the terminal",
    "costs": "known prices of models, and rates in YAML",
    "demo": "`reamon demo`",
    "httpx": "instrumentation of httpx",
    "langgraph": "instrumentation of LangGraph",
    "ollama": "instrumentation of Ollama's client",
    "openai": "instrumentation of OpenAI's client",
    "otlp": "OTLPExporter, and instrumentation of OpenTelemetry",
    "pandas": "`to_pandas()`, frames of what is in the store",
    "parquet": "exports to Parquet",
    "polars": "`to_polars()`, frames of what is in the store",
    "postgres": "PostgresExporter, and reading its store",
    "redis": "budgets that several machines share",
}
"""What the optional packages are for, by the extra that brings them."""

LOW_DISK = 500_000_000
"""Free bytes below which a store is about to be in trouble."""

_REQUIREMENT = re.compile(r"""^(?P<package>[\w.-]+).*\bextra\s*==\s*['"](?P<extra>[\w-]+)['"]""")


class Verdict(StrEnum):
    """What a finding means."""

    GOOD = auto()
    NOTE = auto()
    BAD = auto()
    OPTIONAL = auto()


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Attributes:
        topic: What was looked at.
        verdict: What it means.
        text: What was found, and where it is bad, what to do.
    """

    topic: str
    verdict: Verdict
    text: str


def good(topic: str, text: str) -> Finding:
    """Something is as it should be."""
    return Finding(topic=topic, verdict=Verdict.GOOD, text=text)


def note(topic: str, text: str) -> Finding:
    """Something is worth knowing."""
    return Finding(topic=topic, verdict=Verdict.NOTE, text=text)


def bad(topic: str, text: str) -> Finding:
    """Something is wrong."""
    return Finding(topic=topic, verdict=Verdict.BAD, text=text)


def optional(topic: str, text: str) -> Finding:
    """Something is not there, and only who wants it has to mind."""
    return Finding(topic=topic, verdict=Verdict.OPTIONAL, text=text)


def installation() -> Iterator[Finding]:
    """Which versions this is."""
    own = importlib.metadata.version("reamon")
    yield good("version", f"reamon {own}, Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}")


def extras(requirements: Iterable[str] | None = None) -> Iterator[Finding]:
    """Which optional packages are missing, and what they would bring.

    Args:
        requirements: reamon's requirements as its metadata state them; those that are installed unless given.
    """
    stated = importlib.metadata.requires("reamon") or () if requirements is None else requirements
    missing: dict[str, list[str]] = {}
    for requirement in stated:
        match = _REQUIREMENT.match(requirement)
        if match and match["extra"] in EXTRAS and not _is_installed(match["package"]):
            missing.setdefault(match["extra"], []).append(match["package"])
    for extra, packages in missing.items():
        yield optional(
            f"extra {extra}",
            f"not installed ({', '.join(packages)}); pip install 'reamon[{extra}]' brings {EXTRAS[extra]}",
        )


def variables() -> Iterator[Finding]:
    """Which variables of the environment look like settings and are none."""
    for variable, close in unknown_variables().items():
        yield note("environment", f"{variable} is no setting{f': did you mean {close}?' if close else ''}")


def configuration(settings: MonitoringSettings) -> Iterator[Finding]:
    """What an application that starts here with these settings would do."""
    if not settings.enabled:
        yield note("settings", "recording is off (REAMON_ENABLED)")
        return
    yield good("settings", f"{_listed('exporters', settings)}; {_listed('collectors', settings)}")
    for group in GROUPS:
        for name in getattr(settings, group):
            if name not in names(group):
                installed = ", ".join(names(group)) or "none"
                yield bad("settings", f"{group} = {name}: there is no such {group[:-1]}; installed are: {installed}")


def _listed(group: str, settings: MonitoringSettings) -> str:
    return f"{group}: {', '.join(getattr(settings, group)) or 'none'}"


def store(path: Path) -> Iterator[Finding]:
    """Whether the store is there, sound, of this version, and what is in it."""
    try:
        found = inspect(path)
    except StoreError as error:
        yield bad("store", str(error))
        return
    yield good("store", f"{path.absolute()}, {volume(found.octets)}")
    yield _soundness(found)
    yield _schema(found)
    if found.schema:
        yield good("content", ", ".join(f"{rows:,} {table}" for table, rows in found.rows.items()))
        yield from _unfinished(found)
    yield _disk(path)


def _soundness(found: Inspection) -> Finding:
    if not found.damage:
        return good("integrity", "sound (SQLite's quick check)")
    return bad("integrity", f"damaged: {'; '.join(found.damage[:3])}: restore a copy, or `.recover` it with sqlite3")


def _schema(found: Inspection) -> Finding:
    if found.schema == SCHEMA_VERSION:
        return good("schema", f"{found.schema}, current")
    if found.schema is None:
        return bad("schema", f"{found.path} is an SQLite file, but none of reamon's: give another path")
    age = "newer" if is_newer(found.schema) else "older"
    return bad("schema", f"{found.schema}, {age} than this reamon reads ({SCHEMA_VERSION}): {remedy_for(found.schema)}")


def _unfinished(found: Inspection) -> Iterator[Finding]:
    """What runs and in whose hands, and what never ended."""
    processes = ProcessDirectory(found.path.with_name(f"{found.path.name}-processes"))
    alive = [process for process in processes.others() if processes.is_alive(process)]
    if alive:
        yield good("processes", f"{count(len(alive), 'process', 'processes')} recording now")
    dead = {process: number for process, number in found.running.items() if process not in alive}
    running = found.statuses.get("running", 0) - sum(dead.values())
    if running:
        yield good("running", count(running, "workflow"))
    if dead:
        yield note(
            "abandoned",
            f"{count(sum(dead.values()), 'workflow')} of {count(len(dead), 'dead process', 'dead processes')}: "
            "marked interrupted when an application next starts with this store",
        )
    if interrupted := found.statuses.get("interrupted"):
        yield note("interrupted", f"{count(interrupted, 'workflow')} died with the process that ran them")


def _disk(path: Path) -> Finding:
    free = shutil.disk_usage(path.parent).free
    if free < LOW_DISK:
        return bad("disk", f"only {volume(free)} free beside the store: make room before spans have to wait")
    return good("disk", f"{volume(free)} free")


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
