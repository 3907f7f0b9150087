"""The scope of insights: which costs they are about, over what time, and how much it takes to say something."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import Column, ColumnElement, Select, Table, and_, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Figure, Insight
from reamon.collectors import PriceBook
from reamon.model.cost import EXACT, rounded
from reamon.store.conditions import in_seconds, in_time
from reamon.store.cost_filter import CostFilter
from reamon.store.cost_grouping import counting
from reamon.store.cost_queries import CostGroups, CostKey, CostSum, read_costs, together
from reamon.store.exact_sums import micros, rest, total
from reamon.store.views import COSTS, TRACES

EXAMPLES: Final = 3
"""How many traces an insight names."""

_SPENT_BY: Final = ("agent", "type", "model")
_ZERO: Final = Decimal(0)
_MONTH: Final = timedelta(days=30)
_SHORTEST: Final = timedelta(days=1)
_MICROSECOND: Final = timedelta(microseconds=1)


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What the insights are looked for in.

    Attributes:
        connection: To the store; all is read as of one moment.
        which: The costs in question.
        spent: What they come to, by agent, cost type and model.
        since: When the earliest of them arose.
        until: When the latest did.
        minimum: How many turns, calls or requests it takes to say something about them.
        book: The prices that other models are looked up in.
        alternatives: Models that could be used, as provider and name, beside those that are.
    """

    connection: AsyncConnection
    which: CostFilter
    spent: CostGroups
    since: datetime
    until: datetime
    minimum: int
    book: PriceBook
    alternatives: tuple[tuple[str, str], ...] = ()

    def insight(
        self,
        kind: str,
        title: str,
        *,
        amount: Decimal | None,
        rows: int,
        figures: dict[str, Figure],
        saving: Decimal | None = None,
        traces: Sequence[str] = (),
        caveats: Sequence[str] = (),
    ) -> Insight:
        """An insight about this scope, its saving projected to a month."""
        return Insight(
            kind=kind,
            title=title,
            amount=amount,
            saving=saving,
            saving_per_month=self.monthly(saving),
            figures=figures,
            traces=tuple(traces[:EXAMPLES]),
            rows=rows,
            since=self.since,
            until=self.until,
            caveats=tuple(caveats),
        )

    async def waste(
        self,
        kind: str,
        title: str,
        *,
        amount: Decimal | None,
        requests: int,
        rows: int,
        examples: tuple[ColumnElement[Any], Sequence[ColumnElement[bool]]],
        caveats: Sequence[str],
        figures: dict[str, Figure] | None = None,
    ) -> list[Insight]:
        """An insight about requests that need not have been made, where there are enough: all they cost is a saving.

        Args:
            kind: What it is about.
            title: It in a sentence.
            amount: What the requests cost.
            requests: How many they were.
            rows: How many rows that is read from.
            examples: The column with the ids of their traces, and the conditions that hold for them.
            caveats: What has to be known before anybody acts on it.
            figures: More of the evidence.
        """
        if not amount or requests < self.minimum:
            return []
        evidence: dict[str, Figure] = {"requests": requests, **(figures or {})}
        column, conditions = examples
        return [
            self.insight(
                kind,
                title,
                amount=amount,
                saving=amount,
                rows=rows,
                figures={**evidence, "share": share_of(amount, self.spent.total.amount)},
                traces=await self.examples(column, *conditions),
                caveats=caveats,
            )
        ]

    def spent_by(self, *names: str) -> CostGroups:
        """What was spent by some of "agent", "type" and "model", dearest first."""
        places = [_SPENT_BY.index(name) for name in names]
        parts: dict[CostKey, list[CostSum]] = {}
        for key, each in self.spent.groups:
            parts.setdefault(tuple(key[place] for place in places), []).append(each)
        groups = [(key, together(sums)) for key, sums in parts.items()]
        groups.sort(key=lambda group: [part or "" for part in group[0]])
        groups.sort(key=lambda group: (group[1].amount is not None, group[1].amount or _ZERO), reverse=True)
        return CostGroups(groups=groups, total=self.spent.total, number=len(groups))

    def monthly(self, amount: Decimal | None) -> Decimal | None:
        """What `amount` comes to in thirty days at the pace of the period; None where that is shorter than a day."""
        length = self.until - self.since
        if amount is None or length < _SHORTEST:
            return None
        times = EXACT.divide(Decimal(_MONTH // _MICROSECOND), Decimal(length // _MICROSECOND))
        return rounded(EXACT.multiply(amount, times))

    def turns(self) -> list[ColumnElement[bool]]:
        """The conditions of the turns that are meant, by their start."""
        which = self.which
        return [
            *in_seconds(TRACES.c.id, which.since, which.until),
            *in_time(TRACES.c.start_time, which.since, which.until),
            *([] if which.project is None else [TRACES.c.project == which.project]),
            *([] if which.call_id is None else [TRACES.c.call_id == which.call_id]),
        ]

    def spans(self, table: Table) -> list[ColumnElement[bool]]:
        """The conditions of the agents or operations that are meant, by their start."""
        which = self.which
        conditions: list[ColumnElement[bool]] = [
            *in_seconds(table.c.id, which.since, which.until),
            *in_time(table.c.start_time, which.since, which.until),
        ]
        owners = [
            *([] if which.project is None else [TRACES.c.project == which.project]),
            *([] if which.call_id is None else [TRACES.c.call_id == which.call_id]),
        ]
        if owners:
            conditions.append(table.c.trace_id.in_(select(TRACES.c.trace_id).where(*owners)))
        return conditions

    async def rows(self, query: Select[Any]) -> Sequence[Any]:
        """The rows that a query finds."""
        found: Sequence[Any] = (await self.connection.execute(query)).all()
        return found

    async def examples(self, column: ColumnElement[Any], *conditions: ColumnElement[bool]) -> list[str]:
        """A few ids of traces for which the conditions hold."""
        query = select(column).where(*conditions).distinct().limit(EXAMPLES)
        return [str(trace_id) for trace_id in await self.connection.scalars(query)]


def sums(column: ColumnElement[Any] | Column[Any]) -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    """The two parts of an exact sum of money; `reamon.store.exact_sums.usd` puts them together."""
    return total(micros(column)), total(rest(column))


def call_of() -> ColumnElement[Any]:
    """What a turn belongs to: its call, else the trace itself."""
    return func.coalesce(TRACES.c.call_id, TRACES.c.trace_id)


def mean(amount: Decimal, number: int) -> Decimal:
    """The mean of so many, rounded to twelve places."""
    return rounded(EXACT.divide(amount, Decimal(number)))


async def scope_of(
    connection: AsyncConnection,
    which: CostFilter,
    *,
    minimum: int,
    book: PriceBook,
    alternatives: tuple[tuple[str, str], ...] = (),
) -> Scope | None:
    """The scope of some costs; None where there are none."""
    ends = [
        (await connection.execute(select(end(COSTS.c.timestamp)).where(*counting(which)))).scalar_one()
        for end in (func.min, func.max)
    ]
    first, last = ends
    if first is None or last is None:
        return None
    return Scope(
        connection=connection,
        which=which,
        spent=await read_costs(connection, _SPENT_BY, which),
        since=first,
        until=last,
        minimum=minimum,
        book=book,
        alternatives=alternatives,
    )


def same_agent(costs: Any, agents: Any) -> ColumnElement[bool]:
    """The condition that an agent is the nearest one of a cost detail; led by the index over both."""
    return and_(agents.c.trace_id == costs.c.trace_id, agents.c.span_id == costs.c.agent_id)


def in_usd(amount: Decimal) -> str:
    """An amount in a sentence, to four places of those that it has.

    Example:
        >>> in_usd(Decimal("0.071234567890")), in_usd(Decimal("1234.5"))
        ('$0.0712', '$1,234.5000')
    """
    return f"${amount:,.4f}"
