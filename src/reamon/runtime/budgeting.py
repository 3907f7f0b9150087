"""Budgets in a runtime: the collector that counts for them, and which of them the application asks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from reamon.protocols import Collector

if TYPE_CHECKING:
    from reamon.settings import MonitoringSettings


def collector_options(settings: "MonitoringSettings", collector: str) -> dict[str, Any]:
    """The options with which the collector of that name is made.

    Raises:
        ConfigurationError: Budgets that the settings describe cannot be used.
    """
    if collector != "budget":
        return settings.collector_options_of(collector)
    from reamon.budgets import Budgets  # noqa: PLC0415 - whoever limits nothing does not need it

    return {"budgets": Budgets.from_settings(settings)}


def with_budgets(collectors: Sequence[Collector], settings: "MonitoringSettings") -> list[Collector]:
    """The collectors, and that of budgets where the settings limit anything; it comes last, when costs are known."""
    chosen = list(collectors)
    if settings.budgets.is_used and all(collector.name != "budget" for collector in chosen):
        from reamon.budgets import BudgetCollector  # noqa: PLC0415 - see above

        chosen.append(BudgetCollector(**collector_options(settings, "budget")))
    return sorted(chosen, key=lambda collector: getattr(collector, "is_last", False))


def ask(collectors: Sequence[Collector]) -> None:
    """Make the budgets of these collectors those that `reamon.budgets.check()` asks."""
    for budgets in _of(collectors):
        from reamon.budgets.current import install  # noqa: PLC0415 - see above

        install(budgets)


def ask_no_more(collectors: Sequence[Collector]) -> None:
    """The runtime of these collectors has ended, and so have its budgets."""
    for budgets in _of(collectors):
        from reamon.budgets.current import current, install  # noqa: PLC0415 - see above

        if current() is budgets:
            install(None)


def _of(collectors: Sequence[Collector]) -> list[Any]:
    named = [collector for collector in collectors if collector.name == "budget"]
    return [collector.budgets for collector in named if hasattr(collector, "budgets")]
