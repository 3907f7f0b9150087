"""Checks of what things cost: where prices come from, and of what none was known."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

from reamon.cli._checks import Finding, bad, good, note
from reamon.collectors import PriceBook
from reamon.collectors.model_prices import ModelPrices
from reamon.errors import ReamonError
from reamon.settings import MonitoringSettings
from reamon.store.administration import opened
from reamon.terminal.figures import count

OLD: Final = timedelta(days=90)
"""Age of the youngest known price of a model after which there are likely to be newer ones."""

_SHOWN: Final = 10
_UNPRICED: Final = (
    "SELECT provider, model, count(*) AS details, count(*) OVER () FROM cost_details"
    " WHERE cost_amount IS NULL AND superseded_by IS NULL GROUP BY provider, model"
    " ORDER BY details DESC, provider, model LIMIT ?"
)


def prices(settings: MonitoringSettings, today: date | None = None) -> Iterator[Finding]:
    """Where the prices come from, and how old those of models are.

    Args:
        settings: What an application that starts here would use.
        today: The day, if it is another one.
    """
    if not settings.enabled or "cost" not in settings.collectors:
        return
    options = settings.costs
    try:
        book = PriceBook(options.rates, profile=options.profile, model_prices=options.model_prices)
    except ReamonError as error:
        yield bad("prices", str(error))
        return
    yield good("prices", ", ".join(book.sources))
    if options.model_prices:
        yield from _model_prices(today or datetime.now(UTC).date())


def unpriced(target: Path | str) -> Iterator[Finding]:
    """Of what no price was known, by provider and model; nothing where the store cannot be read."""
    try:
        with opened(target, writable=False) as store:
            rows = store.rows(_UNPRICED, _SHOWN)
    except ReamonError:
        return  # the check of the store says what is wrong with it
    for provider, model, details, _ in rows:
        name = f"{provider or 'an unnamed provider'}/{model}" if model else provider or "an unnamed provider"
        yield note("no price", f"{name}: {count(details, 'cost detail')} without an amount")
    if rows and rows[0][3] > len(rows):
        yield note("no price", f"and {rows[0][3] - len(rows)} more")
    if rows:
        yield note(
            "no price", "give them rates (REAMON_COSTS__RATES), and `reamon costs reprice` what is there already"
        )


def _model_prices(today: date) -> Iterator[Finding]:
    newest = ModelPrices().newest_price()
    if newest is None:
        yield note(
            "model prices",
            "none are known without genai-prices: pip install 'reamon[costs]', or give rates of your own",
        )
    elif today - newest > OLD:
        yield note(
            "model prices",
            f"the youngest is of {newest}: a newer genai-prices knows newer ones (pip install -U genai-prices)",
        )
    else:
        yield good("model prices", f"the youngest is of {newest}")
