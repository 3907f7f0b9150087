"""Versions of the store's schema: which one this reamon reads and writes, and what to do about another."""

from typing import Final

from reamon.errors import StoreError

SCHEMA_VERSION: Final = "0002"
"""The newest migration: what a file has to be at to be written to."""

VERSION_TABLE: Final = "reamon_alembic_version"
"""Where Alembic keeps the version; its usual name is left to the host's own migrations."""

NO_TABLES: Final = "0000"  # what Alembic leaves after a downgrade to "base": its own table, and no version in it


def is_newer(version: str) -> bool:
    """Whether a newer reamon made a store of this version; one that is no number can only be a later idea of ours."""
    return not version.isdecimal() or int(version) > int(SCHEMA_VERSION)


def remedy_for(version: str | None) -> str:
    """What to do about a store of another version than this reamon's; None for one that has none.

    Example:
        >>> remedy_for("0001"), remedy_for("9999")
        ('run `reamon migrate`', 'upgrade reamon')
    """
    return "upgrade reamon" if version is not None and is_newer(version) else "run `reamon migrate`"


def wrong_version(place: object, version: str | None) -> StoreError:
    """What to raise where a store is not of this reamon's version; None for one that has none."""
    has_none = version in {None, NO_TABLES}
    what = "no tables of reamon's" if has_none else f"schema {version} and this reamon reads {SCHEMA_VERSION}"
    where = "" if version is not None and is_newer(version) else " (--db or --url says which)"
    return StoreError(f"{place} has {what}: {remedy_for(version)}{where}")
