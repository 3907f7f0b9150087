"""The step that `reamon migrate` takes from one version of a store to another, and what a step back loses."""

from pathlib import Path
from typing import Final

from reamon.errors import StoreError
from reamon.store.versions import NO_TABLES, SCHEMA_VERSION

LOST: Final = {
    "0001": "everything that was recorded",
    "0002": "repricings and the cost details that they superseded, budgets, metrics, alerts, receipts of erasures, and "
    "the projects of cost details",
}
"""What a step back from each version takes with it."""


def step(target: Path | str, schema: str | None, before: str | None, wanted: str, *, may_lose: bool) -> None:
    """Take a store of any kind from one version to another.

    Raises:
        StoreError: It would lose something, and that was not allowed; or the store is newer than this reamon.
    """
    from reamon.store.migrate import downgrade, upgrade  # noqa: PLC0415 - brings Alembic

    at = before or NO_TABLES
    if at > SCHEMA_VERSION:
        raise StoreError(f"the store has schema {at} and this reamon knows {SCHEMA_VERSION}: upgrade reamon")
    if wanted >= at:
        upgrade(target, wanted, schema=schema)
        return
    if not may_lose:
        lost = "; ".join(LOST[version] for version in sorted(LOST, reverse=True) if wanted < version <= at)
        raise StoreError(
            f"to go back from schema {at} to {wanted} loses: {lost}. Make a copy of the store, then add --downgrade"
        )
    downgrade(target, "base" if wanted == NO_TABLES else wanted, schema=schema)
