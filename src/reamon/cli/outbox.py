"""`reamon outbox`: what is not delivered yet, what was refused for good, and what to do about it."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import BinaryIO

import msgspec

from reamon.cli import _outbox_documents as documents
from reamon.cli._asking import is_agreed
from reamon.cli._outbox_selection import add_outbox_options, add_selection, backlog_of, refuse_ids, selected
from reamon.cli._output import add_json_option, show, show_done, write_json
from reamon.errors import ReamonError
from reamon.model import Span
from reamon.pipeline.backlog import Backlog
from reamon.pipeline.backlog_entries import Item, Wanted
from reamon.terminal.document import Note, Style, Text
from reamon.terminal.figures import count

_CLAIMED = "an application that sends there takes them up within 10 s (REAMON_CLAIM_INTERVAL), or when it next starts"
_TOO_OLD = "those that are too old are refused again unless REAMON_LANGSMITH__MAX_AGE is higher there (inf: no limit)"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The actions of `reamon outbox`, and their options."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add(actions, "list", list_all, "list what waits, lanes that are not well, and dead letters")
    reader = _add(actions, "show", show_items, "show the spans of dead letters and batches")
    reader.add_argument("ids", nargs="+", metavar="ID", help="a dead letter (L12) or a batch (B7), as `list` names it")
    exporter = _add(actions, "export", export, "write the spans of dead letters and batches as JSON lines")
    add_selection(exporter)
    exporter.add_argument("--output", metavar="FILE", default="-", help="where to (default: -, standard output)")
    exporter.add_argument("--force", action="store_true", help="overwrite FILE if it exists")
    replayer = _add(actions, "replay", replay, "let dead letters wait again, to be sent once more")
    add_selection(replayer)
    replayer.add_argument("--to", metavar="NAME", help="another destination that they are to go to")
    dropper = _add(actions, "drop", drop, "delete dead letters, and batches that belong to no living process")
    add_selection(dropper)
    dropper.add_argument("--waiting", action="store_true", help="choose among batches too, not only dead letters")
    dropper.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Do what the action says."""
    action: Callable[[Backlog, argparse.Namespace], int] = arguments.action
    return action(backlog_of(arguments), arguments)


def list_all(backlog: Backlog, arguments: argparse.Namespace) -> int:
    """List what there is."""
    waiting, lanes, letters = backlog.waiting(), backlog.lanes(), backlog.dead_letters()
    if arguments.json:
        write_json({"path": str(backlog.path), "waiting": waiting, "lanes": lanes, "dead_letters": letters})
    else:
        show(documents.listing(backlog.path, waiting, lanes, letters))
    return 0


def show_items(backlog: Backlog, arguments: argparse.Namespace) -> int:
    """Show what is in some items."""
    items = backlog.contents(backlog.items(Wanted(ids=tuple(arguments.ids))))
    if arguments.json:
        write_json({"items": [_as_json(item, spans) for item, spans in items]})
        return 0
    for number, (item, spans) in enumerate(items):
        if number:
            sys.stdout.write("\n")
        show(documents.contents(item, spans))
    return 0


def export(backlog: Backlog, arguments: argparse.Namespace) -> int:
    """Write spans as the JSONL exporter does; what was done is told on standard error where they go to the output."""
    items = selected(backlog, arguments, waiting=True)
    if not items:
        sys.stderr.write("reamon: nothing matches, so nothing was exported\n")
        return 0
    with _opened(arguments.output, force=arguments.force) as stream:
        unreadable, written = _write_lines(backlog.contents(items), stream)
    told = f"{count(written, 'span')} of {count(len(items), 'item')} to {arguments.output}"
    if arguments.output == "-":
        sys.stderr.write(f"reamon: exported {told.removesuffix(' to -')}\n")
    elif arguments.json:
        write_json({"exported": written, "output": arguments.output, "unreadable": unreadable})
    else:
        show_done(f"exported {told}")
    refuse_ids(unreadable, "this version of reamon cannot read what is in there; one that can may export it")
    return 0


