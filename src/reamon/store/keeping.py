"""Keeping: which tables in a database are ours, so that no application's migrations drop them.

Alembic's `autogenerate` takes every table that it finds, and that its application does not know, for one to drop. It
finds ours where both share a schema, or where it looks into all schemas.
"""

from typing import Any, Final

from reamon.store.postgres.weeks import is_partition
from reamon.store.search.fts import is_ours as is_of_search
from reamon.store.versions import VERSION_TABLE

_KEYS: Final = 2  # columns by which a table is told from another one of the same name


def keep_tables(thing: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Tell Alembic to leave our tables alone: for `include_object` in the `env.py` of the application.

    A table is ours if it has our name and our key, so one of the application's own that is called `operations` is
    treated as ever.

    Args:
        thing: What was found, or what the application's models have.
        name: What it is called.
        kind: "table", "index", ...
        reflected: Whether it was found in the database.
        compare_to: What the application's models have of that name; None for nothing.

    Returns:
        Whether Alembic may compare it, and so drop it.

    Example:
        ```python
        from reamon.store import keep_tables

        context.configure(connection=connection, target_metadata=metadata, include_object=keep_tables)
        ```
    """
    if kind != "table" or not reflected or compare_to is not None or name is None:
        return True
    return not _is_ours(name, {column.name for column in thing.columns})


def is_beside_the_models(name: str | None) -> bool:
    """Whether a table is made by us and not by a migration: a partition, or part of the index of the search.

    Example:
        >>> is_beside_the_models("operations_p20261123_20261130"), is_beside_the_models("operations")
        (True, False)
    """
    return is_of_search(name) or is_partition(name or "")


def _is_ours(name: str, columns: set[str]) -> bool:
    from reamon.store.postgres.tables import metadata as of_postgres  # noqa: PLC0415 - slow, and Alembic is there
    from reamon.store.tables import metadata  # noqa: PLC0415 - see above

    if name == VERSION_TABLE:
        return columns == {"version_num"}
    tables = {**metadata.tables, **of_postgres.tables}
    table = tables.get(name)
    if table is None:
        return is_beside_the_models(name)
    return {column.name for column in list(table.columns)[:_KEYS]} <= columns
