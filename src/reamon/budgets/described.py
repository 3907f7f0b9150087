"""Budgets as settings describe them."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reamon.budgets.budget import EACH, Budget
from reamon.budgets.periods import Per
from reamon.settings import MonitoringSettings, split_names

if TYPE_CHECKING:
    from reamon.budgets.ledger import BudgetLedger
    from reamon.settings.budgets import BudgetSettings


def arguments_of(settings: MonitoringSettings | None = None) -> dict[str, Any]:
    """The arguments of `Budgets` that settings say; those of the environment unless given.

    Raises:
        ConfigurationError: One of them cannot be used.

    Example:
        >>> said = arguments_of(MonitoringSettings(budgets={"day": 50, "call": "0.10"}))
        >>> [(budget.name, str(budget.limit)) for budget in said["budgets"]]
        [('call', '0.10'), ('day', '50')]
    """
    known = MonitoringSettings() if settings is None else settings
    own = known.budgets
    return {
        "budgets": tuple(_described(own)),
        "state": _store_of(known) if own.state == "store" else own.state,
        "on_unreachable": own.on_unreachable,
        "project": known.project,
        "timeout": own.timeout,
        "reservation_ttl": own.reservation_ttl,
    }


def _described(own: "BudgetSettings") -> Iterator[Budget]:
    common: dict[str, Any] = {
        "timezone": own.timezone,
        "warn_at": split_names(own.warn_at),
        "degrade_at": own.degrade_at,
        "stop_at": own.stop_at,
        "on_exceeded": own.on_exceeded,
    }
    kinds: tuple[Per, ...] = ("call", "day", "week", "month", "total")
    for per in kinds:
        limit = getattr(own, per)
        spike = own.spike if per == "day" else None
        if limit is not None or spike is not None:
            yield Budget(per, limit, per, spike=spike, **common)
    if own.project_day is not None:
        yield Budget("project_day", own.project_day, "day", EACH, **common)


def _store_of(settings: MonitoringSettings) -> "Path | BudgetLedger":
    """The store that spans go to: the file, or PostgreSQL where that is the exporter."""
    if "postgres" not in settings.exporters_in_use or "sqlite" in settings.exporters_in_use:
        return Path(settings.options_of("sqlite")["path"])
    from reamon.budgets.ledgers.postgres import PostgresLedger  # noqa: PLC0415 - brings psycopg

    own = settings.postgres
    url = "" if own.url is None else own.url.get_secret_value()
    return PostgresLedger(url, schema=own.schema, migrate=own.migrate, timeout=settings.budgets.timeout)
