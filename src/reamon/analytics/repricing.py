"""Repricing: the past at the prices of another book, and what that makes of each model and day."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from reamon.collectors import CostCollector, PriceBook
from reamon.collectors.prices import CALLS
from reamon.errors import ConfigurationError
from reamon.model import CostData, CostDetail, Span, SpanKind, SpanStatus, Usage
from reamon.model.cost import EXACT
from reamon.model.times import from_datetime
from reamon.store.consumption import Consumption
from reamon.store.cost_filter import EVERY_COST, CostFilter
from reamon.store.database import Database
from reamon.store.projects import Project
from reamon.store.repricing import Repricer
from reamon.store.revisions import Revision, known

_ZERO: Final = Decimal(0)
_GUESSED: Final = frozenset({"input_tokens", "output_tokens"})
"""The units that are guessed where a provider reports none."""


class RepricedModel(msgspec.Struct, frozen=True, kw_only=True):
    """What other prices make of one model on one day (UTC).

    Attributes:
        day: The day ("2026-11-23").
        provider: Who bills it.
        model: The model or the product.
        before: What the details that changed came to, in USD, unknown ones left out.
        after: What those come to that take their place.
        unknown_before: How many of them had no known price.
        unknown_after: How many have none now.
    """

    day: str
    provider: str | None
    model: str | None
    before: Decimal
    after: Decimal
    unknown_before: int
    unknown_after: int


class RepricingReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a repricing did, or would do.

    Attributes:
        repricing_id: Its row in `repricings`; None where nothing was changed.
        price_version: The edition of the prices.
        dry_run: Whether nothing was to be changed.
        traces: How many traces change.
        details: How many cost details count instead of others.
        unchanged: How many are right already.
        kept: How many stay although they are not what the new prices say: these know no price for them, or the usage is
            not recorded (any more).
        before: What the changed details came to, in USD.
        after: What those come to that take their place.
        models: The changes by day and model, in this order.
    """

    repricing_id: str | None
    price_version: str
    dry_run: bool
    traces: int
    details: int
    unchanged: int
    kept: int
    before: Decimal
    after: Decimal
    models: tuple[RepricedModel, ...]


async def reprice(
    target: Path | str,
    book: PriceBook,
    which: CostFilter = EVERY_COST,
    *,
    project: Project = None,
    dry_run: bool = False,
    progress: Callable[[int], object] = lambda _: None,
) -> RepricingReport:
    """Price what was recorded with another price book, each usage at the day on which it was consumed.

    What the application stated stays. The old details are kept and no longer count; totals follow in the same short
    transactions. Doing it twice changes nothing the second time, and one that was killed is finished by another.

    Args:
        target: The store: a SQLite file, or the URL of a database.
        book: The prices.
        which: What is priced anew: by when it was consumed, and by its project.
        project: Whose costs; see `Store.open`.
        dry_run: Only say what would change.
        progress: Told how many traces were looked at so far.

    Raises:
        ConfigurationError: `which` has a call or a provider, by which this cannot be narrowed down.
        StoreError: The store could not be read or changed. What was done until then stands.

    Example:
        ```python
        book = PriceBook.load("rates-2026-12.toml")
        report = await reprice("calls.db", book, CostFilter(since=december), dry_run=True)
        print(report.before, report.after)
        ```
    """
    if which.call_id is not None or which.provider is not None:
        raise ConfigurationError(
            "reprice() cannot be narrowed down to a call or a provider: give since, until or project alone"
        )
    database = Database(target, project)
    tally = _Tally(progress)
    try:
        meant = msgspec.structs.replace(which, project=database.narrowed(which.project))
        repricer = Repricer(database, _pricer(book), book.version, meant, dry_run=dry_run, told=tally.add)
        await repricer.run()
    finally:
        await database.close()
    return tally.report(repricer.repricing_id, book.version, dry_run=dry_run)


def _pricer(book: PriceBook) -> Callable[[Consumption], Sequence[CostData]]:
    """What the cost collector would make of a span that is in the store."""
    collector = CostCollector(book)

    def price(span: Consumption) -> Sequence[CostData]:
        stated = tuple(detail for detail in span.details if span.states(detail))
        additions = collector.collect(_as_span(span, stated))
        return (
            *(additions.costs if additions else ()),
            *_guesses(span, book),
            *_per_call(span, book),
        )

    return price


