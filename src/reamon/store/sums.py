"""Sums: what traces and agents have cost, added up exactly from the cost details in the store."""

import sqlite3
from collections.abc import Collection
from decimal import Decimal
from typing import Final

import msgspec

from reamon.model.cost import EXACT
from reamon.store.rows import NO_COST, NULL, TraceCost

_ZERO: Final = Decimal(0)
_SELECT: Final = (
    "SELECT trace_id, agent_id, cost_amount FROM cost_details"
    " WHERE trace_id IN (SELECT value FROM json_each(?)) AND superseded_by IS NULL"
)


class Sums:
    """What some traces and their agents have cost so far."""

    def __init__(self) -> None:
        self._traces: dict[str, Decimal] = {}
        self._agents: dict[str, Decimal] = {}
        self._unknown: set[str] = set()

    def add(self, trace_id: str, agent_id: str | None, amount: str | None) -> None:
        """Count one cost detail; `amount` is None where no price was known."""
        if amount is None:
            self._unknown.add(trace_id)
            return
        number = Decimal(amount)
        self._traces[trace_id] = EXACT.add(self._traces.get(trace_id, _ZERO), number)
        if agent_id is not None:
            self._agents[agent_id] = EXACT.add(self._agents.get(agent_id, _ZERO), number)

    def of_trace(self, trace_id: str) -> TraceCost:
        """The trace's total and what it is worth, as its row says them."""
        total = self._traces.get(trace_id)
        if total is None:
            return NO_COST
        return TraceCost(format(total, "f"), "partial" if trace_id in self._unknown else "complete")

    def of_agent(self, agent_id: str) -> str | float:
        """The agent's cost, as its row says it."""
        total = self._agents.get(agent_id)
        return NULL if total is None else format(total, "f")


def read_sums(connection: sqlite3.Connection, trace_ids: Collection[str]) -> Sums:
    """Add up all cost details of these traces."""
    sums = Sums()
    if trace_ids:
        wanted = msgspec.json.encode(list(trace_ids)).decode()
        for trace_id, agent_id, amount in connection.execute(_SELECT, (wanted,)):
            sums.add(trace_id, agent_id, amount)
    return sums
