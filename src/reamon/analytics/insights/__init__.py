"""Insights: what the recorded costs say about where money goes, and where it need not. One module for each.

Each is a function from a scope to what it found there, and says nothing where there is too little to say it of.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal, localcontext
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.analytics.insights import (
    abandoned,
    dearest,
    degraded,
    escalation,
    other_models,
    outcomes,
    paths,
    prompts,
    repeated,
)
from reamon.analytics.insights.ended_calls import read_ended_calls
from reamon.analytics.insights.insight import Insight
from reamon.analytics.insights.scope import Scope, scope_of
from reamon.collectors import PriceBook
from reamon.errors import ConfigurationError
from reamon.model.cost import EXACT
from reamon.store.cost_filter import EVERY_COST, CostFilter
from reamon.store.projects import narrowed

if TYPE_CHECKING:
    from reamon.store import Store

__all__ = ["Insight", "cost_insights", "read_insights"]

MINIMUM: Final = 20
"""Of how many turns, calls or requests something is said, unless another number is asked for."""


async def _of_calls(scope: Scope) -> list[Insight]:
    """Escalation and outcomes: both tell of calls, which are read once."""
    ended = await read_ended_calls(scope)
    return [*escalation.told(scope, ended), *outcomes.told(scope, ended)]


_FINDERS: Final = (
    other_models.find,
    repeated.find,
    abandoned.find,
    degraded.find,
    _of_calls,
    dearest.find,
    paths.find,
    prompts.find,
)


async def cost_insights(
    store: "Store",
    which: CostFilter = EVERY_COST,
    *,
    book: PriceBook | None = None,
    alternatives: Sequence[tuple[str, str]] = (),
    minimum: int = MINIMUM,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> list[Insight]:
    """What can be learned from what was spent.

    Args:
        store: An open store; all is read as of one moment of it.
        which: The costs in question.
        book: The prices that other models are looked up in; genai-prices and what runs locally unless given.
        alternatives: Models to compare with beside those in use, as provider and name.
        minimum: Of how many turns, calls or requests something is said at least; 1 or more.
        progress: Told after each question that was looked into how many these are, and of how many.

    Returns:
        The insights, those that save most first.

    Raises:
        ConfigurationError: `minimum` is less than 1.
        StoreError: It is about another project than the one that is seen, or the store cannot be read.

    Example:
        ```python
        async with Store.open("calls.db") as store:
            for insight in await cost_insights(store, alternatives=[("openai", "gpt-4o-mini")]):
                print(insight.title, insight.saving_per_month, insight.caveats)
        ```
    """
    seen = msgspec.structs.replace(which, project=narrowed(store.project, which.project))
    async with store.moment() as connection:
        return await read_insights(
            connection, seen, book=book, alternatives=alternatives, minimum=minimum, progress=progress
        )


async def read_insights(
    connection: AsyncConnection,
    which: CostFilter = EVERY_COST,
    *,
    book: PriceBook | None = None,
    alternatives: Sequence[tuple[str, str]] = (),
    minimum: int = MINIMUM,
    progress: Callable[[int, int], object] = lambda done, of: None,
) -> list[Insight]:
    """`cost_insights`, over a connection; it sees every project."""
    if minimum < 1:
        raise ConfigurationError(f"minimum = {minimum}: nothing can be said of fewer than 1")
    prices = book or PriceBook()
    with localcontext(EXACT):  # whatever the application has made of its own
        scope = await scope_of(connection, which, minimum=minimum, book=prices, alternatives=tuple(alternatives))
        if scope is None:
            return []
        found: list[Insight] = []
        for done, find in enumerate(_FINDERS, 1):
            found += await find(scope)
            progress(done, len(_FINDERS))
        return sorted(found, key=lambda insight: insight.saving or Decimal(0), reverse=True)
