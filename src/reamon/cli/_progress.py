"""Progress: how far a long command is, on one line of a terminal that goes again."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_CLEAR: Final = "\r\x1b[K"


@contextmanager
def progress_of(arguments: argparse.Namespace) -> Iterator[Callable[[str], None]]:
    """Something to tell the progress to; it is shown where somebody watches, and nothing is printed for programs."""
    is_watched = sys.stderr.isatty() and not arguments.json

    def show(text: str) -> None:
        if is_watched:
            sys.stderr.write(f"{_CLEAR}{text}")
            sys.stderr.flush()

    try:
        yield show
    finally:
        show("")