def replay(backlog: Backlog, arguments: argparse.Namespace) -> int:
    """Let dead letters wait again."""
    items = selected(backlog, arguments, waiting=False)
    refuse_ids([item.id for item in items if item.owner is not None], "what is in a batch waits to be sent anyway")
    moved = backlog.replay(items, arguments.to)
    destinations = sorted({arguments.to or item.destination for item in items})
    if arguments.json:
        write_json({"replayed": moved, "destinations": destinations})
        return 0
    if not moved:
        show_done("no dead letter matches, so nothing was replayed")
        return 0
    show_done(
        f"{count(moved, 'span')} {'waits' if moved == 1 else 'wait'} again for {', '.join(destinations)}: {_CLAIMED}"
    )
    if any(item.kind == "too_old" for item in items):
        show([Note(Text.of("! ", Style.WARNING) + Text.of(_TOO_OLD))])
    return 0


def drop(backlog: Backlog, arguments: argparse.Namespace) -> int:
    """Delete dead letters, and batches in nobody's hands, once somebody has agreed."""
    items = selected(backlog, arguments, waiting=arguments.waiting)
    owned = [item for item in items if item.is_owned]
    if arguments.ids:
        refuse_ids([item.id for item in owned], "a living process is delivering it; stop that process first")
    items = [item for item in items if not item.is_owned]
    if items and not _is_agreed(items, arguments):
        show_done("nothing was dropped")
        return 1
    gone = backlog.drop(items)
    kept = sum(item.spans for item in owned)
    if arguments.json:
        write_json({"dropped": gone, "kept": kept})
    else:
        show_done(f"dropped {count(gone, 'span')}" if items else "nothing matches, so nothing was dropped")
        if kept:
            show_done(f"kept {count(kept, 'span')}: living processes are delivering them")
    return 0


def _add(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    action: Callable[[Backlog, argparse.Namespace], int],
    purpose: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=purpose, description=f"{purpose[0].upper()}{purpose[1:]}.")
    parser.set_defaults(action=action, refuse=parser.error)
    add_outbox_options(parser)
    add_json_option(parser)
    return parser


def _as_json(item: Item, spans: list[Span]) -> dict[str, object]:
    from reamon.exporters._lines import to_line  # noqa: PLC0415 - a help text does not need it

    return {**msgspec.structs.asdict(item), "content": [msgspec.Raw(to_line(span)) for span in spans]}


def _write_lines(contents: Iterable[tuple[Item, list[Span]]], stream: BinaryIO) -> tuple[list[str], int]:
    from reamon.exporters._lines import to_line  # noqa: PLC0415 - a help text does not need it

    unreadable, written = [], 0
    for item, spans in contents:
        stream.writelines(map(to_line, spans))
        written += len(spans)
        if not spans:
            unreadable.append(item.id)
    stream.flush()
    return unreadable, written


def _opened(output: str, *, force: bool) -> "closing[BinaryIO] | nullcontext[BinaryIO]":
    if output == "-":
        return nullcontext(sys.stdout.buffer)
    try:
        # Recorded conversations are for nobody else, as in the outbox itself.
        handle = os.open(output, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if force else os.O_EXCL), 0o600)
    except FileExistsError:
        raise ReamonError(f"{output} exists: give another name, or --force to overwrite it") from None
    except OSError as error:
        raise ReamonError(f"{Path(output)} cannot be written: {error}") from error
    return closing(os.fdopen(handle, "wb"))


def _is_agreed(items: list[Item], arguments: argparse.Namespace) -> bool:
    spans = count(sum(item.spans for item in items), "span")
    return is_agreed(
        f"Delete {spans} for good? `reamon outbox export` keeps a copy.",
        arguments,
        "give --yes to delete for good (`reamon outbox export` keeps a copy)",
    )
