"""Alerts: what a rule has found, and what has become of it."""

from datetime import datetime
from typing import Any

import msgspec


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One firing of a rule (`alert_history`).

    Attributes:
        alert_id: Its id, which whoever creates it chooses.
        rule: The rule's name.
        labels: What it is about ({"agent": "scheduler"}).
        project: Whose alert it is; None where it is no project's.
        severity: How bad it is, in the rule's words ("warning", "critical").
        state: Where it is in its life ("firing", "acknowledged", "resolved").
        message: What happened, for people.
        triggered_at: When it began, aware.
        resolved_at: When it ended; None while it lasts.
        acknowledged_by: Who has seen it.
        metadata: Whatever else belongs to it.
    """

    alert_id: str
    rule: str
    labels: dict[str, str] = {}
    project: str | None = None
    severity: str
    state: str
    message: str
    triggered_at: datetime
    resolved_at: datetime | None = None
    acknowledged_by: str | None = None
    metadata: dict[str, Any] | None = None
