"""`reamon costs insights`: what the recorded costs say about where money goes."""

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reamon.cli._filters import costs_of
from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._periods import add_period_options
from reamon.cli._progress import progress_of
from reamon.cli._repricing import add_price_options, book_of
from reamon.cli._store import add_project_options, add_store_option, ask, positive
from reamon.errors import ConfigurationError

if TYPE_CHECKING:
    from reamon.collectors import PriceBook


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon costs insights`."""
    add_period_options(parser)
    parser.add_argument("--call", metavar="ID", help="only this call")
    parser.add_argument(
        "--instead",
        metavar="PROVIDER/MODEL",
        type=_model,
        action="append",
        default=[],
        help="a model to compare with, beside those in use",
    )
    parser.add_argument(
        "--minimum",
        type=positive,
        default=20,
        metavar="N",
        help="say nothing of fewer than N turns, calls or requests (default: %(default)s)",
    )
    add_price_options(parser)
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Look for insights, and tell them."""
    from reamon.analytics.insights import cost_insights  # noqa: PLC0415 - brings SQLAlchemy
    from reamon.terminal.insights import insights_document  # noqa: PLC0415

    which = costs_of(arguments)
    book = book_of(arguments)
    _check_prices(arguments.instead, book)
    with progress_of(arguments) as tell:
        tell("adding up what was spent")
        found = ask(
            arguments,
            lambda store: cost_insights(
                store,
                which,
                book=book,
                alternatives=arguments.instead,
                minimum=arguments.minimum,
                progress=lambda done, of: tell(f"{done} of {of} questions looked into"),
            ),
        )
    if arguments.json:
        write_json({"insights": found})
    else:
        show(insights_document(found))
    return 0


def _check_prices(models: Sequence[tuple[str, str]], book: "PriceBook") -> None:
    """See that models that somebody names can be compared with: one without a price would just not be told of.

    Raises:
        ConfigurationError: The price of one is not known.
    """
    for provider, model in models:
        if book.prices(provider, model, at=datetime.now(UTC)) is None:
            raise ConfigurationError(
                f"--instead {provider}/{model}: its price is not known to {book.version}; see how it is spelled, "
                "give it rates (--rates FILE), or pip install 'reamon[costs]' for the prices of models"
            )


def _model(text: str) -> tuple[str, str]:
    provider, _, model = text.partition("/")
    if not provider or not model:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form PROVIDER/MODEL")
    return provider, model
