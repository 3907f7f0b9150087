"""`reamon migrate`: bring the store's tables up to this version, or to another one."""

import argparse
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

from reamon.cli._migration_step import LOST, step
from reamon.cli._output import add_json_option, show_done, write_json
from reamon.cli._store import add_store_option, target_of
from reamon.errors import ConfigurationError, StoreError
from reamon.store.administration import is_postgres, path_of
from reamon.store.inspection import read_only
from reamon.store.sqlite import connect, schema_version
from reamon.store.versions import NO_TABLES, SCHEMA_VERSION

_REVISION: Final = re.compile(r"\d{4}|base|head")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon migrate`."""
    add_store_option(parser)
    parser.add_argument(
        "--schema", metavar="NAME", help="the schema on PostgreSQL (default: that of the URL, else `reamon`)"
    )
    parser.add_argument("--to", metavar="VERSION", default="head", help="0001, 0002, ..., or base: no tables at all")
    parser.add_argument("--downgrade", action="store_true", help="let --to go back, and lose what is newer")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Migrate the store, or make it where there is none."""
    wanted = _wanted(arguments)
    target = target_of(arguments)
    if is_postgres(target):
        from reamon.cli._postgres_migration import migrate_postgres  # noqa: PLC0415 - brings psycopg

        key = "store"
        place, before = migrate_postgres(str(target), arguments.schema, wanted, may_lose=arguments.downgrade)
    else:
        path = path_of(target)
        key, place = "path", str(path)
        before = migrate(path, wanted, may_lose=arguments.downgrade)
    if arguments.json:
        write_json({key: place, "before": before, "after": wanted})
    else:
        show_done(_told(place, before, wanted))
    return 0


def migrate(path: Path, wanted: str = SCHEMA_VERSION, *, may_lose: bool = False) -> str | None:
    """Bring the store at `path` to a version; an application brings it up to date when it starts.

    Args:
        path: A SQLite file, which is made where there is none.
        wanted: The version.
        may_lose: Whether it may be older than the store's.

    Returns:
        The version that it had before; None if it did not exist.

    Raises:
        StoreError: It cannot be opened or written, or a newer reamon wrote it; or the version is older than its own.
    """
    try:
        before = None
        if path.is_file():
            with closing(read_only(path)) as reader:
                before = schema_version(reader)
        if wanted == SCHEMA_VERSION:
            connect(path).close()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            step(path, None, before, wanted, may_lose=may_lose)
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be migrated: {error}") from error
    return before


def _wanted(arguments: argparse.Namespace) -> str:
    named: str = arguments.to
    version = {"base": NO_TABLES, "head": SCHEMA_VERSION}.get(named, named)
    if not _REVISION.fullmatch(named) or version > SCHEMA_VERSION:
        raise ConfigurationError(f"--to {named}: there is no such version; there are base and {', '.join(LOST)}")
    return version


def _told(place: str, before: str | None, after: str) -> str:
    if after == NO_TABLES:
        return f"took the tables out of the store at {place} (it had schema {before})"
    if before is None:
        return f"made the store at {place} (schema {after})"
    if before == after:
        return f"the store at {place} is {'up to date' if after == SCHEMA_VERSION else 'as wanted'} (schema {after})"
    return f"brought the store at {place} from schema {before} {'back ' if after < before else ''}to {after}"
