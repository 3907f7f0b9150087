"""Alerts: the repository of what rules have found, and of what has become of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Column, RowMapping, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.errors import StoreError
from reamon.model import Alert
from reamon.store.changes import check_time, owned
from reamon.store.conditions import Condition, equals, has_labels, in_time, is_one_of
from reamon.store.filters import AlertFilter
from reamon.store.listing import Listing, Search
from reamon.store.views import ALERTS, alert


class AlertRepository(Listing[Alert, AlertFilter]):
    """The alerts of a store (`store.alerts`), whatever became of them.

    Example:
        ```python
        await store.alerts.create(Alert(alert_id=new_id, rule="dear_calls", severity="warning", state="firing", ...))
        mine = await store.alerts.transition(new_id, "resolved", expected="firing", resolved_at=now)
        open_ones = await store.alerts.query(AlertFilter(open=True))
        ```
    """

    name: ClassVar[str] = "alerts"
    _filters = AlertFilter
    _columns: ClassVar[Sequence[Column[Any]]] = tuple(ALERTS.columns)
    _keys: ClassVar[tuple[Column[Any], ...]] = (ALERTS.c.triggered_at, ALERTS.c.alert_id)

    async def get(self, alert_id: str) -> Alert | None:
        """One alert; None where there is none of that id, or it is another project's."""
        return await self._one(ALERTS.c.alert_id == alert_id)

    async def create(self, new: Alert) -> Alert:
        """Store an alert.

        Args:
            new: The alert. One that names no project gets the one that the store was opened for.

        Returns:
            It, as it was stored.

        Raises:
            StoreError: There is one of its id already, a time is naive, or its project is another than the store's.
        """
        check_time("triggered_at", new.triggered_at)
        check_time("resolved_at", new.resolved_at)
        stored = msgspec.structs.replace(new, project=owned(self._database, new.project))
        try:
            async with self._database.change() as connection:
                await connection.execute(insert(ALERTS), [msgspec.structs.asdict(stored)])
        except StoreError as error:
            if isinstance(error.__cause__, IntegrityError):
                raise StoreError(f"there is an alert with the id {new.alert_id!r} already") from error
            raise
        return stored

    async def transition(
        self,
        alert_id: str,
        state: str,
        *,
        expected: str | None = None,
        message: str | None = None,
        severity: str | None = None,
        resolved_at: datetime | None = None,
        acknowledged_by: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> bool:
        """Take an alert to another state, unless another process has done so before.

        Args:
            alert_id: Its id.
            state: Where in its life it is from now on.
            expected: The state that it has to be in for that; any unless given.
            message: What it says from now on; as before unless given, as are all that follow.
            severity: How bad it is from now on.
            resolved_at: When it ended, aware.
            acknowledged_by: Who has seen it.
            metadata: Whatever else belongs to it.

        Returns:
            Whether it was this call that changed it: False where there is no such alert (of the project that is seen),
            or it was in another state.

        Raises:
            StoreError: The time is naive, or the store cannot be changed.
        """
        check_time("resolved_at", resolved_at)
        named = {
            "message": message,
            "severity": severity,
            "resolved_at": resolved_at,
            "acknowledged_by": acknowledged_by,
            "metadata": metadata,
        }
        changed = {"state": state} | {name: value for name, value in named.items() if value is not None}
        conditions = [ALERTS.c.alert_id == alert_id, *equals(ALERTS.c.state, expected), *self._may_be_seen()]
        async with self._database.change() as connection:
            statement = update(ALERTS).where(*conditions).values({ALERTS.c[name]: changed[name] for name in changed})
            return bool((await connection.execute(statement)).rowcount)

    async def _search(self, connection: AsyncConnection, which: AlertFilter) -> Search:
        conditions = [
            *equals(ALERTS.c.rule, which.rule),
            *has_labels(ALERTS.c.labels, which.labels, self._database.dialect),
            *is_one_of(ALERTS.c.severity, which.severity),
            *is_one_of(ALERTS.c.state, which.state),
            *_lasts(which.open),
            *in_time(ALERTS.c.triggered_at, which.since, which.until),
            *equals(ALERTS.c.project, which.project),
        ]
        return Search(conditions, self._keys)

    def _may_be_seen(self) -> list[Condition]:
        return equals(ALERTS.c.project, self._database.project)

    def _view(self, row: RowMapping) -> Alert:
        return alert(row)


def _lasts(wanted: bool | None) -> list[Condition]:
    if wanted is None:
        return []
    return [ALERTS.c.resolved_at.is_(None) if wanted else ALERTS.c.resolved_at.is_not(None)]
