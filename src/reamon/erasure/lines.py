"""Lines: JSONL files, the rotated ones and the journals of dead processes included."""

import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

from reamon.erasure.findings import Findings, PlaceReport, Wanted, names_them
from reamon.exporters._lines import from_line
from reamon.exporters._logfile import LogFile, Rotation
from reamon.model import Span
from reamon.processes import ProcessDirectory

_NEVER: Final = Rotation(None, None, None)
_LIVING: Final = (
    "{count} living process(es) keep the start of a call that is not over, in {path}: "
    "it goes when the call ends; erase once more then"
)
_LEFT: Final = "something was written to {name} meanwhile: erase once more"
_DRAFT: Final = "erasing"


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
        """Look through every line, and the starts that processes keep."""
        for file in self._files():
            with suppress(FileNotFoundError), file.open("rb") as stream:  # another process may have removed it
                self._find_in(stream, subject, findings)
        for process_id in self._journals.others():
            self._find_in(self._journals.content(process_id).splitlines(keepends=True), subject, findings)

    def erase(self, subject: Wanted, findings: Findings, *, dry_run: bool) -> PlaceReport:
        """Write each file anew without the lines, under the lock that its writers take."""
        removed: dict[str, int] = {}
        for file in self._files():
            count = self._count(file, subject, findings) if dry_run else self._rewrite(file, subject, findings)
            if count:
                removed[file.name] = count
        living = self._clean_journals(subject, findings, removed, dry_run=dry_run)
        remaining = [_LIVING.format(count=living, path=self._journals.path)] if living else []
        if not dry_run:
            self._remove_drafts()
            left = [file.name for file in self._files() if self._count(file, subject, findings)]
            remaining += [_LEFT.format(name=name) for name in left]
        return PlaceReport(kind="jsonl", where=str(self.path), removed=removed, remaining=tuple(remaining))

    def destinations(self) -> Iterable[str]:
        """None: a file is sent nowhere."""
        return ()

    def _files(self) -> list[Path]:
        if not self.path.parent.is_dir():
            return []
        return [*self._file.rotated(), *([self.path] if self.path.is_file() else [])]

    def _find_in(self, lines: Iterable[bytes], subject: Wanted, findings: Findings) -> None:
        for line in lines:
            span = _span(line)
            if span is not None and self._is_visible(span) and _is_of(span, line, subject, findings):
                findings.add(span.trace_id, span.call_id)

    def _is_visible(self, span: Span) -> bool:
        return self._project in {None, span.project}

    def _goes(self, line: bytes, subject: Wanted, findings: Findings) -> bool:
        span = _span(line)
        if span is None:  # torn, or none of ours
            return self._project is None and names_them(line.decode("utf-8", "replace"), subject, findings)
        return self._is_visible(span) and (findings.cover(span) or _is_of(span, line, subject, findings))

    def _count(self, file: Path, subject: Wanted, findings: Findings) -> int:
        with suppress(FileNotFoundError), file.open("rb") as stream:
            return sum(self._goes(line, subject, findings) for line in stream)
        return 0

    def _rewrite(self, file: Path, subject: Wanted, findings: Findings) -> int:
        """Put a file without the lines that go in the place of `file`, at once. Returns how many went."""
        with self._held(file) as stream:
            going = 0 if stream is None else sum(self._goes(line, subject, findings) for line in stream)
            if stream is None or not going:
                return 0
            draft = file.with_name(f".{file.name}.{_DRAFT}")
            stream.seek(0)
            with draft.open("wb") as rest:
                os.fchmod(rest.fileno(), os.fstat(stream.fileno()).st_mode & 0o777)
                rest.writelines(line for line in stream if not self._goes(line, subject, findings))
                rest.flush()
                os.fsync(rest.fileno())
            draft.replace(file)
            return going

    @contextmanager
    def _held(self, file: Path) -> Iterator[BinaryIO | None]:
        """A file that nobody else writes to or writes anew; None if it has gone, or has another name now."""
        if file == self.path:
            with self._file.locked(), file.open("rb") as stream:
                yield stream
            self._file.close()
            return
        while True:
            try:
                stream = file.open("rb")
            except FileNotFoundError:
                yield None
                return
            with stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                if _is_at(stream, file):
                    yield stream
                    return

    def _remove_drafts(self) -> None:
        """Remove what an erasure left that was killed while it wrote a file anew."""
        for draft in self.path.parent.glob(f".{self.path.stem}*.{_DRAFT}"):
            with self._held(draft.with_name(draft.name[1 : -len(_DRAFT) - 1])):
                draft.unlink(missing_ok=True)

    def _clean_journals(self, subject: Wanted, findings: Findings, removed: dict[str, int], *, dry_run: bool) -> int:
        """Clean what dead processes left. Returns how many living ones keep something; their files are theirs."""
        living = 0
        for process_id in self._journals.others():
            with self._journals.claim(process_id) as handle:
                if handle is None:
                    lines = self._journals.content(process_id).splitlines(keepends=True)
                    living += any(self._goes(line, subject, findings) for line in lines)
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


def _is_at(stream: BinaryIO, file: Path) -> bool:
    """Whether an open file is the one that has this name now."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(stream.fileno()), file.stat())
    return False


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
