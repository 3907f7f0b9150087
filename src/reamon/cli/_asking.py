"""Asking: no command deletes, or prices the past anew, before somebody has agreed."""

import argparse
import sys
from collections.abc import Callable
from typing import Final

_INSTEAD: Final = "give --yes to delete for good, or --dry-run to see what would go"


def add_yes_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `--yes`."""
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(refuse=parser.error)


def refuse_where_nobody_is(arguments: argparse.Namespace, instead: str = _INSTEAD) -> None:
    """Refuse a command that has to ask somebody, where that cannot be done."""
    refuse: Callable[[str], None] = arguments.refuse
    if not sys.stdin.isatty():
        refuse(f"nobody can be asked here: {instead}")


def is_agreed(question: str, arguments: argparse.Namespace, instead: str = _INSTEAD) -> bool:
    """Whether somebody agrees, on the terminal or by `--yes`.

    Args:
        question: What is asked.
        arguments: The command's. It is refused where nobody can be asked.
        instead: What to do there.
    """
    if arguments.yes:
        return True
    refuse_where_nobody_is(arguments, instead)
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
