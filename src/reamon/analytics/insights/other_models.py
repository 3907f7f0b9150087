"""Other models: what the same tokens would have cost with another one."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Select, case, func, literal, select

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Insight
from reamon.analytics.insights.scope import Scope, in_usd
from reamon.collectors import PriceBook
from reamon.collectors.prices import Prices, details
from reamon.model import Usage
from reamon.model.cost import EXACT
from reamon.store.cost_grouping import UTC_ONLY
from reamon.store.local_times import local
from reamon.store.views import OPERATIONS

Model = tuple[str, str]
"""A provider and a model of it."""

_DEAREST: Final = 3
_WORTHWHILE: Final = Decimal("0.05")
"""A saving is told from this part of the cost on."""


class _Tokens(msgspec.Struct, frozen=True):
    """Tokens of one model and day, of requests whose prompts are in one tier of every price in question."""

    model: Model
    day: date
    requests: int
    longest: int
    usage: Usage


async def find(scope: Scope) -> list[Insight]:
    """For the dearest models, what the cheapest other one that is in use, or was named, would have cost."""
    tokens = await _read(scope)
    by_model: dict[Model, list[_Tokens]] = {}
    for each in tokens:
        by_model.setdefault(each.model, []).append(each)
    priced = {model: cost for model, some in by_model.items() if (cost := _cost(scope.book, some, model))}
    found: list[Insight] = []
    for model, cost in sorted(priced.items(), key=lambda item: (-item[1], item[0]))[:_DEAREST]:
        some = by_model[model]
        if sum(each.requests for each in some) < scope.minimum:
            continue
        for other, its_cost in _cheaper(scope, some, model, cost, priced.keys()):
            found.append(await _told(scope, some, (model, cost), (other, its_cost)))
    return found


def _cheaper(
    scope: Scope, tokens: Sequence[_Tokens], model: Model, cost: Decimal, in_use: Iterable[Model]
) -> list[tuple[Model, Decimal]]:
    """The cheapest of the models in use, and each that was named, as far as it is worth while."""
    known = {
        other: its_cost
        for other in {*in_use, *scope.alternatives} - {model}
        if (its_cost := _cost(scope.book, tokens, other)) is not None
    }
    worthwhile = {
        other: its_cost
        for other, its_cost in known.items()
        if EXACT.subtract(cost, its_cost) >= EXACT.multiply(_WORTHWHILE, cost)
    }
    of_use = sorted((its_cost, other) for other, its_cost in worthwhile.items() if other in set(in_use) and its_cost)
    chosen = {other for _, other in of_use[:1]} | (set(scope.alternatives) & worthwhile.keys())
    return sorted(((other, worthwhile[other]) for other in chosen), key=lambda item: (item[1], item[0]))


async def _told(
    scope: Scope, tokens: Sequence[_Tokens], now: tuple[Model, Decimal], then: tuple[Model, Decimal]
) -> Insight:
    (model, cost), (other, its_cost) = now, then
    saving = EXACT.subtract(cost, its_cost)
    requests = sum(each.requests for each in tokens)
    is_it = (OPERATIONS.c.provider == model[0], OPERATIONS.c.model == model[1])
    return scope.insight(
        "other model",
        f"what {'/'.join(model)} was asked would have cost {in_usd(its_cost)} with {'/'.join(other)}, "
        f"and not {in_usd(cost)}",
        amount=cost,
        saving=saving,
        rows=requests,
        figures={
            "requests": requests,
            "input tokens": sum(each.usage.input_tokens or 0 for each in tokens),
            "of these cached": sum(each.usage.cached_input_tokens or 0 for each in tokens),
            "output tokens": sum(each.usage.output_tokens or 0 for each in tokens),
            f"with {'/'.join(model)}": cost,
            f"with {'/'.join(other)}": its_cost,
            "share": share_of(saving, cost),
        },
        traces=await scope.examples(OPERATIONS.c.trace_id, *_requests(scope), *is_it),
        caveats=(
            "the other model may answer worse, need more tokens for the same text, or fill no cache",
            "both are the ordinary prices of each day by the price book in use, without batch discounts",
        ),
    )


def _cost(book: PriceBook, tokens: Sequence[_Tokens], model: Model) -> Decimal | None:
    """What the tokens cost with a model, each at the prices of its day; None where one of them is not known."""
    amount = Decimal(0)
    for each in tokens:
        prices = book.prices(*model, at=each.day)
        if prices is None:
            return None
        for detail in details(each.usage, _in_tier(prices, each.longest), "llm"):
            if detail.amount is None:
                return None
            amount = EXACT.add(amount, detail.amount)
    return amount


def _in_tier(prices: Prices, size: int) -> Prices:
    """The prices that count for prompts of this size."""
    units = {
        unit: msgspec.structs.replace(price, price=price.at(Decimal(size))[0], tiers=())
        for unit, price in prices.units.items()
    }
    return msgspec.structs.replace(prices, units=units)


def _thresholds(scope: Scope, models: Iterable[Model]) -> list[int]:
    """The sizes of prompts at which a price of one of the models changes."""
    found = {
        int(above)
        for model in models
        for moment in (scope.since, scope.until)
        if (prices := scope.book.prices(*model, at=moment)) is not None
        for price in prices.units.values()
        for above, _ in price.tiers
    }
    return sorted(found)


def _requests(scope: Scope) -> list[ColumnElement[bool]]:
    """The conditions of requests that were billed by tokens."""
    used = OPERATIONS.c
    return [
        used.model.is_not(None),
        used.provider.is_not(None),
        used.input_tokens.is_not(None),
        used.cost.is_not(None),
        *scope.spans(OPERATIONS),
    ]


async def _read(scope: Scope) -> list[_Tokens]:
    """All tokens; told apart by tiers only where a prompt was long enough for one, since that is read once more."""
    tokens = [_tokens(row) for row in await scope.rows(_query(scope))]
    thresholds = _thresholds(scope, {*(each.model for each in tokens), *scope.alternatives})
    if thresholds and any(each.longest > thresholds[0] for each in tokens):
        tokens = [_tokens(row) for row in await scope.rows(_query(scope, thresholds))]
    return tokens


def _query(scope: Scope, thresholds: Sequence[int] = ()) -> Select[Any]:
    """Requests and tokens by model, day and tier: as many rows as there are of those."""
    used = OPERATIONS.c
    tier: ColumnElement[int] = literal(0)
    for above in thresholds:
        tier = tier + case((used.input_tokens > above, 1), else_=0)
    requests = (
        select(
            used.provider,
            used.model,
            local("day", used.start_time, UTC_ONLY).label("day"),
            tier.label("tier"),
            used.input_tokens,
            used.output_tokens,
            used.cached_input_tokens,
        )
        .where(*_requests(scope))
        .subquery("requests")
    )
    keys = (requests.c.provider, requests.c.model, requests.c.day, requests.c.tier)
    return select(
        *keys,
        func.count().label("number"),
        func.max(requests.c.input_tokens).label("longest"),
        *(func.sum(requests.c[name]).label(name) for name in ("input_tokens", "output_tokens", "cached_input_tokens")),
    ).group_by(*keys)


def _tokens(row: Any) -> _Tokens:
    return _Tokens(
        model=(row.provider, row.model),
        day=date.fromisoformat(row.day),
        requests=int(row.number),
        longest=int(row.longest),
        usage=Usage(
            provider=row.provider,
            model=row.model,
            input_tokens=int(row.input_tokens),
            output_tokens=None if row.output_tokens is None else int(row.output_tokens),
            cached_input_tokens=None if row.cached_input_tokens is None else int(row.cached_input_tokens),
        ),
    )
