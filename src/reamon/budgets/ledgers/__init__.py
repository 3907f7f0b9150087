"""Ledgers: in memory, in the store (SQLite, PostgreSQL), in Redis. None is imported before it is used."""

import os
from pathlib import Path

from reamon.budgets.ledger import BudgetLedger
from reamon.errors import ConfigurationError

_REDIS = ("redis://", "rediss://", "unix://")
_POSTGRES = ("postgresql://", "postgres://")


def open_ledger(state: "str | os.PathLike[str] | BudgetLedger", timeout: float) -> BudgetLedger:
    """The ledger that `state` names; a ledger is taken as it is.

    Args:
        state: "memory", "store", the path of an SQLite file, the address of a PostgreSQL or Redis server, or a ledger.
        timeout: Seconds to wait for an answer.

    Raises:
        ConfigurationError: It names none.
        MissingExtraError: A library is not installed.

    Example:
        >>> type(open_ledger("memory", 1.0)).__name__
        'MemoryLedger'
    """
    if not isinstance(state, str | os.PathLike):
        if not callable(getattr(state, "reserve", None)):
            raise ConfigurationError(
                f"Budgets(state={state!r}): it is 'memory', 'store', a path, an address or a ledger"
            )
        return state
    text = os.fspath(state)
    if text == "memory":
        from reamon.budgets.ledgers.memory import MemoryLedger  # noqa: PLC0415 - only the one that is used

        return MemoryLedger()
    if text.startswith(_REDIS):
        from reamon.budgets.ledgers.redis import RedisLedger  # noqa: PLC0415

        return RedisLedger(text, timeout=timeout)
    if text.startswith(_POSTGRES):
        from reamon.budgets.ledgers.postgres import PostgresLedger  # noqa: PLC0415

        return PostgresLedger(text, timeout=timeout)
    if "://" in text:
        scheme = text.partition("://")[0]
        raise ConfigurationError(
            f"Budgets: the state cannot be at {scheme}://...: it is redis://... or postgresql://..."
        )
    from reamon.budgets.ledgers.sqlite import SqliteLedger  # noqa: PLC0415
    from reamon.store.sqlite import default_path  # noqa: PLC0415

    return SqliteLedger(default_path() if text == "store" else Path(text), timeout=timeout)
