"""`reamon erase`: delete one person's data, everywhere, and give a receipt."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reamon.cli._asking import add_yes_option, is_agreed
from reamon.cli._output import add_json_option, show, write_json
from reamon.cli._projects import project_of
from reamon.cli._store import add_project_options, add_store_option, target_of
from reamon.errors import ReamonError
from reamon.terminal.document import Block, Column, Document, Facts, Note, Style, Table, Text
from reamon.terminal.figures import count, moment

if TYPE_CHECKING:
    from reamon.erasure import Receipt
    from reamon.settings import MonitoringSettings

_LOCAL = {"sqlite", "jsonl", "postgres", "console", "memory"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon erase`."""
    whose = parser.add_mutually_exclusive_group(required=True)
    whose.add_argument("--call", metavar="ID", help="the call of this id")
    whose.add_argument("--phone", metavar="NUMBER", help="calls that speak of this number, however it is written there")
    whose.add_argument("--lead", metavar="ID", help="calls in which a lead has this id")
    whose.add_argument("--again", metavar="ERASURE", help="once more what an erasure has deleted, for what came since")
    whose.add_argument("--receipts", action="store_true", help="list the receipts that the store keeps")
    parser.add_argument("--by", metavar="NAME", help="on whose behalf; stands in the receipt")
    parser.add_argument("--out", metavar="FILE", type=Path, help="write the receipt to this file")
    parser.add_argument(
        "--delete-costs", action="store_true", help="delete cost details, too, not only what names the call"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and delete nothing")
    add_yes_option(parser)
    parser.add_argument(
        "--home", metavar="PATH", type=Path, help="where the outbox is (default: $REAMON_HOME, else .reamon)"
    )
    parser.add_argument(
        "--jsonl",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="another file of the JSONL exporter; may be given several times",
    )
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Count, ask, delete, and show the receipt; the exit code is 1 if something remains that could be reached."""
    from reamon.erasure import receipts  # noqa: PLC0415 - a help text does not need it

    if arguments.receipts:
        return _list(receipts(target_of(arguments)), arguments)
    if arguments.out is not None and arguments.out.exists():
        raise ReamonError(f"{arguments.out} exists: give the receipt another name")
    if arguments.dry_run or not arguments.yes:
        counted = _erase(arguments, dry_run=True)
        if arguments.dry_run or not (counted.traces or counted.removed):
            return _tell(counted, arguments)
        question = f"Delete {count(counted.traces, 'trace')} of {count(counted.calls, 'call')} for good, everywhere?"
        if not is_agreed(question, arguments):
            show([Note(Text.of("nothing was deleted"))])
            return 1
    return _tell(_erase(arguments, dry_run=False), arguments)


def _erase(arguments: argparse.Namespace, *, dry_run: bool) -> "Receipt":
    from reamon.erasure import Subject, erase, erase_again  # noqa: PLC0415 - a help text does not need them
    from reamon.settings import MonitoringSettings  # noqa: PLC0415 - slow to import

    settings = MonitoringSettings()
    places: dict[str, Any] = {
        "store": target_of(arguments),
        "outbox": (arguments.home or settings.home) / "outbox.sqlite",
        "jsonl": sorted({settings.options_of("jsonl")["path"], *arguments.jsonl}),
        "destinations": _destinations(settings),
        "requested_by": arguments.by,
        "keep_costs": not arguments.delete_costs,
        "dry_run": dry_run,
    }
    if arguments.again is not None:
        return erase_again(arguments.again, **places)
    if arguments.call is not None:
        subject = Subject("call", arguments.call)
    elif arguments.phone is not None:
        subject = Subject("phone", arguments.phone)
    else:
        subject = Subject("lead", arguments.lead)
    return erase(subject, project=project_of(arguments), **places)


def _destinations(settings: "MonitoringSettings") -> list[str]:
    return [f"exporter {name}" for name in settings.exporters_in_use if name not in _LOCAL]


def _tell(receipt: "Receipt", arguments: argparse.Namespace) -> int:
    if arguments.out is not None:
        # It names no person, but it is nobody else's either.
        handle = os.open(arguments.out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(receipt.to_json() + b"\n")
    if arguments.json:
        write_json(receipt)
    else:
        show(_document(receipt))
    return 0 if receipt.is_complete or receipt.dry_run else 1


def _document(receipt: "Receipt") -> Document:
    if not (receipt.traces or receipt.removed):
        return [Note(Text.of("nothing was found")), *_remaining(receipt)]
    verb = "would delete" if receipt.dry_run else "deleted"
    facts = [
        ("receipt", Text.of(receipt.erasure_id, Style.STRONG)),
        ("time", Text.of(f"{moment(receipt.time)} UTC")),
        (verb, Text.of(f"{count(receipt.traces, 'trace')} of {count(receipt.calls, 'call')}")),
    ]
    rows = [
        [Text.of(place.kind), Text.of(name), Text.of(f"{number:,}"), Text.of(place.where, Style.FAINT)]
        for place in receipt.places
        for name, number in (
            *place.removed.items(),
            *((f"{name} (kept, anonymous)", n) for name, n in place.kept.items()),
        )
    ]
    columns = [Column("place"), Column("what"), Column("how many"), Column("where", shrinks=True)]
    return [Facts(facts), Table(columns, rows), *_left(receipt)]


def _remaining(receipt: "Receipt") -> Iterator[Block]:
    for place in receipt.places:
        for words in place.remaining:
            yield Note(Text.of("✗ ", Style.BAD) + Text.of(words))


def _left(receipt: "Receipt") -> Iterator[Block]:
    yield from _remaining(receipt)
    for other in receipt.elsewhere:
        yield Note(Text.of("! ", Style.WARNING) + Text.of(f"{other.destination}: {other.advice}"))


def _state(receipt: "Receipt") -> Text:
    if not receipt.finished:
        return Text.of("never ended", Style.BAD)
    return Text.of("yes", Style.GOOD) if receipt.is_complete else Text.of("no", Style.WARNING)


def _list(kept: "list[Receipt]", arguments: argparse.Namespace) -> int:
    if arguments.json:
        write_json({"receipts": kept})
        return 0
    if not kept:
        show([Note(Text.of("the store keeps no receipt"))])
        return 0
    columns = [
        Column("receipt"),
        Column("time (UTC)"),
        Column("by"),
        Column("what"),
        Column("traces"),
        Column("complete"),
        Column("genuine"),
    ]
    rows = [
        [
            Text.of(receipt.erasure_id, Style.ACCENT),
            Text.of(moment(receipt.time)),
            Text.of(receipt.requested_by or ""),
            Text.of(receipt.subject_kind),
            Text.of(f"{receipt.traces:,}"),
            _state(receipt),
            Text.of("yes", Style.GOOD) if receipt.is_genuine() else Text.of("changed", Style.BAD),
        ]
        for receipt in kept
    ]
    show([Table(columns, rows)])
    return 0
