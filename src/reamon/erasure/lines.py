"""Lines: JSONL files, the rotated ones and the journals of dead processes included."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from reamon.erasure.findings import Findings, PlaceReport, Wanted
from reamon.exporters._lines import from_line
from reamon.exporters._logfile import LogFile, Rotation
from reamon.model import Span
from reamon.processes import ProcessDirectory

_NEVER: Final = Rotation(None, None, None)
_LIVING: Final = (
    "{count} living process(es) may keep the start of a call that is not over, in {path}: "
    "it goes when the call ends; erase once more then"
)


class LinesPlace:
    """A JSONL file, and what lies beside it.

    Args:
        path: The file that `JSONLExporter` writes.
        project: Only spans of this project; None: all.
    """

    def __init__(self, path: Path, project: str | None) -> None:
        self.path = path.absolute()
        self._project = project
        self._file = LogFile(self.path, _NEVER, time.time_ns)
        self._journals = ProcessDirectory(self.path.with_name(f"{self.path.name}-processes"))

    def find(self, subject: Wanted, findings: Findings) -> None:
        """Look through every line."""
        for file in self._files():
            with file.open("rb") as stream:
                for line in stream:
                    span = _span(line)
                    if span is not None and self._is_visible(span) and _is_of(span, line, subject, findings):
                        findings.add(span.trace_id, span.call_id)

    def erase(self, subject: Wanted, findings: Findings, *, dry_run: bool) -> PlaceReport:
        """Write each file anew without the lines, under the lock that its writers take."""
        removed: dict[str, int] = {}
        if self.path.parent.is_dir():
            for file in self._files():
                if file == self.path and not dry_run:
                    with self._file.locked():
                        count = self._rewrite(file, subject, findings, dry_run=dry_run)
                    self._file.close()
                else:
                    count = self._rewrite(file, subject, findings, dry_run=dry_run)
                if count:
                    removed[file.name] = count
        living = self._clean_journals(subject, findings, removed, dry_run=dry_run)
        remaining = (_LIVING.format(count=living, path=self._journals.path),) if living else ()
        return PlaceReport(kind="jsonl", where=str(self.path), removed=removed, remaining=remaining)

    def destinations(self) -> Iterable[str]:
        """None: a file is sent nowhere."""
        return ()

    def files(self) -> list[Path]:
        """All files in which something may be left."""
        journals = self._journals.path
        return [*self._files(), *(journals.iterdir() if journals.is_dir() else ())]

    def _files(self) -> list[Path]:
        if not self.path.parent.is_dir():
            return []
        return [*self._file.rotated(), *([self.path] if self.path.is_file() else [])]

    def _is_visible(self, span: Span) -> bool:
        return self._project in {None, span.project}

    def _goes(self, line: bytes, subject: Wanted, findings: Findings) -> bool:
        span = _span(line)
        if span is None:  # torn, or none of ours
            return self._project is None and subject.is_mentioned_in([line.decode("utf-8", "replace")])
        return self._is_visible(span) and (findings.cover(span) or _is_of(span, line, subject, findings))

    def _rewrite(self, file: Path, subject: Wanted, findings: Findings, *, dry_run: bool) -> int:
        """Put a file without the lines that go in the place of `file`, at once."""
        with file.open("rb") as stream:
            going = sum(self._goes(line, subject, findings) for line in stream)
        if not going or dry_run:
            return going
        draft = file.with_name(f".{file.name}.erasing")
        with file.open("rb") as stream, draft.open("wb") as rest:
            os.fchmod(rest.fileno(), os.fstat(stream.fileno()).st_mode & 0o777)
            rest.writelines(line for line in stream if not self._goes(line, subject, findings))
            rest.flush()
            os.fsync(rest.fileno())
        draft.replace(file)
        return going

    def _clean_journals(self, subject: Wanted, findings: Findings, removed: dict[str, int], *, dry_run: bool) -> int:
        """Clean what dead processes left. Returns how many are alive, whose files are theirs."""
        living = 0
        for process_id in self._journals.others():
            with self._journals.claim(process_id) as handle:
                if handle is None:
                    living += 1
                    continue
                content = os.pread(handle, os.fstat(handle).st_size, 0)
                lines = content.splitlines(keepends=True)
                kept = [line for line in lines if not self._goes(line, subject, findings)]
                if len(kept) < len(lines):
                    removed["starts"] = removed.get("starts", 0) + len(lines) - len(kept)
                    if not dry_run:
                        rest = b"".join(kept)
                        os.pwrite(handle, rest, 0)
                        os.ftruncate(handle, len(rest))
        return living


def _span(line: bytes) -> Span | None:
    try:
        return from_line(line)
    except ValueError:
        return None


def _is_of(span: Span, line: bytes, subject: Wanted, findings: Findings) -> bool:
    return (
        findings.cover(span)
        or subject.covers(span.trace_id, span.call_id)
        or subject.is_mentioned_in([line.decode("utf-8", "replace")])
    )
