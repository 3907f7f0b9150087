"""`reamon migrate`: bring the store's tables up to this version."""

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path

from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._store import add_store_option, store_of
from reamon.errors import StoreError
from reamon.store.inspection import read_only
from reamon.store.sqlite import SCHEMA_VERSION, connect, schema_version
from reamon.terminal.document import Note, Style, Text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon migrate`."""
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Migrate the store, or make it where there is none."""
    path = store_of(arguments)
    before = migrate(path)
    if arguments.json:
        write_json({"path": str(path), "before": before, "after": SCHEMA_VERSION})
    else:
        show([Note(Text.of("✓ ", Style.GOOD) + Text.of(_told(path, before)))])
    return 0


def migrate(path: Path) -> str | None:
    """Bring the store at `path` up to date; an application does the same when it starts.

    Returns:
        The version that it had before; None if it did not exist.

    Raises:
        StoreError: It cannot be opened or written, or a newer reamon wrote it.
    """
    try:
        before = None
        if path.is_file():
            with closing(read_only(path)) as reader:
                before = schema_version(reader)
        connect(path).close()
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} cannot be migrated: {error}") from error
    return before


def _told(path: Path, before: str | None) -> str:
    if before is None:
        return f"made the store at {path} (schema {SCHEMA_VERSION})"
    if before == SCHEMA_VERSION:
        return f"the store at {path} is up to date (schema {SCHEMA_VERSION})"
    return f"brought the store at {path} from schema {before} to {SCHEMA_VERSION}"
