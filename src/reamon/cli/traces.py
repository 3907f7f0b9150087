"""`reamon traces`: the newest workflow traces."""

import argparse
from typing import TYPE_CHECKING, cast

from reamon.cli._filters import TRACES, add_filter_options, filter_of
from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._store import add_project_options, add_store_option, ask, positive
from reamon.store.filters import TRACE_STATUSES
from reamon.terminal.listing import listing_document

if TYPE_CHECKING:
    from reamon.store import TraceFilter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon traces`."""
    add_filter_options(parser, TRACES, TRACE_STATUSES)
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most N (default: %(default)s)")
    parser.add_argument("--after", metavar="CURSOR", help="go on where a list ended: the cursor that it told")
    parser.add_argument("--oldest", action="store_true", help="the oldest first")
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """List traces, newest first."""
    which = cast("TraceFilter", filter_of(arguments))
    page = ask(
        arguments,
        lambda store: store.traces.query(
            which,
            limit=arguments.limit,
            after=arguments.after,
            order="oldest" if arguments.oldest else "newest",
        ),
    )
    if arguments.json:
        write_json({"traces": page.items, "next": page.next})
    else:
        show(listing_document(page.items, more=page.next))
    return 0
