"""Reconciliation: what a provider bills against what was recorded, by day and model."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from reamon.analytics.costs import share_of
from reamon.analytics.invoices import InvoiceLine, canonical
from reamon.errors import ReamonError
from reamon.model.cost import EXACT, summed
from reamon.store.cost_filter import CostFilter
from reamon.store.cost_queries import CostSum, read_costs, together
from reamon.store.projects import narrowed

if TYPE_CHECKING:
    from reamon.store import Store

_ZERO: Final = Decimal(0)
_ROUNDING: Final = Decimal("0.005")
"""Half a cent: invoices are rounded."""

Verdict = Literal["agrees", "differs", "only billed", "only recorded"]


class Tolerance(msgspec.Struct, frozen=True, kw_only=True):
    """How far two amounts may be apart and still agree.

    Attributes:
        share: Of what is billed; 0.01 is one percent.
        usd: At least so much, in USD.
    """

    share: Decimal = Decimal("0.01")
    usd: Decimal = _ROUNDING

    def allows(self, recorded: Decimal, billed: Decimal) -> bool:
        """Whether the two agree."""
        return abs(EXACT.subtract(billed, recorded)) <= max(self.usd, EXACT.multiply(self.share, abs(billed)))


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """One model on one day, or all of them.

    Attributes:
        day: The day (UTC); None for all.
        model: The model; None for all, or where it is not said.
        recorded: USD, by what was recorded; None where nothing was, or no price is known.
        billed: USD, by the invoice; None where it has no line for it.
        difference: `billed` less `recorded`, one that is missing counted as 0.
        share: The difference as a part of what is billed, to six places; None where nothing is.
        verdict: Whether the two agree, and which is missing.
        unknown: How many recorded usages have no known price, which may explain a difference.
        estimated: How many recorded amounts rest on guessed usage, which may explain one too.
    """

    day: date | None
    model: str | None
    recorded: Decimal | None
    billed: Decimal | None
    difference: Decimal
    share: Decimal | None
    verdict: Verdict
    unknown: int
    estimated: int


class Reconciliation(msgspec.Struct, frozen=True, kw_only=True):
    """An invoice beside what was recorded.

    Attributes:
        provider: Who bills.
        project: The project whose costs it was compared with; None means all.
        first: The first day (UTC) that was compared.
        last: The last one.
        lines: How many lines of the invoice that are.
        rows: By day and model; by day alone where the invoice names no models.
        total: All of it.
        agrees: Whether every row does.
    """

    provider: str
    project: str | None
    first: date
    last: date
    lines: int
    rows: tuple[Drift, ...]
    total: Drift
    agrees: bool


async def reconcile(
    store: "Store",
    invoice: Iterable[InvoiceLine],
    provider: str,
    *,
    tolerance: Tolerance | None = None,
    names: Mapping[str, str] | None = None,
    project: str | None = None,
) -> Reconciliation:
    """Compare an invoice with what was recorded on its days.

    Models are compared by their names in small letters, without the date of a version and what was billed of them
    ("gpt-4o-2024-08-06, input" is gpt-4o).

    Args:
        store: An open store.
        invoice: The lines, from `read_invoice`.
        provider: Who bills, as usage names it ("openai").
        tolerance: How far amounts may be apart; a percent, and half a cent, unless given.
        names: Models that are called otherwise here, by what the invoice calls them.
        project: Whose costs, where the store shows all.

    Raises:
        ReamonError: The invoice has no lines.
        StoreError: It is about another project than the one that is seen, or the store cannot be read.
    """
    ours_of = {canonical(theirs): canonical(ours) for theirs, ours in (names or {}).items()}
    billed: dict[tuple[date, str | None], Decimal] = {}
    lines = 0
    for line in invoice:
        lines += 1
        name = None if line.model is None else canonical(line.model)
        key = (line.day, ours_of.get(name, name) if name is not None else None)
        billed[key] = EXACT.add(billed.get(key, _ZERO), line.amount)
    if not lines:
        raise ReamonError("the invoice has no lines: there is nothing to compare")
    first, last = min(day for day, _ in billed), max(day for day, _ in billed)
    has_models = any(model is not None for _, model in billed)
    which = CostFilter(
        since=datetime.combine(first, time(), UTC),
        until=datetime.combine(last + timedelta(days=1), time(), UTC),
        project=narrowed(store.project, project),
        provider=provider,
    )
    recorded = await _recorded(store, which, has_models=has_models)
    within = tolerance or Tolerance()
    rows = tuple(
        _drift(day, model, recorded.get((day, model)), billed.get((day, model)), within)
        for day, model in sorted(recorded.keys() | billed.keys(), key=lambda key: (key[0], key[1] or ""))
    )
    whole = _drift(None, None, together(recorded.values()), _sum(billed.values()), within)
    return Reconciliation(
        provider=provider,
        project=which.project,
        first=first,
        last=last,
        lines=lines,
        rows=rows,
        total=whole,
        agrees=all(row.verdict == "agrees" for row in rows),
    )


Recorded = dict[tuple[date, str | None], CostSum]


async def _recorded(store: "Store", which: CostFilter, *, has_models: bool) -> Recorded:
    """What was recorded, by day and by the names that models are compared by."""
    async with store.moment() as connection:
        found = await read_costs(connection, ("day", "model"), which)
    recorded: Recorded = {}
    for (day, model), each in found.groups:
        name = canonical(model) if has_models and model is not None else None
        key = (date.fromisoformat(day or ""), name)
        recorded[key] = together([recorded[key], each]) if key in recorded else each
    return recorded


def _sum(amounts: Iterable[Decimal]) -> Decimal | None:
    known = list(amounts)
    return summed(known) if known else None


def _drift(
    day: date | None, model: str | None, recorded: CostSum | None, billed: Decimal | None, tolerance: Tolerance
) -> Drift:
    ours = recorded.amount if recorded else None
    difference = EXACT.subtract(billed or _ZERO, ours or _ZERO)
    return Drift(
        day=day,
        model=model,
        recorded=ours,
        billed=billed,
        difference=difference,
        share=share_of(difference, billed),
        verdict=_verdict(ours, billed, tolerance),
        unknown=recorded.unknown if recorded else 0,
        estimated=recorded.estimated if recorded else 0,
    )


def _verdict(recorded: Decimal | None, billed: Decimal | None, tolerance: Tolerance) -> Verdict:
    if tolerance.allows(recorded or _ZERO, billed or _ZERO):
        return "agrees"
    if billed is None:
        return "only recorded"
    return "differs" if recorded is not None else "only billed"
