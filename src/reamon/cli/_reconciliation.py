"""`reamon costs reconcile`: a provider's invoice against what was recorded."""

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._store import add_project_options, add_store_option, ask

if TYPE_CHECKING:
    from reamon.analytics.reconciliation import Tolerance

_COLUMNS = ("date", "model", "amount", "currency")
_DISAGREES = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon costs reconcile`."""
    parser.add_argument(
        "invoice", metavar="FILE", type=Path, help="the provider's CSV file: dates, models, amounts in USD"
    )
    parser.add_argument(
        "--provider", metavar="NAME", required=True, help="who bills, as recorded usage names it: openai"
    )
    parser.add_argument(
        "--map",
        metavar="COLUMN=NAME",
        type=_pair,
        action="append",
        default=[],
        help=f"what a column is called in FILE; COLUMN is {', '.join(_COLUMNS)}",
    )
    parser.add_argument(
        "--rename",
        metavar="THEIRS=OURS",
        type=_pair,
        action="append",
        default=[],
        help="a model that FILE calls otherwise",
    )
    parser.add_argument(
        "--tolerance",
        metavar="HOW_MUCH",
        type=_tolerance,
        default=None,
        help="how far amounts may be apart: 2%% of what is billed, or 0.50 USD (default: 1%%, and half a cent)",
    )
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Compare, tell, and say by the exit code whether the two agree."""
    from reamon.analytics.invoices import read_invoice  # noqa: PLC0415 - brings SQLAlchemy
    from reamon.analytics.reconciliation import reconcile  # noqa: PLC0415
    from reamon.terminal.reconciliation import reconciliation_document  # noqa: PLC0415

    columns = dict(arguments.map)
    unknown = [name for name in columns if name not in _COLUMNS]
    if unknown:
        arguments.refuse(f"argument --map: {unknown[0]!r} is none of {', '.join(_COLUMNS)}")
    found = ask(
        arguments,
        lambda store: reconcile(
            store,
            read_invoice(arguments.invoice, columns),
            arguments.provider,
            tolerance=arguments.tolerance,
            names=dict(arguments.rename),
        ),
    )
    if arguments.json:
        write_json(found)
    else:
        show(reconciliation_document(found))
    return 0 if found.agrees else _DISAGREES


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals and value.strip()):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form NAME=VALUE")
    return name.strip(), value.strip()


def _tolerance(text: str) -> "Tolerance":
    from reamon.analytics.reconciliation import Tolerance  # noqa: PLC0415 - brings SQLAlchemy

    try:
        number = Decimal(text.strip().removesuffix("%"))
    except InvalidOperation:
        number = Decimal(-1)
    if not number.is_finite() or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no tolerance: give a percentage (2%) or an amount of USD (0.50)")
    return Tolerance(share=number / 100) if text.strip().endswith("%") else Tolerance(share=Decimal(0), usd=number)
