"""Asking: no command deletes for good before somebody has agreed."""

import argparse
import sys
from collections.abc import Callable


def add_yes_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `--yes`."""
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(refuse=parser.error)


def is_agreed(question: str, arguments: argparse.Namespace) -> bool:
    """Whether somebody agrees, on the terminal or by `--yes`. Where nobody can be asked, the command is refused."""
    if arguments.yes:
        return True
    refuse: Callable[[str], None] = arguments.refuse
    if not sys.stdin.isatty():
        refuse("nobody can be asked here: give --yes to delete for good, or --dry-run to see what would go")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
