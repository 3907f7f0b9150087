"""The screen: puts documents on a terminal, in colour, or into a pipe, as plain text."""

import os
import shutil
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol, TextIO

from reamon.terminal.document import Document, Style
from reamon.terminal.layout import lines

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {
    Style.PLAIN: "",
    Style.STRONG: "bold",
    Style.FAINT: "bright_black",
    Style.ACCENT: "cyan",
    Style.GOOD: "green",
    Style.WARNING: "yellow",
    Style.BAD: "bold red",
}
"""What each meaning looks like, in rich's words."""

ASCII = str.maketrans("│├└─·…→█▉▊▋▌▍▎▏✓✗○–↯≥�", "|+`-.~>#####:::+xo-%>?")
"""Stand-ins of the same width, for streams that cannot encode ours."""


class Screen(Protocol):
    """Somewhere to show documents."""

    def show(self, document: Document) -> None:
        """Write the document out."""


class PlainScreen:
    """Aligned text without escape codes.

    Args:
        stream: Where it goes.
        width: Where lines are cut; None for a pipe, which takes lines of any length.
    """

    def __init__(self, stream: TextIO, width: int | None = None) -> None:
        self._stream = stream
        self._width = width
        self._encoding = stream.encoding or "utf-8"

    def show(self, document: Document) -> None:
        """Write the document out."""
        self._stream.writelines(f"{self._encodable(line.plain)}\n" for line in lines(document, self._width))
        self._stream.flush()

    def _encodable(self, line: str) -> str:
        if self._encoding.lower().replace("-", "") == "utf8":
            return line
        return line.translate(ASCII).encode(self._encoding, "replace").decode(self._encoding)


class ColourScreen:
    """A terminal, painted by rich.

    Args:
        console: rich's view of the terminal.
    """

    def __init__(self, console: "Console") -> None:
        self._console = console

    def show(self, document: Document) -> None:
        """Write the document out."""
        from rich.text import Text as RichText  # noqa: PLC0415 - optional, and slow to import

        for line in lines(document, self._console.width):
            painted = RichText.assemble(*((words, COLOURS[style]) for words, style in line.parts))
            self._console.print(painted, soft_wrap=True, highlight=False)


def open_screen(stream: TextIO | None = None, environment: Mapping[str, str] = os.environ) -> Screen:
    """The best screen for `stream`.

    In colour if it is a terminal that can show it (not `TERM=dumb`), nobody asked for none (`NO_COLOR`) and rich is
    installed; else plain.

    Args:
        stream: Where to write; standard output unless given.
        environment: Where `NO_COLOR` and `TERM` are looked up.
    """
    stream = sys.stdout if stream is None else stream
    if not stream.isatty():
        return PlainScreen(stream)
    wants_colour = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    console = _rich_console(stream) if wants_colour else None
    if console is None:
        return PlainScreen(stream, shutil.get_terminal_size().columns)
    return ColourScreen(console)


def _rich_console(stream: TextIO) -> "Console | None":
    try:
        from rich.console import Console  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        return None
    return Console(file=stream)
