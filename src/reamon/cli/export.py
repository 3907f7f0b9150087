"""`reamon export`: what the store holds as JSON lines, CSV or Parquet."""

import argparse
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from reamon.cli._filters import TRACES, add_filter_options, filter_of
from reamon.cli._output import add_json_option, show_done, write_json
from reamon.cli._progress import progress_of
from reamon.cli._store import add_project_options, add_store_option, ask
from reamon.errors import ReamonError
from reamon.store.filters import SPAN_STATUSES, TRACE_STATUSES
from reamon.terminal.figures import volume

if TYPE_CHECKING:
    from reamon.store import Store
    from reamon.store.exporting import Exported
    from reamon.store.filters import RowFilter

WHAT: Final = ("traces", "executions", "operations", "costs")
FORMATS: Final = ("jsonl", "csv", "parquet")

_FILTERS: Final = (
    *TRACES, "--kind", "--name", "--provider", "--model", "--decision", "--next-agent", "--min-confidence",
    "--max-confidence", "--cost-type", "--price-source",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon export`."""
    parser.add_argument("--what", choices=WHAT, default="traces", help="what is exported (default: %(default)s)")
    parser.add_argument(
        "--format", choices=FORMATS, help="the format (default: what FILE ends in, else jsonl); parquet needs a FILE"
    )
    parser.add_argument("--out", metavar="FILE", help="where to write (default: standard output)")
    parser.add_argument("--force", action="store_true", help="replace FILE if it is there")
    parser.add_argument("--no-payloads", action="store_true", help="leave inputs, outputs and states out")
    add_filter_options(parser, _FILTERS, tuple(dict.fromkeys((*TRACE_STATUSES, *SPAN_STATUSES))))
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Write what somebody asked for; say how much it was, where that is not in the way."""
    if arguments.out is None and (arguments.json or arguments.format == "parquet"):
        arguments.refuse("--json and --format parquet need a file: give one with --out")
    which = _ending(filter_of(arguments, arguments.what))
    with progress_of(arguments) as tell:
        written = ask(arguments, lambda store: _export(store, arguments, which, tell))
    if arguments.json:
        write_json(written)
    elif arguments.out is not None:
        told = f"wrote {written.rows:,} {written.what} to {written.path} ({volume(written.octets or 0)})"
        show_done(told)
    return 0


def _ending(which: "RowFilter") -> "RowFilter":
    """The filter, up to now at most: what begins meanwhile would keep an export from ever reaching its end."""
    return which if which.until is not None else msgspec.structs.replace(which, until=datetime.now(UTC))


async def _export(
    store: "Store", arguments: argparse.Namespace, which: "RowFilter", tell: Callable[[str], None]
) -> "Exported":
    listing: Any = getattr(store, arguments.what)
    exported: Exported = await listing.export(
        sys.stdout.buffer if arguments.out is None else arguments.out,
        which,
        format=arguments.format or _format_of(arguments.out),
        payloads=not arguments.no_payloads,
        overwrite=arguments.force,
        progress=await _progress(listing, which, tell),
    )
    return exported


def _format_of(out: str | None) -> str:
    if out is None:
        return "jsonl"
    ending = out.rpartition(".")[2]
    if ending not in FORMATS:
        raise ReamonError(f"{out} does not say its format: end it in .{', .'.join(FORMATS)}, or give --format")
    return ending


async def _progress(listing: Any, which: "RowFilter", tell: Callable[[str], None]) -> Callable[[int], None] | None:
    """What tells on a terminal how far it is; a pipe needs it as little as the time to count."""
    if not sys.stderr.isatty():
        return None
    whole = await listing.count(which)
    return lambda rows: tell(f"{rows:,} of {whole:,} {listing.name}")
