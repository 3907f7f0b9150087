"""Turns that came to nothing, or not to what they should: what they cost."""

from decimal import Decimal
from typing import Final

from sqlalchemy import func, select

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import Scope, sums
from reamon.store.exact_sums import usd
from reamon.store.views import TRACES

LOST: Final = ("failed", "cancelled", "interrupted")
POOR: Final = ("degraded",)


async def find(scope: Scope) -> list[Insight]:
    """What failed, cancelled, interrupted and degraded turns cost."""
    query = (
        select(TRACES.c.status, func.count(), func.count(TRACES.c.total_cost), *sums(TRACES.c.total_cost))
        .where(*scope.turns())
        .group_by(TRACES.c.status)
    )
    rows = await scope.rows(query)
    turns = {str(status): int(number) for status, number, *_ in rows}
    costs = {str(row[0]): amount for row in rows if (amount := usd(row[3], row[4])) is not None}
    bad = {status: costs[status] for status in (*LOST, *POOR) if status in costs}
    number = sum(turns[status] for status in bad)
    amount = sum(bad.values(), Decimal(0))
    if sum(turns.values()) < scope.minimum or not amount:
        return []
    lost = sum((bad[status] for status in LOST if status in bad), Decimal(0))
    figures: dict[str, Figure] = {"turns": number, "of all turns": sum(turns.values())}
    figures |= {f"{status} turns": turns[status] for status in bad}
    figures |= {f"cost of {status} turns": cost for status, cost in bad.items()}
    figures["share"] = share_of(amount, sum(costs.values(), Decimal(0)))
    return [
        scope.insight(
            "degraded",
            f"{number:,} turns ended {' or '.join(bad)}",
            amount=amount,
            saving=lost or None,
            rows=number,
            figures=figures,
            traces=await scope.examples(TRACES.c.trace_id, *scope.turns(), TRACES.c.status.in_(tuple(bad))),
            caveats=(
                "the saving is that of turns that came to nothing; a degraded one has answered, if not as it should",
            ),
        )
    ]
