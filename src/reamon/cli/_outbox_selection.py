"""The selection: which outbox a command looks at, and which of its items somebody means."""

import argparse
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reamon.errors import ReamonError
from reamon.pipeline.backlog import Backlog
from reamon.pipeline.backlog_entries import Item, Wanted

_AGE = re.compile(r"(?P<number>[0-9]{1,6})(?P<unit>[smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add_outbox_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options that say where the outbox is."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--home", metavar="PATH", type=Path, help="the directory of the outbox (default: $REAMON_HOME, else .reamon)"
    )
    where.add_argument("--outbox", metavar="PATH", type=Path, help="the outbox's file (default: outbox.sqlite there)")


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Give a command the arguments that say which items are meant."""
    parser.add_argument(
        "ids", nargs="*", metavar="ID", help="dead letters (L12) and batches (B7), as `list` names them"
    )
    parser.add_argument("--destination", metavar="NAME", help="all of this destination")
    parser.add_argument("--kind", metavar="KIND", help="all of this kind: rejected, too_old, abandoned, unreadable, …")
    parser.add_argument(
        "--older-than", metavar="AGE", type=time_ago, dest="before", help="all that are older: 90s, 30m, 12h, 7d"
    )
    parser.add_argument("--all", action="store_true", help="all")


def backlog_of(arguments: argparse.Namespace) -> Backlog:
    """The backlog in the outbox that a command was given, else in that of an application started here.

    Raises:
        ConfigurationError: The settings that say where it is cannot be used.
    """
    if arguments.outbox is not None:
        return Backlog(arguments.outbox)
    return Backlog((arguments.home or _home()) / "outbox.sqlite")


def selected(backlog: Backlog, arguments: argparse.Namespace, *, waiting: bool) -> list[Item]:
    """The items that somebody means.

    Args:
        backlog: Where they are.
        arguments: With those of `add_selection`. It says nothing, or two things at once: the command is refused.
        waiting: Whether "all" is about batches that wait as well, not about dead letters alone.

    Raises:
        ReamonError: An id is of none.
    """
    filters = (arguments.destination, arguments.kind, arguments.before, arguments.all or None)
    has_filters = any(value is not None for value in filters)
    if not arguments.ids and not has_filters:
        arguments.refuse("say which: IDs, --destination, --kind, --older-than or --all")
    if arguments.ids and has_filters:
        arguments.refuse("give IDs, or options that choose, not both")
    wanted = Wanted(
        ids=tuple(arguments.ids),
        destination=arguments.destination,
        kind=arguments.kind,
        before=arguments.before,
        waiting=waiting,
    )
    return backlog.items(wanted)


def refuse_ids(ids: list[str], because: str) -> None:
    """Stop if there are any, and say why.

    Raises:
        ReamonError: There are.
    """
    if ids:
        more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
        raise ReamonError(f"{', '.join(ids[:5])}{more}: {because}")


def time_ago(text: str) -> datetime:
    """The time that was that long ago: "90s", "30m", "12h", "7d"."""
    match = _AGE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no age such as 90s, 30m, 12h or 7d")
    return datetime.now(UTC) - timedelta(**{_UNITS[match["unit"]]: int(match["number"])})


def _home() -> Path:
    if Path(".env").exists():
        from reamon.settings import MonitoringSettings  # noqa: PLC0415 - slow to import, and few have such a file

        return MonitoringSettings().home
    return Path(os.environ.get("REAMON_HOME") or ".reamon")
