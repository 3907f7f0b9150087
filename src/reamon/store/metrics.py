"""Metrics: the repository of the windows of series."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar

import msgspec
from sqlalchemy import Column, RowMapping, and_
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.model import PerformanceMetrics
from reamon.store.changes import check_time, owned, upsert
from reamon.store.conditions import Condition, equals, has_labels, in_time, is_one_of
from reamon.store.filters import MetricFilter
from reamon.store.listing import Listing, Search
from reamon.store.views import METRICS, performance_metrics

_KEY = ("metric_type", "labels", "window", "timestamp", "project")


class MetricRepository(Listing[PerformanceMetrics, MetricFilter]):
    """The metrics of a store (`store.metrics`): one row for each series and window of time.

    Example:
        ```python
        await store.metrics.upsert([PerformanceMetrics(metric_type="turns", window=60, timestamp=minute, count=12)])
        last_hour = MetricFilter(metric_type="turns", window=60, since=now - timedelta(hours=1))
        windows = [metric async for metric in store.metrics.iterate(last_hour, order="oldest")]
        ```
    """

    name: ClassVar[str] = "metrics"
    _filters = MetricFilter
    _columns: ClassVar[Sequence[Column[Any]]] = tuple(METRICS.columns)
    _keys: ClassVar[tuple[Column[Any], ...]] = (
        METRICS.c.timestamp,
        METRICS.c.metric_type,
        METRICS.c.labels,
        METRICS.c.window,
        METRICS.c.project,
    )

    async def get(
        self,
        metric_type: str,
        window: int,
        timestamp: datetime,
        *,
        labels: Mapping[str, str] | None = None,
        project: str | None = None,
    ) -> PerformanceMetrics | None:
        """One window of one series; None where there is none.

        Args:
            metric_type: What the series counts.
            window: How long the window is, in seconds.
            timestamp: When it begins, aware.
            labels: All labels of the series.
            project: Whose series it is, where the store shows all of them.
        """
        check_time("timestamp", timestamp)
        wanted = {
            "metric_type": metric_type,
            "labels": dict(labels or {}),
            "window": window,
            "timestamp": timestamp,
            "project": self._database.narrowed(project) or "",
        }
        return await self._one(and_(*(METRICS.c[name] == value for name, value in wanted.items())))

    async def upsert(self, metrics: Iterable[PerformanceMetrics]) -> None:
        """Store windows, all of them or none; one that is there already is replaced as a whole.

        Args:
            metrics: The windows. Those that name no project get the one that the store was opened for.

        Raises:
            StoreError: A time is naive, a project is another than the store's, or the store cannot be changed.
        """
        rows = [self._row(metric) for metric in metrics]
        if rows:
            async with self._database.change() as connection:
                await connection.execute(upsert(METRICS, _KEY, self._database.dialect), rows)

    async def _search(self, connection: AsyncConnection, which: MetricFilter) -> Search:
        conditions = [
            *is_one_of(METRICS.c.metric_type, which.metric_type),
            *has_labels(METRICS.c.labels, which.labels, self._database.dialect),
            *equals(METRICS.c.window, which.window),
            *in_time(METRICS.c.timestamp, which.since, which.until),
            *equals(METRICS.c.project, which.project),
        ]
        return Search(conditions, self._keys)

    def _may_be_seen(self) -> list[Condition]:
        return equals(METRICS.c.project, self._database.project)

    def _view(self, row: RowMapping) -> PerformanceMetrics:
        return performance_metrics(row)

    def _row(self, metric: PerformanceMetrics) -> dict[str, Any]:
        check_time("timestamp", metric.timestamp)
        return msgspec.structs.asdict(metric) | {"project": owned(self._database, metric.project) or ""}
