"""The agents and models that cost most."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import select

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Figure, Insight
from reamon.analytics.insights.scope import Scope, mean
from reamon.store.cost_grouping import counting
from reamon.store.cost_queries import CostGroups, CostSum
from reamon.store.views import AGENTS, COSTS, TRACES

_NAMED: Final = 3
_KNOWN_ONLY: Final = "some of these costs have no known price and are not counted"


async def find(scope: Scope) -> list[Insight]:
    """What the dearest agent, and the dearest model, cost."""
    found: list[Insight] = []
    for kind in ("agent", "model"):
        groups = scope.spent_by(kind)
        for name, dearest in _worth_telling(scope, groups):
            amount, whole = dearest.amount, groups.total.amount
            share = share_of(amount, whole)
            if amount is None or share is None:
                continue
            found.append(
                scope.insight(
                    kind,
                    f"the {kind} {name} costs most: {100 * share:.0f} % of what was spent",
                    amount=amount,
                    rows=dearest.details,
                    figures={
                        "cost details": dearest.details,
                        "share": share,
                        "mean of a detail": mean(amount, dearest.details - dearest.unknown),
                        **_others(groups, name),
                    },
                    traces=await _examples(scope, kind, name),
                    caveats=(_KNOWN_ONLY,) if groups.total.unknown else (),
                )
            )
    return found


def _worth_telling(scope: Scope, groups: CostGroups) -> Iterator[tuple[str, CostSum]]:
    """The dearest that has a name, where there are others and enough of it."""
    named = [(key[0], each) for key, each in groups.groups if key[0] is not None]
    if groups.number > 1 and named and named[0][1].details >= scope.minimum:
        yield str(named[0][0]), named[0][1]


def _others(groups: CostGroups, name: str) -> dict[str, Figure]:
    others = [(key[0], each) for key, each in groups.groups if key[0] not in {None, name}]
    return {f"then {other}": each.amount for other, each in others[: _NAMED - 1]}


async def _examples(scope: Scope, kind: str, name: str) -> list[str]:
    if kind == "model":
        return await scope.examples(COSTS.c.trace_id, *counting(scope.which), COSTS.c.model == name)
    of_agent = select(AGENTS.c.trace_id).where(AGENTS.c.agent_type == name)
    return await scope.examples(TRACES.c.trace_id, *scope.turns(), TRACES.c.trace_id.in_(of_agent))
