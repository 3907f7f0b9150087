"""`reamon costs reprice`: the past at other prices."""

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from reamon.cli._asking import add_yes_option, is_agreed, refuse_where_nobody_is
from reamon.cli._filters import costs_of
from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._periods import add_period_options
from reamon.cli._progress import progress_of
from reamon.cli._projects import project_of
from reamon.cli._store import add_project_options, add_store_option, ask, target_of
from reamon.terminal.document import Note, Text
from reamon.terminal.figures import count

if TYPE_CHECKING:
    from reamon.analytics.repricing import RepricingReport
    from reamon.collectors import PriceBook
    from reamon.store import Store
    from reamon.store.repricing_history import RepricingEntry


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon costs reprice`."""
    add_price_options(parser)
    add_period_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")
    parser.add_argument("--list", action="store_true", help="say what was priced anew before")
    add_yes_option(parser)
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)


def add_price_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options that say which prices are meant."""
    parser.add_argument(
        "--rates", metavar="FILE", type=Path, help="rates of your own, TOML or YAML (default: REAMON_COSTS__RATES)"
    )
    parser.add_argument(
        "--profile", metavar="NAME", help="rates that come with reamon (default: REAMON_COSTS__PROFILE)"
    )
    parser.add_argument(
        "--no-model-prices", action="store_true", help="do not ask genai-prices for what the rates do not name"
    )


def book_of(arguments: argparse.Namespace) -> "PriceBook":
    """The prices that somebody means: those of the settings, with what the command line gives in their place.

    Raises:
        ConfigurationError: They cannot be used.
    """
    from reamon.collectors import PriceBook  # noqa: PLC0415 - a help text needs none
    from reamon.settings import MonitoringSettings  # noqa: PLC0415 - slow to import

    configured = MonitoringSettings().costs
    return PriceBook(
        arguments.rates or configured.rates,
        profile=arguments.profile or configured.profile,
        model_prices=configured.model_prices and not arguments.no_model_prices,
    )


def run(arguments: argparse.Namespace) -> int:
    """Say what would change, ask, and change it."""
    if arguments.list:
        return _list(arguments)
    book = book_of(arguments)
    if arguments.dry_run or not arguments.yes:
        if not arguments.dry_run:
            refuse_where_nobody_is(arguments, "give --yes to price anew, or --dry-run to see what would change")
        planned = _reprice(arguments, book, dry_run=True)
        if arguments.dry_run or not planned.details:
            return _tell(planned, arguments)
        if not arguments.json:
            _tell(planned, arguments)
        if not is_agreed(f"Price {count(planned.details, 'cost detail')} anew?", arguments):
            show([Note(Text.of("nothing was changed"))])
            return 1
    return _tell(_reprice(arguments, book, dry_run=False), arguments)


def _reprice(arguments: argparse.Namespace, book: "PriceBook", *, dry_run: bool) -> "RepricingReport":
    from reamon.analytics.repricing import reprice  # noqa: PLC0415 - brings SQLAlchemy

    with progress_of(arguments) as tell:
        return asyncio.run(
            reprice(
                target_of(arguments),
                book,
                costs_of(arguments),
                project=project_of(arguments),
                dry_run=dry_run,
                progress=lambda looked_at: tell(f"{count(looked_at, 'trace')} looked at"),
            )
        )


def _tell(report: "RepricingReport", arguments: argparse.Namespace) -> int:
    from reamon.terminal.repricing import repricing_document  # noqa: PLC0415 - brings SQLAlchemy

    if arguments.json:
        write_json(report)
    else:
        show(repricing_document(report))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from reamon.store.repricing_history import read_repricings  # noqa: PLC0415 - brings SQLAlchemy
    from reamon.terminal.repricing import history_document  # noqa: PLC0415

    async def question(store: "Store") -> "list[RepricingEntry]":
        async with store.moment() as connection:
            return await read_repricings(connection, store.project)

    entries = ask(arguments, question)
    if arguments.json:
        write_json({"repricings": [msgspec.structs.asdict(entry) for entry in entries]})
    else:
        show(history_document(entries))
    return 0
