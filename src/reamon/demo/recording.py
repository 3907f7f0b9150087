"""The recording: the demo's database, fresh for each run, and reamon configured to write to it."""

import os
from pathlib import Path

import reamon
from reamon.collectors import CostCollector
from reamon.errors import ConfigurationError
from reamon.exporters import SQLiteExporter
from reamon.processes import ProcessDirectory

PROJECT = "outbound-campaign"
PRICES = "reautomation2"
"""What the campaign's providers charge: a profile that comes with reamon. Nothing is charged that it does not name."""

_COMPANIONS = ("-wal", "-shm")
"""What SQLite keeps beside a database."""


def database_in(home: Path) -> Path:
    """Where the demo records, in a folder of its own below reamon's home."""
    return home / "demo" / "campaign.db"


def default_home() -> Path:
    """The directory in which reamon keeps its files, as the environment says it."""
    return Path(os.environ.get("REAMON_HOME") or ".reamon")


def make_room(database: Path) -> bool:
    """Remove the recording of the campaign before. Returns whether there was one.

    Raises:
        ConfigurationError: Another campaign is writing to it.
    """
    writers = ProcessDirectory(database.with_name(f"{database.name}-processes"))
    if any(writers.is_alive(process_id) for process_id in writers.others()):
        raise ConfigurationError(
            f"another campaign is being recorded in {database}: wait for its end, or give this one a --home of its own"
        )
    existed = database.exists()
    for path in (database, *(database.with_name(database.name + suffix) for suffix in _COMPANIONS)):
        path.unlink(missing_ok=True)
    database.parent.mkdir(parents=True, exist_ok=True)
    return existed


def record_in(database: Path) -> None:
    """Configure reamon: spans go to `database`, costs come from a profile. This is all the set-up there is."""
    reamon.configure(
        exporters=[SQLiteExporter(database)],
        collectors=[CostCollector(profile=PRICES, model_prices=False)],
        project=PROJECT,
        home=database.parent,
        enabled=True,
    )
