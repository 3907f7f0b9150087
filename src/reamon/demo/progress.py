"""The progress: how far the campaign is, while it runs."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeElapsedColumn
from rich.text import Text

import reamon
from reamon.demo.campaign import OnCallEnded

_BAR_WIDTH = 20
_REFRESHES_PER_SECOND = 5


class RecordingColumn(ProgressColumn):
    """How many spans are recorded, and how many of them are in the store already."""

    def render(self, task: Task) -> Text:
        """The two numbers, as reamon counts them."""
        stats = reamon.stats()
        return Text(f"{stats.recorded:,} spans recorded, {sum(stats.exported.values()):,} stored", style="cyan")


@contextmanager
def progress_of(calls: int, stream: TextIO = sys.stderr) -> Iterator[OnCallEnded]:
    """Show how many of `calls` have ended, on a terminal; elsewhere show nothing.

    Args:
        calls: How many there will be.
        stream: Where to show it.

    Yields:
        What to call at the end of each call.
    """
    console = Console(file=stream)
    bar = Progress(
        BarColumn(_BAR_WIDTH),
        MofNCompleteColumn(),
        TextColumn("calls"),
        RecordingColumn(),
        TimeElapsedColumn(),
        console=console,
        refresh_per_second=_REFRESHES_PER_SECOND,
        transient=True,
        disable=not console.is_terminal or console.is_dumb_terminal,
    )
    with bar:
        task = bar.add_task("calling", total=calls)
        yield lambda: bar.advance(task)
