"""Metrics: one window of one series."""

from datetime import datetime

import msgspec


class PerformanceMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """What was counted in one window of one series (`performance_metrics`).

    Attributes:
        metric_type: What the series counts ("agent_latency").
        labels: What it is about ({"agent": "scheduler"}).
        window: How long the window is, in seconds.
        timestamp: When the window begins, aware.
        project: Whose series it is; None where it is no project's.
        count: How many were counted.
        errors: How many of them failed.
        sum: The sum of what was measured.
        sketch: Their distribution, in the form of whoever wrote it; None where only the sums are kept.
    """

    metric_type: str
    labels: dict[str, str] = {}
    window: int
    timestamp: datetime
    project: str | None = None
    count: int
    errors: int = 0
    sum: float = 0.0
    sketch: bytes | None = None
