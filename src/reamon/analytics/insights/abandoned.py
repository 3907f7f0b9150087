"""Abandoned work: what went on, and was paid for, after the agent that wanted it had ended."""

from sqlalchemy import func, select

from reamon.analytics.insights.insight import Insight
from reamon.analytics.insights.scope import Scope, same_agent, sums
from reamon.store.cost_grouping import counting
from reamon.store.exact_sums import usd
from reamon.store.views import AGENTS, COSTS


async def find(scope: Scope) -> list[Insight]:
    """What requests cost whose answers came too late for their agent."""
    came_late = [*counting(scope.which), same_agent(COSTS, AGENTS), COSTS.c.timestamp > AGENTS.c.end_time]
    query = select(
        func.count(),
        func.count(COSTS.c.cost_amount),
        func.count(COSTS.c.span_id.distinct()),
        *sums(COSTS.c.cost_amount),
    ).where(*came_late)
    ((details, priced, requests, micros, rest),) = await scope.rows(query)
    return await scope.waste(
        "abandoned",
        f"{requests:,} requests went on after their agent had ended, and were paid for",
        amount=usd(micros, rest),
        requests=int(requests),
        rows=int(details),
        figures={"cost details": int(details), "without a known price": int(details - priced)},
        examples=(COSTS.c.trace_id, came_late),
        caveats=(
            "only what is cancelled early enough is not billed; a provider bills what it has answered",
            "what an agent starts on purpose and does not wait for is counted too",
        ),
    )
