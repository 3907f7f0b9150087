"""Checks of retention: whether what is kept is older than it has to be."""

from collections.abc import Iterator
from pathlib import Path

from reamon.cli._checks import Finding, bad, good, note
from reamon.errors import ConfigurationError, StoreError
from reamon.settings import MonitoringSettings
from reamon.store.limits import Limits
from reamon.store.retention import COUNTED_UP_TO, overdue


def retention(settings: MonitoringSettings, target: Path | str) -> Iterator[Finding]:
    """How much is older than the limits, and who sees to it."""
    asked = settings.retention
    try:
        found = overdue(target, Limits.from_settings(asked))
    except ConfigurationError as error:
        yield bad("retention", str(error))
        return
    except StoreError:
        return  # the check of the store says why
    if not found:
        yield good("retention", "nothing is older than it has to be kept")
        return
    rows = ", ".join(f"{_number(number)} {table}" for table, number in found.items())
    advice = "`reamon prune` deletes it, or REAMON_RETENTION__EVERY lets applications do so"
    if asked.every is not None:
        advice = f"applications prune every {asked.every}"
    yield note("retention", f"older than it has to be kept: {rows}; {advice}")


def _number(rows: int) -> str:
    return f"{rows:,} or more" if rows >= COUNTED_UP_TO else f"{rows:,}"
