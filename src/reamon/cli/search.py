"""`reamon search`: find spans by the words of their payloads."""

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

from reamon.cli._output import add_json_option, show, show_done, write_json
from reamon.cli._progress import progress_of
from reamon.cli._projects import project_of
from reamon.cli._store import add_project_options, add_store_option, positive, target_of
from reamon.terminal.document import Column, Document, Note, Style, Table, Text
from reamon.terminal.figures import count, moment

if TYPE_CHECKING:
    from reamon.store.search import Found, Hit
    from reamon.store.search.searching import Progress

_SOON_DONE = 10_000
"""Rows that are indexed before anybody wonders."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `reamon search`."""
    parser.add_argument(
        "text", nargs="*", metavar="TEXT", help='words that all have to occur, "phrases in quotes", begin* of words'
    )
    parser.add_argument("--limit", type=positive, default=20, metavar="N", help="at most N (default: %(default)s)")
    index = parser.add_mutually_exclusive_group()
    index.add_argument("--build", action="store_true", help="make the index, or bring it up to date, and do no more")
    index.add_argument("--forget", action="store_true", help="drop the index; the next search makes it anew")
    add_project_options(parser)
    add_store_option(parser)
    add_json_option(parser)
    parser.set_defaults(refuse=parser.error)


def run(arguments: argparse.Namespace) -> int:
    """Search, newest first."""
    from reamon.store.search import build_index, forget_index, search  # noqa: PLC0415 - a help text needs no store

    target = target_of(arguments)
    if not arguments.text and not (arguments.build or arguments.forget):
        arguments.refuse("say what to look for")
    if arguments.forget:
        forget_index(target)
        return _tell("the index is gone; the next search makes it anew", arguments)
    with progress_of(arguments) as tell:
        progress = _progress(tell)
        if arguments.build:
            build_index(target, progress=progress)
        else:
            found = search(
                target, _text(arguments.text), project=project_of(arguments), limit=arguments.limit, progress=progress
            )
    if arguments.build:
        return _tell("the index is up to date", arguments)
    if arguments.json:
        write_json(found)
    else:
        show(_document(found))
    return 0


def _text(words: list[str]) -> str:
    """What was typed: an argument with blanks was in the shell's quotes, which took those of a phrase."""
    if len(words) == 1:
        return words[0]
    return " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words)


def _progress(tell: Callable[[str], None]) -> "Progress":
    """What tells how far the index is, since the first time takes a while."""
    indexed = 0

    def progress(rows: int) -> None:
        nonlocal indexed
        indexed += rows
        if indexed > _SOON_DONE:
            tell(f"{count(indexed, 'row')} indexed")

    return progress


def _document(found: "Found") -> Document:
    note = [Note(Text.of("! ", Style.WARNING) + Text.of(found.note))] if found.note else []
    if not found.hits:
        return [Note(Text.of("nothing found")), *note]
    columns = [
        Column("started (UTC)"),
        Column("call or trace"),
        Column("span"),
        Column("where", optional=True),
        Column("text", shrinks=True),
    ]
    return [Table(columns, [_row(hit) for hit in found.hits]), Note(Text.of(count(len(found.hits), "hit"))), *note]


def _row(hit: "Hit") -> list[Text]:
    return [
        Text.of(moment(hit.time)),
        Text.of(hit.call_id or hit.trace_id, Style.ACCENT),
        Text.of(f"{hit.kind} {hit.name}"),
        Text.of(hit.where, Style.FAINT),
        _snippet(hit),
    ]


def _snippet(hit: "Hit") -> Text:
    text, last = Text(), 0
    for begin, end in hit.marks:
        text += Text.of(hit.snippet[last:begin]) + Text.of(hit.snippet[begin:end], Style.STRONG)
        last = end
    return text + Text.of(hit.snippet[last:])


def _tell(words: str, arguments: argparse.Namespace) -> int:
    if arguments.json:
        write_json({"done": words})
    else:
        show_done(words)
    return 0
