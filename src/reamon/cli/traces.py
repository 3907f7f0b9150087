"""`reamon traces`: the newest workflow traces."""

import argparse

from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._store import add_project_options, add_store_option, ask, positive
from reamon.terminal.listing import listing_document

STATUSES = ("running", "completed", "failed", "cancelled", "degraded", "interrupted")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon traces`."""
    parser.add_argument("--call", metavar="ID", help="only those of this call")
    parser.add_argument("--status", choices=STATUSES, help="only those of this status")
    parser.add_argument("--workflow", metavar="NAME", help="only those of this workflow")
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most N (default: %(default)s)")
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """List traces, newest first."""
    from reamon.store import TraceFilter  # noqa: PLC0415 - brings SQLAlchemy, which a help text does not need

    which = TraceFilter(call_id=arguments.call, status=arguments.status, workflow=arguments.workflow)
    page = ask(arguments, lambda store: store.traces.query(which, limit=arguments.limit))
    if arguments.json:
        write_json({"traces": page.items, "next": page.next})
    else:
        show(listing_document(page.items))
    return 0
