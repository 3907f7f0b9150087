"""Checks of delivery: where remote exporters send to, what waits for them, and how their lanes are doing."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from reamon.cli._checks import Finding, bad, good, note
from reamon.cli._outbox_documents import lane_text
from reamon.errors import ConfigurationError, StoreError
from reamon.pipeline.backlog import Backlog
from reamon.pipeline.backlog_entries import DeadLetters, Waiting
from reamon.settings import MonitoringSettings, OTLPSettings
from reamon.terminal.figures import count, moment

MOUNTS = Path("/proc/self/mounts")
"""Where Linux says what is mounted; other systems have no such file, and are not asked."""

FLEETING = {
    "overlay": "a container's own layer, and goes with the container: mount a volume there",
    "tmpfs": "memory, and empty after the next start of the machine: choose a place on a disk",
}
"""File systems that do not keep what they are given, and what to do."""

_ESCAPED = re.compile(r"\\([0-7]{3})")
_CLOUD = "smith.langchain.com"


def langsmith(settings: MonitoringSettings) -> Iterator[Finding]:
    """Whether spans go to LangSmith, where to, and whether with a key; never which key."""
    own = settings.langsmith
    if "langsmith" not in settings.exporters:
        if own.api_key is not None and own.tracing is not False:
            yield note("langsmith", "a key is set, but nothing is sent: add langsmith to REAMON_EXPORTERS")
        return
    if reason := settings.exporters_left_out.get("langsmith"):
        yield note("langsmith", f"named as an exporter, but left out: {reason}")
        return
    where = f"{own.endpoint}, project {settings.options_of('langsmith')['project']}"
    if own.api_key is not None:
        yield good("langsmith", f"{where}, a key is set")
    elif (urlsplit(own.endpoint).hostname or "").endswith(_CLOUD):
        yield bad("langsmith", f"{where}, but no key is set: set LANGSMITH_API_KEY")
    else:
        yield note("langsmith", f"{where}, no key is set (LANGSMITH_API_KEY)")


def otlp(settings: MonitoringSettings) -> Iterator[Finding]:
    """Where spans go by OTLP, and whether with headers; never which."""
    if "otlp" not in settings.exporters:
        return
    try:
        own = OTLPSettings.from_environment(**settings.options_of("otlp"))
    except ConfigurationError as error:
        yield bad("otlp", str(error))
        return
    names = ", ".join(own.header_pairs)
    yield good("otlp", f"{own.endpoint}, {f'with the headers {names}' if names else 'without headers'}")


def place(home: Path, mounts: Path = MOUNTS) -> Iterator[Finding]:
    """Whether what is written in `home` is still there after a restart of the container or the machine."""
    kind = file_system_of(home, mounts.read_text(errors="replace")) if mounts.is_file() else None
    if kind in FLEETING:
        yield note("home", f"{home.absolute()} is in {FLEETING[kind]} and point REAMON_HOME to it")


def file_system_of(path: Path, mounts: str) -> str | None:
    """The type of the file system that `path` is on, or will be; None where `mounts` does not say.

    Args:
        path: It need not exist.
        mounts: As in `/proc/self/mounts`: a line for each, with device, directory and type.
    """
    resolved = path.resolve()
    found, depth = None, -1
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        directory = Path(_ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[1]))
        # What is mounted later on the same directory hides what was there.
        if resolved.is_relative_to(directory) and len(directory.parts) >= depth:
            found, depth = fields[2], len(directory.parts)
    return found


def backlog(home: Path, abandon_after: float | None) -> Iterator[Finding]:
    """What could not be delivered yet, what was refused for good, and the lanes that are not well.

    Args:
        home: Where the outbox is.
        abandon_after: Seconds after which what nobody delivers becomes a dead letter; None for never.
    """
    outbox = Backlog(home / "outbox.sqlite")
    try:
        waiting, lanes, letters = outbox.waiting(), outbox.lanes(), outbox.dead_letters()
    except StoreError as error:
        yield bad("outbox", str(error))
        return
    for destination in dict.fromkeys(entry.destination for entry in waiting):
        yield _waiting([entry for entry in waiting if entry.destination == destination], abandon_after)
    for lane in lanes:
        text = lane_text(lane).plain.partition(" ")[2]
        yield (bad if lane.state == "paused" else note)(f"lane {lane.lane}", text)
    yield from _dead_letters(letters)
    for aside in sorted(home.glob("outbox.sqlite.damaged-*")):
        yield note("outbox", f"{aside} was damaged and put aside: save what is in it, or delete it")


def _waiting(entries: Sequence[Waiting], abandon_after: float | None) -> Finding:
    """What is to be said of all that waits for one destination."""
    spans = sum(entry.spans for entry in entries)
    oldest = min(entry.oldest for entry in entries)
    told = f"{count(spans, 'span')} for {entries[0].destination}, the oldest since {moment(oldest)} UTC"
    ownerless = [entry for entry in entries if not entry.is_owned]
    if not ownerless:
        return good("outbox", f"{told}: a living process is delivering them")
    left = sum(entry.spans for entry in ownerless)
    which = "they wait" if left == spans else f"{left:,} of them wait"
    until = ""
    if abandon_after is not None:
        end = min(entry.oldest for entry in ownerless) + timedelta(seconds=abandon_after)
        until = f", and become dead letters from {moment(end)} UTC on (REAMON_ABANDON_AFTER)"
    return note("outbox", f"{told}: {which} for an application that sends there{until}")


def _dead_letters(letters: Sequence[DeadLetters]) -> Iterator[Finding]:
    by_kind: dict[tuple[str, str], list[DeadLetters]] = defaultdict(list)
    for group in letters:
        by_kind[group.destination, group.kind].append(group)
    for (destination, kind), groups in by_kind.items():
        spans = sum(group.spans for group in groups)
        yield note(
            "dead letters",
            f"{count(spans, 'span')} for {destination}, {kind} since {moment(groups[0].oldest)} UTC "
            f"({groups[0].reason}): `reamon outbox show {groups[0].ids[0]}`, then replay, export or drop",
        )
