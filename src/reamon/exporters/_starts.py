"""Starts: what has begun and not finished, kept so that the next start can tell if this process dies.

Each process writes to its own locked file (`reamon.processes`), one record a line: a span that has started, as its
line, or the ids of spans that are about to be written to the log, with the place where they will stand. That comes
*before* the log is written. So whenever a process dies, its file tells what was open, and the log itself tells whether
the last spans that were about to be written were.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from reamon.exporters._lines import beginning_of, from_line, to_line
from reamon.exporters._logfile import LogFile, Position
from reamon.model import Span, SpanStatus
from reamon.processes import ProcessDirectory, append_whole, current_id

REWRITE_BYTES: Final = 256 * 1024
"""Above this size the file is written anew, without what has finished, if that halves it."""

_READ_BYTES: Final = 1024 * 1024


class _Finishing(msgspec.Struct, frozen=True):
    finishing: tuple[str, ...]
    position: Position


_FINISHING: Final = b'{"finishing":'
_encode = msgspec.json.Encoder().encode
_decode_finishing = msgspec.json.Decoder(_Finishing).decode


class StartJournal:
    """The starts of this process, and what dead processes left of theirs.

    Args:
        path: The directory in which each process keeps its file.
    """

    def __init__(self, path: Path) -> None:
        self._directory = ProcessDirectory(path)
        self._entered: str | None = None
        self._open: dict[str, bytes] = {}
        self._size = 0

    def started(self, batch: Iterable[Span]) -> None:
        """Keep the starts of `batch`.

        Raises:
            OSError: The file cannot be written.
        """
        new = {span.span_id: line for span in batch if span.span_id not in self._open and (line := _line(span))}
        if new:
            self._append(self._enter(), b"".join(new.values()))
            self._open.update(new)

    def open_among(self, span_ids: Iterable[str]) -> tuple[str, ...]:
        """Those of `span_ids` whose starts are kept."""
        return tuple(span_id for span_id in span_ids if span_id in self._open) if self._open else ()

    def finishing(self, span_ids: tuple[str, ...], position: Position) -> None:
        """Note that these spans are about to be written to the log, at `position`.

        Raises:
            OSError: The file cannot be written.
        """
        if span_ids:
            self._append(self._enter(), _finishing_record(span_ids, position))

    def finished(self, span_ids: tuple[str, ...]) -> None:
        """These spans are in the log now: forget their starts, and make the file small again where that pays."""
        for span_id in span_ids:
            self._open.pop(span_id, None)
        if span_ids:
            with suppress(OSError):  # the log is written and that is what counts; the next time will do as well
                self._shrink()

    def adopt(self, written: LogFile) -> None:
        """Go on with what an earlier exporter of this very process left open, if it did."""
        if current_id() in self._directory.others():
            unfinished = _unfinished(_read_all(self._enter()), written)
            self._open = {span.span_id: to_line(span) for span in unfinished}
            self._rewrite()

    def settle(self, written: LogFile) -> int:
        """Write a line, status `interrupted`, for whatever a dead process left unfinished. Returns how many.

        The log stays locked meanwhile, so that of two that start at once, one does it.

        Raises:
            OSError: The disk is full, or worse; what is not settled yet can be settled later.
        """
        settled = 0
        with written.locked() as position:
            for process_id in self._directory.others():
                with self._directory.claim(process_id) as handle:
                    if handle is not None:
                        settled += self._settle_one(handle, written, position)
                        self._directory.remove(process_id)
        return settled

    def leave(self) -> None:
        """Have no more to do with the file; what is open stays, for this process's next exporter or the next start."""
        if self._entered is not None:
            self._directory.leave(self._entered, remove=not self._open)
        self._forget()

    def after_fork(self) -> None:
        """Forget the parent's starts, which the parent will finish."""
        self._directory.after_fork()
        self._forget()

    def _settle_one(self, handle: int, written: LogFile, position: Position) -> int:
        unfinished = _unfinished(_read_all(handle), written)
        if unfinished:
            # Noted in the dead one's own file: should we die, too, whoever comes next will not write them again.
            append_whole(handle, _finishing_record(tuple(span.span_id for span in unfinished), position))
            written.append(b"".join(map(_interrupted_line, unfinished)))
        return len(unfinished)

    def _enter(self) -> int:
        """The handle of this process's file, which is made at the first start."""
        if self._entered is None:
            process_id = current_id()
            self._directory.enter(process_id)
            self._entered = process_id
        return self._directory.handle(self._entered)

    def _append(self, handle: int, data: bytes) -> None:
        append_whole(handle, data)
        self._size += len(data)

    def _shrink(self) -> None:
        if not self._open:
            os.ftruncate(self._enter(), 0)
            self._size = 0
        elif self._size > REWRITE_BYTES and self._size > 2 * sum(map(len, self._open.values())):
            self._rewrite()

    def _rewrite(self) -> None:
        content = b"".join(self._open.values())
        self._directory.rewrite(current_id(), content)
        self._size = len(content)

    def _forget(self) -> None:
        self._entered = None
        self._open = {}
        self._size = 0


def _unfinished(content: bytes, written: LogFile) -> list[Span]:
    """The spans that a file's records leave open, the log being the judge of those that were about to be written."""
    started: dict[str, Span] = {}
    finishing: dict[str, Position] = {}
    for record in content.splitlines():
        try:
            if record.startswith(_FINISHING):
                noted = _decode_finishing(record)
                finishing.update(dict.fromkeys(noted.finishing, noted.position))
            else:
                span = from_line(record)
                started[span.span_id] = span
        except ValueError:  # cut short when its writer died: what it announces had not happened yet
            continue
    return [
        span
        for span_id, span in started.items()
        if span_id not in finishing or not written.holds(finishing[span_id], beginning_of(span_id))
    ]


def _line(span: Span) -> bytes | None:
    try:
        return to_line(span)
    except OverflowError:  # a moment that no line can say: its finish will be refused, too
        return None


def _finishing_record(span_ids: tuple[str, ...], position: Position) -> bytes:
    return _encode(_Finishing(span_ids, position)) + b"\n"


def _interrupted_line(span: Span) -> bytes:
    return to_line(span.replace(status=SpanStatus.INTERRUPTED, status_reason="the process ended before this span did"))


def _read_all(handle: int) -> bytes:
    content = b""
    while chunk := os.pread(handle, _READ_BYTES, len(content)):
        content += chunk
    return content
