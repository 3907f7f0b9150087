"""Retention: what is older than somebody wants to keep goes, in transactions so short that no writer notices.

The detail of a trace (its rows in `operations` and `agent_executions`, and the payloads of its root) goes as a whole,
by the age of the trace, since children start later than their root; what still runs stays, however old. Its row in
`workflow_traces` stays as the summary, `total_cost` included.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from reamon.store.administration import SQLiteStore, opened
from reamon.store.limits import Limits
from reamon.store.projects import Project, visible
from reamon.store.pruning import Pruned, Pruning, oldest_kept, row_bound

__all__ = ["COUNTED_UP_TO", "Limits", "Pruned", "overdue", "prune", "vacuum"]


def prune(
    target: Path | str,
    limits: Limits,
    *,
    project: Project = None,
    dry_run: bool = False,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[Pruned], object] | None = None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> Pruned:
    """Delete what is older than the limits.

    It may be stopped at any moment, killed as well, and run again; several at once do no harm. Writers get in between
    any two of its transactions.

    Args:
        target: The store: a SQLite file, or the URL of a database.
        limits: How long each kind of data is kept.
        project: Only what belongs to this project; `ALL_PROJECTS`: everything; None: the configured one, and where none
            is, everything. Spans whose root never came belong to no project, so they go only with everything.
        dry_run: Only count.
        now: The time; for tests.
        progress: Told after each transaction how far it is.
        is_wanted: Asked between transactions whether to go on.

    Raises:
        StoreError: There is no store, or it cannot be used.
    """
    with opened(target, writable=not dry_run) as database:
        pruning = Pruning(
            database, limits, visible(project), now(), dry_run=dry_run, progress=progress, is_wanted=is_wanted
        )
        pruning.run()
        return pruning.result()


COUNTED_UP_TO: Final = 100_000
"""Rows up to which `overdue` counts."""


def overdue(
    target: Path | str, limits: Limits, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> dict[str, int]:
    """How many rows of the tables that grow fastest are older than the limits, quickly: up to `COUNTED_UP_TO`.

    Rows of workflows that still run are among them, though they would stay.

    Raises:
        StoreError: There is no store, or it cannot be used.
    """
    found = {}
    with opened(target, writable=False) as database:
        for table, column, limit in (
            ("operations", "start_time", limits.detail),
            ("agent_executions", "start_time", limits.detail),
            ("cost_details", "timestamp", limits.costs),
        ):
            before = None if limit is None else oldest_kept(now(), limit)
            if before is None:
                continue
            bound = "" if table == "cost_details" else f"id < {row_bound(before)} AND "
            query = f"SELECT 1 FROM {table} WHERE {bound}{column} < ? LIMIT {COUNTED_UP_TO}"
            ((rows,),) = database.rows(f"SELECT count(*) FROM ({query}) AS old", database.moment(before))
            if rows:
                found[table] = rows
    return found


def vacuum(target: Path | str) -> None:
    """Give the disk back what was deleted. SQLite copies the whole file for it, and writers wait meanwhile.

    Raises:
        StoreError: There is no store, or it cannot be used.
    """
    with opened(target, writable=True) as database:
        database.change("VACUUM")
        if isinstance(database, SQLiteStore):
            database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