def _as_span(span: Consumption, stated: tuple[CostDetail, ...]) -> Span:
    """The span, as far as its price depends on it; without a call, so that none is billed for it again."""
    return Span(
        span_id=span.span_id,
        trace_id=span.trace_id,
        parent_id=span.trace_id,
        kind=SpanKind(span.kind) if span.usage else SpanKind.STEP,
        name="",
        status=SpanStatus.OK,
        start_ns=from_datetime(span.start_time),
        end_ns=from_datetime(span.moment),
        usage=span.usage,
        costs=stated,
        attributes=span.attributes,
    )


def _guesses(span: Consumption, book: PriceBook) -> Sequence[CostData]:
    """The price of tokens that were guessed, of which only the details know."""
    if span.usage:
        return ()
    guessed = [detail for detail in span.details if detail.estimated and detail.unit in _GUESSED]
    priced: list[CostData] = []
    for provider, model, cost_type in dict.fromkeys((d.provider, d.model, d.cost_type) for d in guessed):
        units = {
            str(detail.unit): int(detail.usage_units)
            for detail in guessed
            if (detail.provider, detail.model, detail.cost_type) == (provider, model, cost_type) and detail.usage_units
        }
        usage = Usage(provider=provider, model=model, **units)  # type: ignore[arg-type]
        priced += book.price(usage, cost_type, at=span.moment, attributes=span.attributes, estimated=True)
    return priced


def _per_call(span: Consumption, book: PriceBook) -> Sequence[CostData]:
    """What is paid once for each call, where this span was charged for it."""
    if not any(detail.unit == CALLS and not span.states(detail) for detail in span.details):
        return ()
    return book.per_call(span.moment)


class _Tally:
    """What the revisions come to; as large as there are days and models, however many spans there are."""

    def __init__(self, progress: Callable[[int], object]) -> None:
        self._progress = progress
        self._looked_at: int = 0
        self._traces: int = 0
        self._details: int = 0
        self._unchanged: int = 0
        self._kept: int = 0
        self._before = _ZERO
        self._after = _ZERO
        self._models: defaultdict[tuple[str, str | None, str | None], list[Decimal]] = defaultdict(lambda: [_ZERO] * 4)

    def add(self, revisions: Sequence[Revision]) -> None:
        self._looked_at += len({revision.span.trace_id for revision in revisions})
        self._traces += len({revision.span.trace_id for revision in revisions if revision.changes})
        for revision in revisions:
            if revision.is_kept:
                self._kept += len(revision.before)
            elif revision.changes:
                self._change(revision)
            else:
                self._unchanged += len(revision.after)
        self._progress(self._looked_at)

    def _change(self, revision: Revision) -> None:
        self._details += len(revision.after)
        self._before = EXACT.add(self._before, known(revision.before))
        self._after = EXACT.add(self._after, known(revision.after))
        day = revision.span.moment.date().isoformat()
        for column, details in enumerate((revision.before, revision.after)):
            for detail in details:
                figures = self._models[day, detail.provider, detail.model]
                figures[column] = EXACT.add(figures[column], detail.amount or _ZERO)
                figures[2 + column] += detail.amount is None

    def report(self, repricing_id: str | None, version: str, *, dry_run: bool) -> RepricingReport:
        ordered = sorted(self._models.items(), key=lambda item: tuple(part or "" for part in item[0]))
        return RepricingReport(
            repricing_id=repricing_id,
            price_version=version,
            dry_run=dry_run,
            traces=self._traces,
            details=self._details,
            unchanged=self._unchanged,
            kept=self._kept,
            before=self._before,
            after=self._after,
            models=tuple(
                RepricedModel(
                    day=day,
                    provider=provider,
                    model=model,
                    before=before,
                    after=after,
                    unknown_before=int(unknown_before),
                    unknown_after=int(unknown_after),
                )
                for (day, provider, model), (before, after, unknown_before, unknown_after) in ordered
            ),
        )
