"""Output: a document for people, or one JSON document for programs."""

import argparse
import sys
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from reamon.errors import ReamonError
from reamon.terminal.document import Document, Note, Style, Text, printable
from reamon.terminal.screen import open_screen

Run: TypeAlias = Callable[[argparse.Namespace], int]
"""A command: takes its arguments, returns the exit code."""


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Give a command the option `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON document, with all digits")


def show(document: Document) -> None:
    """Show a document on standard output."""
    open_screen().show(document)


def show_done(words: str) -> None:
    """Say on standard output that something is done."""
    show([Note(Text.of("✓ ", Style.GOOD) + Text.of(words))])


def write_json(content: Any) -> None:
    """Write one JSON document to standard output."""
    text = msgspec.json.format(msgspec.json.encode(content), indent=2)
    sys.stdout.buffer.write(text + b"\n")
    sys.stdout.buffer.flush()


def complain(error: ReamonError, *, as_json: bool) -> None:
    """Say why a command ended without a result: as JSON on standard output, else on standard error."""
    if as_json:
        write_json({"error": str(error)})
    else:
        words = "\n".join(map(printable, str(error).split("\n")))  # ids that were recorded may be part of it
        sys.stderr.write(f"reamon: {words}\n")
