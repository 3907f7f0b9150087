"""Filters as options: which traces, executions, operations or costs a command is about."""

import argparse
from typing import TYPE_CHECKING, Any

from reamon.cli._periods import add_period_options, period_of
from reamon.errors import StoreError

if TYPE_CHECKING:
    from reamon.store.cost_filter import CostFilter
    from reamon.store.filters import RowFilter

_TEXTS = {
    "--call": ("call_id", "ID", "only those of this call"),
    "--workflow": ("workflow", "NAME", "only those of this workflow"),
    "--agent": ("agent", "TYPE", "only those of agents of this type; traces in which one ran"),
    "--tag": ("tag", "TAG", "only those of traces with this tag"),
    "--error": ("error", "TEXT", "only those whose error, or reason, contains this; A to Z in either case"),
    "--error-type": ("error_type", "TYPE", "only those with an error of this type"),
    "--outcome": ("outcome", "NAME", "only traces that ended in this way"),
    "--min-cost": ("min_cost", "USD", "only those that are known to cost this or more"),
    "--max-cost": ("max_cost", "USD", "only those that are known to cost this or less"),
    "--kind": ("kind", "KIND", "only operations of this kind; several with commas between"),
    "--name": ("name", "NAME", "only operations of this name"),
    "--provider": ("provider", "NAME", "only those of this provider"),
    "--model": ("model", "NAME", "only those of this model"),
    "--decision": ("decision", "ACTION", "only executions that decided on this"),
    "--next-agent": ("next_agent", "TYPE", "only executions that handed over to this agent"),
    "--cost-type": ("cost_type", "TYPE", "only costs of this type; several with commas between"),
    "--price-source": ("price_source", "NAME", "only costs with a price from this source"),
}
_NUMBERS = {
    "--min-duration": ("min_duration_ms", "MS", "only those that took so many milliseconds, or more"),
    "--max-duration": ("max_duration_ms", "MS", "only those that took so many milliseconds, or less"),
    "--min-confidence": ("min_confidence", "0..1", "only executions that were so sure, or more"),
    "--max-confidence": ("max_confidence", "0..1", "only executions that were so sure, or less"),
}
_LISTS = ("status", "kind", "cost_type")
_RENAMED = {"costs": {"min_cost": "min_amount", "max_cost": "max_amount"}}
TRACES = (
    "--call", "--workflow", "--agent", "--tag", "--error", "--error-type", "--outcome", "--min-cost", "--max-cost",
    "--min-duration", "--max-duration",
)  # fmt: skip


def add_filter_options(parser: argparse.ArgumentParser, names: tuple[str, ...], statuses: tuple[str, ...]) -> None:
    """Give a command options that narrow down what it is about.

    Args:
        parser: The command's.
        names: Which options.
        statuses: What can be asked for by `--status`.
    """
    known = ", ".join(statuses)
    parser.add_argument(
        "--status", metavar="STATUS", help=f"only those of this status, or of several with commas between: {known}"
    )
    for option, (target, metavar, purpose) in _TEXTS.items():
        if option in names:
            parser.add_argument(option, dest=target, metavar=metavar, help=purpose)
    for option, (target, metavar, purpose) in _NUMBERS.items():
        if option in names:
            parser.add_argument(option, dest=target, metavar=metavar, type=float, help=purpose)
    add_period_options(parser)


def filter_of(arguments: argparse.Namespace, what: str = "traces") -> "RowFilter":
    """The filter that somebody means by the options.

    Args:
        arguments: The command's.
        what: What is filtered: "traces", "executions", "operations" or "costs".

    Raises:
        StoreError: A value cannot be meant, or these rows cannot be filtered by it.
        ReamonError: A time cannot be read.
    """
    from reamon.store import filters  # noqa: PLC0415 - a help text needs none
    from reamon.store.local_times import zone_of  # noqa: PLC0415

    kinds: dict[str, type[filters.RowFilter]] = {
        "traces": filters.TraceFilter,
        "executions": filters.ExecutionFilter,
        "operations": filters.OperationFilter,
        "costs": filters.CostDetailFilter,
    }
    kind = kinds[what]
    since, until = period_of(arguments, zone_of(arguments.tz))
    chosen = {"since": since, "until": until, **_chosen(arguments, what)}
    unknown = [name for name in chosen if name not in kind.__struct_fields__]
    if unknown:
        raise StoreError(f"{what} cannot be filtered by {_option_of(unknown[0])}")
    return kind(**chosen)


def costs_of(arguments: argparse.Namespace) -> "CostFilter":
    """The costs that a command adds up, by its period, and by its call where it has such an option.

    Raises:
        ConfigurationError: There is no such time zone, or the period ends before it begins.
        ReamonError: A time cannot be read.
    """
    from reamon.store.cost_filter import CostFilter  # noqa: PLC0415 - a help text needs neither
    from reamon.store.local_times import zone_of  # noqa: PLC0415 - brings SQLAlchemy

    since, until = period_of(arguments, zone_of(arguments.tz))
    return CostFilter(since=since, until=until, call_id=vars(arguments).get("call"))


def _chosen(arguments: argparse.Namespace, what: str) -> dict[str, Any]:
    given = vars(arguments)
    names = ["status", *(target for target, _, _ in (*_TEXTS.values(), *_NUMBERS.values()))]
    chosen: dict[str, Any] = {}
    for name in names:
        value = given.get(name)
        if value is not None:
            meant = tuple(part.strip() for part in value.split(",")) if name in _LISTS else value
            chosen[_RENAMED.get(what, {}).get(name, name)] = meant
    return chosen


def _option_of(name: str) -> str:
    options = {target: option for option, (target, _, _) in (*_TEXTS.items(), *_NUMBERS.items())}
    return options.get(name, f"--{name}")
