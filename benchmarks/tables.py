"""The outcome of a run as tables on a terminal, or plain in a pipe."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.promises import Outcome, Promise, Table


def print_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Print the figures of each scenario, and all the promises below them."""
    console = Console()
    for outcome in outcomes:
        console.print(_figures(outcome.table))
    promises = [promise for outcome in outcomes for promise in outcome.promises]
    if promises:
        console.print(_promises(promises))


def _figures(table: Table) -> RichTable:
    drawn = RichTable(title=table.title, title_justify="left", title_style="bold")
    drawn.add_column("")
    for column in table.columns:
        drawn.add_column(column, justify="right")
    for subject, figures in table.rows.items():
        style = "cyan" if subject.startswith("reamon") else None
        drawn.add_row(subject.replace("_", ", "), *map(_number, figures), style=style)
    return drawn


def _promises(promises: Sequence[Promise]) -> RichTable:
    drawn = RichTable(title="Promises", title_justify="left", title_style="bold")
    drawn.add_column("promise")
    drawn.add_column("measured", justify="right")
    drawn.add_column("bound", justify="right")
    drawn.add_column("")
    for promise in promises:
        side = "≤" if promise.at_most else "≥"
        verdict = "[green]kept[/]" if promise.kept else "[bold red]broken[/]"
        unit = promise.unit if promise.unit in {"x", ""} else f" {promise.unit}"
        drawn.add_row(promise.text, f"{_number(promise.measured)}{unit}", f"{side} {promise.bound:g}{unit}", verdict)
    return drawn


def _number(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 100 else f"{value:.2f}"
