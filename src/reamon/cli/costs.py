"""`reamon costs`: what was spent, on what."""

import argparse
from collections.abc import Callable
from typing import Any

from reamon.cli import _insights, _reconciliation, _repricing
from reamon.cli._actions import leave_to_command
from reamon.cli._filters import costs_of
from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._periods import add_period_options
from reamon.cli._store import add_project_options, add_store_option, ask, positive
from reamon.store.cost_filter import DIMENSIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon costs`."""
    parser.add_argument(
        "--by",
        metavar="WHAT",
        type=_dimensions,
        default=("agent",),
        help=f"tell apart by {', '.join(DIMENSIONS)}, or several with commas between (default: agent)",
    )
    add_period_options(parser)
    parser.add_argument("--call", metavar="ID", help="only those of this call")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most N rows (default: %(default)s)")
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(action=report)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", help="more about costs; each has its --help")
    _add(parser, actions, _insights, "insights", "say where money goes, and where it need not, each with its evidence")
    _add(parser, actions, _repricing, "reprice", "price what was recorded with other prices; the old figures are kept")
    _add(
        parser,
        actions,
        _reconciliation,
        "reconcile",
        "compare a provider's invoice (CSV) with what was recorded",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    action: Callable[[argparse.Namespace], int] = arguments.action
    return action(arguments)


def report(arguments: argparse.Namespace) -> int:
    """Tell what was spent."""
    from reamon.analytics.costs import cost_report  # noqa: PLC0415 - brings SQLAlchemy, which a help text does not need
    from reamon.terminal.costs import costs_document  # noqa: PLC0415

    which = costs_of(arguments)
    told = ask(
        arguments,
        lambda store: cost_report(store, arguments.by, which, zone=arguments.tz, limit=arguments.limit),
    )
    if arguments.json:
        write_json(told)
    else:
        show(costs_document(told))
    return 0


def _add(
    command: argparse.ArgumentParser,
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    home: Any,
    name: str,
    purpose: str,
) -> None:
    parser = actions.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    home.add_arguments(parser)
    parser.set_defaults(action=home.run)
    leave_to_command(parser, command)


def _dimensions(text: str) -> tuple[str, ...]:
    """The names in a list with commas."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",")))
    unknown = [name for name in names if name not in DIMENSIONS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(DIMENSIONS)}")
    return names
