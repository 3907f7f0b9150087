"""Repricing: what the past costs at other prices, with the old figures kept.

Details that no longer count stay, marked with the repricing that put others in their place (`superseded_by`); a price
that comes back makes its old details count again. Each portion of traces is changed in one short transaction, sums
included. So a repricing may be killed at any moment and run again: what is right already is left alone.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from secrets import randbits
from typing import Any, Final

from sqlalchemy import bindparam, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.errors import StoreError
from reamon.model import CostDetail
from reamon.model.cost import EXACT
from reamon.model.ids import RANDOM_BITS, uuid7
from reamon.store.consumption import Consumption, next_traces, read_consumption
from reamon.store.cost_filter import CostFilter
from reamon.store.database import Database
from reamon.store.postgres.locks import totals_numbers
from reamon.store.postgres.urls import DEFAULT_SCHEMA
from reamon.store.revisions import Pricer, Revision, known, revisions_of
from reamon.store.tables import metadata
from reamon.store.totals import refresh_totals
from reamon.store.views import COSTS

_REPRICINGS: Final = metadata.tables["repricings"]
_KEY: Final = ("span_id", "cost_type", "price_version", "item")
_PORTION: Final = 100
_LONGEST_PAUSE: Final = 0.05
_ATTEMPTS: Final = 5
_DEADLOCK: Final = "40P01"
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('reamon.repricing'))")
_LOCK_TOTALS: Final = text("SELECT pg_advisory_xact_lock(number) FROM unnest(CAST(:numbers AS bigint[])) AS number")


class Repricer:
    """Prices the past anew.

    Args:
        database: The store.
        pricer: What details should be.
        version: Which edition of prices that is.
        which: What is priced anew, by the ends of its spans and their project; the rest of it is not heeded.
        dry_run: Change nothing.
        told: Called with the revisions of each portion, after its transaction.

    Attributes:
        repricing_id: The row of `repricings`; None as long as nothing was changed.
    """

    def __init__(
        self,
        database: Database,
        pricer: Pricer,
        version: str,
        which: CostFilter,
        *,
        dry_run: bool = False,
        told: Callable[[Sequence[Revision]], object] = lambda _: None,
    ) -> None:
        self._database = database
        self._pricer = pricer
        self._version = version
        self._which = which
        self._dry_run = dry_run
        self._told = told
        self.repricing_id: str | None = None

    async def run(self) -> None:
        """Go through all traces.

        Raises:
            StoreError: The database could not answer or be changed; what was done until then stands.
        """
        after = ""
        while True:
            began = time.monotonic()
            async with self._database.moment() as connection:
                trace_ids = await next_traces(connection, after, _PORTION)
                if self._dry_run:
                    self._told(await self._revisions(connection, trace_ids))
            if not trace_ids:
                return
            if not self._dry_run:
                self._told(await self._reprice(trace_ids))
                await asyncio.sleep(min(time.monotonic() - began, _LONGEST_PAUSE))  # writers have their turn
            after = trace_ids[-1]

    async def _reprice(self, trace_ids: Sequence[str]) -> list[Revision]:
        """Price a portion anew; once more where PostgreSQL chose it to give way to a writer."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._reprice_once(trace_ids)
            except StoreError as error:
                if getattr(getattr(error.__cause__, "orig", None), "sqlstate", None) != _DEADLOCK:
                    raise
        return await self._reprice_once(trace_ids)

    async def _reprice_once(self, trace_ids: Sequence[str]) -> list[Revision]:
        repricing_id = self.repricing_id
        async with self._database.change() as connection:
            if not self._database.is_sqlite:
                await connection.execute(_LOCK)
            revisions = await self._revisions(connection, trace_ids)
            changed = [revision for revision in revisions if revision.changes]
            if changed:
                repricing_id = await self._change(connection, changed)
        self.repricing_id = repricing_id  # now that it is committed
        return revisions

    async def _change(self, connection: AsyncConnection, changed: Sequence[Revision]) -> str:
        trace_ids = sorted({revision.span.trace_id for revision in changed})
        repricing_id = await self._record(connection, changed)
        await _mark(connection, [detail for revision in changed for detail in revision.superseded], repricing_id)
        await _mark(connection, [detail for revision in changed for detail in revision.revived], None)
        rows = [row for revision in changed for row in revision.rows()]
        if rows:
            await connection.execute(insert(COSTS), rows)
        if not self._database.is_sqlite:
            await _lock_totals(connection, trace_ids)
        await refresh_totals(connection, trace_ids)
        return repricing_id

    async def _revisions(self, connection: AsyncConnection, trace_ids: Sequence[str]) -> list[Revision]:
        spans = await read_consumption(connection, trace_ids)
        return [revision for span in spans if self._is_meant(span) for revision in revisions_of(span, self._pricer)]

    def _is_meant(self, span: Consumption) -> bool:
        which, moment = self._which, span.moment
        return (
            (which.project is None or span.project == which.project)
            and (which.since is None or moment >= which.since)
            and (which.until is None or moment < which.until)
        )

    async def _record(self, connection: AsyncConnection, changed: Sequence[Revision]) -> str:
        """Keep account of the repricing; its row comes with the first change that it makes."""
        before = known(detail for revision in changed for detail in revision.before)
        after = known(detail for revision in changed for detail in revision.after)
        number = sum(len(revision.after) for revision in changed)
        if self.repricing_id is None:
            repricing_id = uuid7(time.time_ns(), randbits(RANDOM_BITS))
            row = self._row(repricing_id, number, before, after)
            await connection.execute(insert(_REPRICINGS).values(row))
            return repricing_id
        is_it = _REPRICINGS.c.repricing_id == self.repricing_id
        so_far = (await connection.execute(select(_REPRICINGS).where(is_it))).mappings().one()
        sums = {
            "details": so_far["details"] + number,
            "total_before": EXACT.add(so_far["total_before"], before),
            "total_after": EXACT.add(so_far["total_after"], after),
        }
        await connection.execute(update(_REPRICINGS).where(is_it).values(sums))
        return self.repricing_id

    def _row(self, repricing_id: str, details: int, before: Decimal, after: Decimal) -> dict[str, Any]:
        return {
            "repricing_id": repricing_id,
            "timestamp": datetime.now(UTC),
            "price_version": self._version,
            "project": self._which.project,
            "since": self._which.since,
            "until": self._which.until,
            "details": details,
            "total_before": before,
            "total_after": after,
        }


async def _mark(connection: AsyncConnection, details: Sequence[CostDetail], repricing_id: str | None) -> None:
    """Say by which repricing details were superseded; None: they count again."""
    if not details:
        return
    is_it = [COSTS.c[name] == bindparam(f"key_{name}") for name in _KEY]
    rows = [{f"key_{name}": getattr(detail, name) for name in _KEY} for detail in details]
    await connection.execute(update(COSTS).where(*is_it).values(superseded_by=repricing_id), rows)


async def _lock_totals(connection: AsyncConnection, trace_ids: Sequence[str]) -> None:
    """Take the lock under which writers, too, add up the costs of these traces; like them after the details."""
    names = connection.sync_engine.get_execution_options().get("schema_translate_map", {})
    numbers = totals_numbers(names.get(None) or DEFAULT_SCHEMA, set(trace_ids))
    await connection.execute(_LOCK_TOTALS, {"numbers": numbers})
