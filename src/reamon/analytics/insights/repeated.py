"""Requests that were made more than once: identical ones within a turn, and retries after a failure."""

from typing import Any

from sqlalchemy import BigInteger, Subquery, Text, cast, func, literal_column, select

from reamon.analytics.insights.insight import Insight
from reamon.analytics.insights.scope import Scope, sums
from reamon.store.conditions import SQLITE
from reamon.store.exact_sums import usd
from reamon.store.views import OPERATIONS


async def find(scope: Scope) -> list[Insight]:
    """What was asked twice, and what was retried."""
    return [*await _identical(scope), *await _retried(scope)]


async def _identical(scope: Scope) -> list[Insight]:
    again = _asked_again(scope)
    query = select(func.count(), *sums(again.c.cost)).where(again.c.place > 1)
    ((requests, micros, rest),) = await scope.rows(query)
    return await scope.waste(
        "repeated requests",
        f"{requests:,} requests asked a model what it had been asked in the same turn already",
        amount=usd(micros, rest),
        requests=int(requests),
        rows=int(requests),
        examples=(again.c.trace_id, [again.c.place > 1]),
        caveats=(
            "identical are name, model and recorded input; what was cut off or redacted is not compared",
            "asking twice may be meant, where answers are compared or drawn by lot",
        ),
    )


def _asked_again(scope: Scope) -> Subquery:
    """The requests of a turn that are like another one of it, in their order; `place` is 1 for the first.

    Their inputs are long, so only those are compared that are equally long, on the same model, in the same turn.
    """
    used = OPERATIONS.c
    are_requests = [used.kind == "llm", used.cost.is_not(None), used.input_data.is_not(None), *scope.spans(OPERATIONS)]
    length = func.length(cast(used.input_data, Text))
    alike = (
        select(used.trace_id)
        .where(*are_requests)
        .group_by(used.trace_id, used.name, used.model, length)
        .having(func.count() > 1)
    )
    same = [used.trace_id, used.name, used.provider, used.model, cast(used.input_data, Text)]
    place = func.row_number().over(partition_by=same, order_by=used.id)
    return (
        select(used.trace_id, used.cost, place.label("place"))
        .where(*are_requests, used.trace_id.in_(alike))
        .subquery("again")
    )


async def _retried(scope: Scope) -> list[Insight]:
    made = _requests_made(scope.connection.dialect.name)
    says_so = cast(OPERATIONS.c.usage, Text).like('%"requests"%')  # most do not, and need not be read as JSON
    retried = [OPERATIONS.c.usage.is_not(None), says_so, made > 1, *scope.spans(OPERATIONS)]
    query = select(func.count(), func.sum(made - 1), *sums(OPERATIONS.c.cost)).where(*retried)
    ((operations, extra, micros, rest),) = await scope.rows(query)
    if operations < scope.minimum:
        return []
    return [
        scope.insight(
            "retries",
            f"{int(extra):,} requests were retries, of {operations:,} calls of models and services",
            amount=usd(micros, rest),
            rows=int(operations),
            figures={"calls that were retried": int(operations), "retries": int(extra)},
            traces=await scope.examples(OPERATIONS.c.trace_id, *retried),
            caveats=("whether a provider bills a request that failed is not recorded, so no saving is claimed",),
        )
    ]


def _requests_made(dialect: str) -> Any:
    """How many physical requests an operation made, by the first of its usages."""
    if dialect == SQLITE:
        return func.json_extract(cast(OPERATIONS.c.usage, Text), literal_column("'$[0].requests'"))
    text = func.json_extract_path_text(OPERATIONS.c.usage, literal_column("'0'"), literal_column("'requests'"))
    return cast(text, BigInteger)
