"""The store that a command reads: where it is, and one read of it."""

import argparse
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from reamon.cli._projects import project_of
from reamon.errors import StoreError
from reamon.store.sqlite import default_path

if TYPE_CHECKING:
    from reamon.store import Store
    from reamon.store.projects import Project

T = TypeVar("T")

_POSTGRES = "postgres"
_MOST = 1 << 62  # so large a limit is none, and every database can count to one more


def add_store_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the options `--db` and `--url`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--db",
        metavar="PATH",
        type=Path,
        help="the store (default: that of the settings: $REAMON_SQLITE__PATH, else reamon.db in $REAMON_HOME)",
    )
    group.add_argument(
        "--url",
        metavar="URL",
        help="the store, in PostgreSQL: postgresql://host/database (default: that of the settings, where the exporters "
        "are `postgres` without `sqlite`)",
    )


def target_of(arguments: argparse.Namespace) -> Path | str:
    """The store that a command is to look at, a path or a URL: the one it was given, else that of the settings.

    Raises:
        ConfigurationError: The settings that say where it is cannot be used.
        StoreError: Two were given, one to a command and one to its action.
    """
    if arguments.db is not None and arguments.url is not None:
        raise StoreError("--db and --url name two stores: give one of them")
    if arguments.db is not None:
        return Path(arguments.db)
    if arguments.url is not None:
        return str(arguments.url)
    if not Path(".env").exists() and _POSTGRES not in os.environ.get("REAMON_EXPORTERS", ""):
        return store_of_environment()
    from reamon.settings import MonitoringSettings  # noqa: PLC0415 - slow to import, and few need it

    settings = MonitoringSettings()
    names = settings.exporters_in_use
    url = settings.postgres.store_url if _POSTGRES in names and "sqlite" not in names else None
    return Path(settings.options_of("sqlite")["path"]) if url is None else url


def store_of_environment() -> Path:
    """Where the environment alone says that the SQLite file is."""
    named = os.environ.get("REAMON_SQLITE__PATH")
    return Path(named) if named else default_path()


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options `--project` and `--all-projects`."""
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--project", metavar="NAME", help="look at this project (default: $REAMON_PROJECT, if set)")
    group.add_argument("--all-projects", action="store_true", help="look at all projects, whatever is configured")


def ask(arguments: argparse.Namespace, question: Callable[["Store"], Awaitable[T]]) -> T:
    """Open the store that a command is to look at, for the project that it is to look at, and ask it something.

    Raises:
        ConfigurationError: The settings that say where it is cannot be used.
        StoreError: There is no store, or not one that this version reads.
    """
    return read(target_of(arguments), question, project=project_of(arguments))


def read(target: Path | str, question: Callable[["Store"], Awaitable[T]], *, project: "Project" = None) -> T:
    """Open the store at `target` and ask it something.

    Args:
        target: Where it is: a path or a URL.
        question: What is asked.
        project: Whose rows are seen: a project's, or `ALL_PROJECTS`; those of the one that is configured unless given.

    Raises:
        StoreError: There is no store, or not one that this version reads.
    """
    import asyncio  # noqa: PLC0415 - a help text needs neither

    from reamon.store import Store  # noqa: PLC0415 - brings SQLAlchemy, which a help text does not need

    async def ask() -> T:
        async with Store.open(target, project=project) as store:
            return await question(store)

    return asyncio.run(ask())


def positive(text: str) -> int:
    """A whole number of at least 1, as an option's value."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return min(number, _MOST)
