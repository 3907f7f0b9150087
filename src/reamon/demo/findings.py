"""The findings: what the store says about the campaign, and where to look closer. No figure has another source."""

import asyncio
import shlex
import sys
from pathlib import Path

import msgspec

from reamon.analytics import Summary, summarize
from reamon.store import ALL_PROJECTS, Store, TraceFilter
from reamon.terminal import Document, Facts, Heading, Note, Style, Text, open_screen, summary_document

_WORTH_A_LOOK = (
    ("degraded", "a call with an apology"),
    ("failed", "a call that failed"),
    (None, "a call"),
)
"""Which call to suggest: the first of these statuses that there is, and what to say about it."""


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """What is in the store.

    Attributes:
        database: The store.
        finished: Whether all leads were called.
        delivered: Whether all that was recorded is in the store.
        summary: The campaign in figures.
        example_call: A call that is worth a look; None where there is no call.
        example_why: What is special about it.
    """

    database: str
    finished: bool
    delivered: bool
    summary: Summary
    example_call: str | None
    example_why: str | None


def show(database: Path, *, finished: bool, delivered: bool, as_json: bool) -> None:
    """Print the findings on standard output: a document for people, or one JSON document."""
    findings = asyncio.run(read(database, finished=finished, delivered=delivered))
    if as_json:
        print(msgspec.json.format(msgspec.json.encode(findings), indent=2).decode())
    else:
        open_screen(sys.stdout).show(document(findings))


async def read(database: Path, *, finished: bool, delivered: bool) -> Findings:
    """What is in the store at `database`."""
    async with Store.open(database, project=ALL_PROJECTS) as store:
        call, why = await _example(store)
        return Findings(
            database=str(database),
            finished=finished,
            delivered=delivered,
            summary=await summarize(store),
            example_call=call,
            example_why=why,
        )


async def _example(store: Store) -> tuple[str | None, str | None]:
    for status, why in _WORTH_A_LOOK:
        for trace in (await store.traces.query(TraceFilter(status=status), limit=1)).items:
            return trace.call_id, why
    return None, None


def document(findings: Findings) -> Document:
    """The findings for people: the summary, then where the store is and what to type next."""
    return [*_caveats(findings), *summary_document(findings.summary), Heading(Text.of("Look closer")), _next(findings)]


def _caveats(findings: Findings) -> list[Note]:
    notes = []
    if not findings.finished:
        notes.append(Note(Text.of("Stopped before all leads were called; this is what was recorded.", Style.WARNING)))
    if not findings.delivered:
        notes.append(Note(Text.of("Not everything recorded has reached the store yet: see reamon doctor.", Style.BAD)))
    return notes


def _next(findings: Findings) -> Facts:
    option = f"--db {shlex.quote(findings.database)}"
    commands = [("all turns", f"reamon traces {option}")]
    if findings.example_call and findings.example_why:
        commands.append((findings.example_why, f"reamon show {findings.example_call} {option}"))
    commands.append(("what it cost", f"reamon costs --by model {option}"))
    commands.append(("where money goes", f"reamon costs insights {option}"))
    commands.append(("the store itself", f"reamon doctor {option}"))
    rows = [("database", Text.of(findings.database, Style.STRONG))]
    return Facts([*rows, *((label, Text.of(command, Style.ACCENT)) for label, command in commands)])
