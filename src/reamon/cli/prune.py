"""`reamon prune`: delete what is older than it has to be kept."""

import argparse
from datetime import timedelta
from typing import Any

from reamon.cli._asking import add_yes_option, is_agreed
from reamon.cli._output import add_json_option, show, show_done, write_json
from reamon.cli._progress import progress_of
from reamon.cli._projects import project_of
from reamon.cli._store import add_project_options, add_store_option, target_of
from reamon.store.limits import Limits
from reamon.store.pruning import Pruned
from reamon.terminal.document import Note, Text
from reamon.terminal.figures import count, duration

_KINDS = {
    "detail": "operations, agent executions and payloads of workflows",
    "costs": "cost details; totals of workflows stay",
    "metrics": "metrics",
    "alerts": "alerts that are over",
    "summaries": "workflows altogether",
}
_TOLD = {
    "operations": "operation",
    "agent_executions": "agent execution",
    "workflow_traces": "workflow's payloads",
    "cost_details": "cost detail",
    "performance_metrics": "metric",
    "alert_history": "alert",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon prune`."""
    for kind, what in _KINDS.items():
        parser.add_argument(
            f"--{kind}",
            metavar="AGE",
            type=_age,
            default=argparse.SUPPRESS,
            help=f"keep {what} for so long: 12h, 30d, none (for ever); default: REAMON_RETENTION__{kind.upper()}",
        )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and delete nothing")
    add_yes_option(parser)
    parser.add_argument(
        "--vacuum", action="store_true", help="give the disk back what was deleted; writers wait meanwhile"
    )
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Count, ask, delete, and tell."""
    from reamon.store.retention import prune, vacuum  # noqa: PLC0415 - a help text needs no store

    target, limits, project = target_of(arguments), limits_of(arguments), project_of(arguments)
    if arguments.dry_run or not arguments.yes:
        counted = prune(target, limits, project=project, dry_run=True)
        if arguments.dry_run or not (counted.total or arguments.vacuum):
            return _tell(counted, arguments, dry_run=True)
        if counted.total and not is_agreed(f"Delete {_listed(counted)} for good?", arguments):
            show([Note(Text.of("nothing was deleted"))])
            return 1
    with progress_of(arguments) as tell:
        pruned = prune(
            target, limits, project=project, progress=lambda so_far: tell(f"{count(so_far.total, 'row')} deleted")
        )
    if arguments.vacuum:
        vacuum(target)
    return _tell(pruned, arguments, dry_run=False)


def limits_of(arguments: argparse.Namespace) -> Limits:
    """The limits of the settings, with those that the command line gives in their place.

    Raises:
        ConfigurationError: They make no sense together, or the settings cannot be used.
    """
    from reamon.settings import MonitoringSettings  # noqa: PLC0415 - slow to import

    given = {kind: limit for kind, limit in vars(arguments).items() if kind in _KINDS}
    return Limits.from_settings(MonitoringSettings().retention, **given)


def _tell(pruned: Pruned, arguments: argparse.Namespace, *, dry_run: bool) -> int:
    if arguments.json:
        document: dict[str, Any] = {"dry_run": dry_run, "rows": pruned.rows, "summaries": pruned.summaries}
        if not dry_run:
            document |= {
                "partitions": pruned.partitions,
                "transactions": pruned.transactions,
                "longest_transaction_ms": round(pruned.longest * 1000, 3),
            }
        write_json(document)
        return 0
    if not pruned.total and not pruned.partitions:
        words = "nothing is older than it has to be kept"
    elif dry_run:
        words = f"would delete {_listed(pruned)}"
    else:
        dropped = f" and {count(len(pruned.partitions), 'partition')}" if pruned.partitions else ""
        words = f"deleted {_listed(pruned)}{dropped}; the longest transaction took {duration(pruned.longest * 1000)}"
    show_done(words)
    return 0


def _listed(pruned: Pruned) -> str:
    parts = [
        count(rows, _TOLD[table], "workflows' payloads" if table == "workflow_traces" else None)
        for table, rows in pruned.rows.items()
    ]
    if pruned.summaries:
        parts.append(count(pruned.summaries, "workflow"))
    return ", ".join(parts) or "no rows"


def _age(text: str) -> timedelta | None:
    from reamon.settings.retention import age  # noqa: PLC0415 - slow to import

    if text == "none":
        return None
    try:
        return age(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no age such as 90s, 30m, 12h or 30d, nor none") from None
