"""The JSONL exporter: finished spans, one JSON line each, in a file that any tool can follow."""

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock

from reamon.errors import Rejected
from reamon.exporters._lines import append_line, from_line
from reamon.exporters._logfile import LogFile, Rotation
from reamon.exporters._starts import StartJournal
from reamon.guard import describe, log
from reamon.model import Span

DEFAULT_MAX_BYTES = 100 * 1024 * 1024
"""The size at which a file is put aside, unless told otherwise."""


class JSONLExporter:
    """Appends finished spans to a file, one JSON line each.

    Any number of processes may write to the same file. A batch is written in one go under a lock, so lines of different
    processes never mix, and a batch that the disk does not take is taken back whole. A line that a crash left torn is
    healed before the next is written. Lines are readable as soon as they are written; they survive the process, and a
    loss of power once the operating system has written them out.

    The file holds finished spans only, and a line with status `interrupted` for each workflow whose process died,
    written by the next exporter that opens the file. What is running is kept beside it, in a directory named like the
    file with `-processes` after it. Should the finish of such a workflow arrive after all (it had waited in the
    outbox), its line comes later in the file: the last line of a span is the one that counts.

    Args:
        path: The file; default `spans.jsonl` in `$REAMON_HOME` (`./.reamon`).
        max_bytes: A batch that would take the file past this size goes to a new file, and the old one gets the time
            (UTC) in its name; None: never. A batch is never divided.
        max_age: The same, so many seconds after the end of the first span in the file; None: never.
        keep: How many of the files that were put aside to keep; None: all.
        name: Unique among the configured exporters.
        now: Gives nanoseconds since 1970; for tests.

    Raises:
        ConfigurationError: A limit makes no sense.

    Example:
        >>> exporter = JSONLExporter("spans.jsonl", max_age=24 * 3600, keep=7)
        >>> exporter.name
        'jsonl'
    """

    local = True

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        max_bytes: int | None = DEFAULT_MAX_BYTES,
        max_age: float | None = None,
        keep: int | None = None,
        name: str = "jsonl",
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = name
        self.path = (_default_path() if path is None else Path(path)).absolute()
        self.destination = f"jsonl:{self.path}"
        self._file = LogFile(self.path, Rotation(max_bytes, max_age, keep), now)
        self._starts = StartJournal(self.path.with_name(f"{self.path.name}-processes"))
        self._lock = Lock()
        self._settled = False
        self._warned: set[str] = set()

    def open(self) -> None:
        """Heal the file and write down what dead processes left running. A disk that fails is tried again later.

        Raises:
            ConfigurationError: The path is that of a directory, or of something else that is no file.
        """
        self._file.check()
        with self._lock:
            self._settle()

    def started(self, batch: Sequence[Span]) -> None:
        """Keep the starts of `batch`, so that they are not forgotten if this process dies.

        Without permission to write beside the file there are no such records; finished spans are written all the same.

        Raises:
            OSError: The disk is full, or worse.
        """
        with self._lock:
            try:
                self._starts.started(batch)
            except PermissionError as error:
                self._warn_once("starts_not_kept", error)

    def export(self, batch: Sequence[Span]) -> None:
        """Append `batch`, all of it or nothing.

        Raises:
            OSError: The disk is full, or worse; nothing was written.
            Rejected: Some spans cannot be written as lines; the others are in the file.
        """
        lines, written, refused = _lines(batch)
        with self._lock:
            if written:
                self._write(lines, self._starts.open_among(written))
            if not self._settled:
                self._settle()
        if refused:
            raise Rejected("a time outside of the years 1 to 9999 has no ISO 8601 text", refused)

    def shutdown(self, timeout: float = 0.0) -> None:
        """Close the file; workflows that still run are left to the next exporter of this file. Takes no time."""
        with self._lock:
            self._starts.leave()
            self._file.close()

    def after_fork(self) -> None:
        """Let go of the parent's handles and starts."""
        self._lock = Lock()
        self._file.close()
        self._starts.after_fork()

    def __repr__(self) -> str:
        return f"JSONLExporter({str(self.path)!r}, name={self.name!r})"

    def _write(self, data: bytearray, finishing: tuple[str, ...]) -> None:
        with self._file.locked(len(data)) as position:
            self._starts.finishing(finishing, position)
            self._file.append(data)
        self._starts.finished(finishing)

    def _warn_once(self, event: str, error: OSError) -> None:
        if event not in self._warned:
            self._warned.add(event)
            log("reamon.exporters", logging.WARNING, event, path=str(self.path), error=describe(error), shown="once")

    def _settle(self) -> None:
        try:
            self._starts.adopt(self._file)
            interrupted = self._starts.settle(self._file)
        except OSError as error:
            self._warn_once("jsonl_not_ready", error)
            return
        self._settled = True
        if interrupted:
            log("reamon.exporters", logging.WARNING, "interrupted", path=str(self.path), workflows=interrupted)


def read_jsonl(path: str | os.PathLike[str]) -> Iterator[Span]:
    """The spans in a file that `JSONLExporter` wrote, in the order written; times are cut to microseconds.

    A last line without a newline is one that is being written, or was torn by a crash, and is left out. Rotated files
    are files of their own.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: A line is not one of ours; the message says which.

    Example:
        >>> for span in read_jsonl("spans.jsonl"):  # doctest: +SKIP
        ...     print(span.kind, span.name, span.status)
    """
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.endswith(b"\n"):
                try:
                    yield from_line(line)
                except ValueError as error:
                    raise ValueError(f"line {number} of {path} is not a span: {error}") from error


def _lines(batch: Sequence[Span]) -> tuple[bytearray, list[str], list[str]]:
    """The lines of `batch`, the ids of the spans in them, and the ids of the spans that have none."""
    lines = bytearray()
    written: list[str] = []
    refused: list[str] = []
    for span in batch:
        try:
            append_line(span, lines)
        except OverflowError:
            refused.append(span.span_id)
        else:
            written.append(span.span_id)
    return lines, written, refused


def _default_path() -> Path:
    return Path(os.environ.get("REAMON_HOME") or ".reamon") / "spans.jsonl"
