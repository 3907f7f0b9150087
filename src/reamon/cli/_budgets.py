"""The budgets of the settings, opened to look at them: what a command does must not make a store."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from reamon.budgets import Budgets
from reamon.budgets.described import arguments_of
from reamon.budgets.ledgers import open_ledger

if TYPE_CHECKING:
    from reamon.budgets.ledger import BudgetLedger
    from reamon.settings import MonitoringSettings


@contextmanager
def looked_at(settings: "MonitoringSettings") -> "Iterator[tuple[Budgets, BudgetLedger]]":
    """The budgets that the settings describe, and where it is kept what was spent.

    Raises:
        ConfigurationError: They cannot be used.
        MissingExtraError: The state needs a library that is not installed.
    """
    described = arguments_of(settings)
    if not described["budgets"] or _is_missing(described["state"]):
        described["state"] = "memory"  # nothing was spent yet
    ledger = described["state"] = open_ledger(described["state"], described["timeout"])
    with Budgets(**described) as budgets:
        yield budgets, ledger


def _is_missing(state: object) -> bool:
    """Whether the state is to be in a file, and there is none yet."""
    return isinstance(state, str | os.PathLike) and "://" not in str(state) and not Path(state).exists()
