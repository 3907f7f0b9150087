"""The log file: append-only, shared by processes, rotated, and never left with a torn line.

Whoever writes holds an advisory lock (`flock`) on the file, and then looks whether the file still has its name: another
process may have rotated it away in the meantime.
"""

import fcntl
import logging
import mmap
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from reamon.errors import ConfigurationError
from reamon.exporters._lines import from_line
from reamon.guard import describe, log
from reamon.model.times import NANOS_PER_SECOND, iso
from reamon.processes import append_whole

_CHUNK: Final = 64 * 1024
_CLOSED: Final = -1


class Rotation(NamedTuple):
    """When a file is put aside, and for how long.

    Attributes:
        max_bytes: A batch that would take the file past this size goes to a new one; None: never.
        max_age: So many seconds after the end of its first span the file is put aside; None: never.
        keep: How many files that were put aside stay; None: all.
    """

    max_bytes: int | None
    max_age: float | None
    keep: int | None

    def check(self) -> None:
        """Raises `ConfigurationError` for limits that make no sense."""
        _check_limit("max_bytes", self.max_bytes, 1)
        _check_limit("max_age", self.max_age, 0)
        _check_limit("keep", self.keep, 0)


class Position(NamedTuple):
    """A place in a log file that stays valid when the file is renamed."""

    inode: int
    offset: int


class LogFile:
    """A file of lines to which several processes append.

    Args:
        path: Where it is; rotated files lie beside it, with the UTC time of their rotation in the name.
        rotation: When it is put aside.
        now: Nanoseconds since 1970.
    """

    def __init__(self, path: Path, rotation: Rotation, now: Callable[[], int]) -> None:
        rotation.check()
        self.path = path
        self._rotation = rotation
        self._now = now
        self._handle = _CLOSED
        self._expires_ns: int | None = None
        self._is_stuck = False

    def check(self) -> None:
        """Raises `ConfigurationError` if there can be no file of this name."""
        if self.path.exists() and not self.path.is_file():
            what = "a directory" if self.path.is_dir() else "not a regular file"
            raise ConfigurationError(f"{self.path} is {what}; give the path of a file, existing or not")
        nearest = next(parent for parent in self.path.parents if parent.exists())
        if not nearest.is_dir():
            raise ConfigurationError(f"{self.path} cannot be made, because {nearest} is not a directory")

    @contextmanager
    def locked(self, size: int = 0) -> Iterator[Position]:
        """Hold the file for one `append` of `size` bytes: opened, whole to its last line, and with room for them.

        Yields:
            Where the bytes will go.
        """
        handle = self._lock_current()
        try:
            self._heal(handle)
            if self._is_due(handle, size):
                handle = self._rotate()
            stat = os.fstat(handle)
            yield Position(stat.st_ino, stat.st_size)
        finally:
            self._unlock()

    def append(self, data: bytes | bytearray) -> None:
        """Write whole lines, inside of `locked`: all of them in one go, or none.

        Raises:
            OSError: The disk is full, or worse; nothing was written.
        """
        append_whole(self._handle, data)

    def holds(self, position: Position, beginning: bytes) -> bool:
        """Whether a line starts with `beginning`: one from `position` on, else any.

        An erasure writes files anew, and then nothing is where it was noted. A file that is gone holds nothing.
        """
        return self._has(beginning, position) or self._has(beginning, None)

    def _has(self, beginning: bytes, position: Position | None) -> bool:
        for file in (self.path, *self.rotated()):
            try:
                with file.open("rb") as stream:
                    stat = os.fstat(stream.fileno())
                    offset = 0 if position is None else position.offset
                    is_meant = position is None or stat.st_ino == position.inode
                    if is_meant and stat.st_size > offset and _has_line(stream.fileno(), offset, beginning):
                        return True
            except FileNotFoundError:
                continue  # another process has removed it
        return False

    def rotated(self) -> list[Path]:
        """The files that were put aside, oldest first."""
        stem, suffix = re.escape(self.path.stem), re.escape(self.path.suffix)
        ours = re.compile(rf"{stem}-\d{{8}}T\d{{6}}\.\d{{6}}Z{suffix}")
        return sorted(file for file in self.path.parent.iterdir() if ours.fullmatch(file.name))

    def close(self) -> None:
        """Close the file, which releases our lock; in a forked child it closes the child's copy only."""
        if self._handle != _CLOSED:
            handle, self._handle = self._handle, _CLOSED
            os.close(handle)

    def _lock_current(self) -> int:
        """Open and lock the file that has the name now."""
        while True:
            if self._handle == _CLOSED:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                self._handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
                self._expires_ns = None
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            try:
                if os.path.samestat(os.fstat(self._handle), self.path.stat()):
                    return self._handle
            except FileNotFoundError:
                pass  # removed under our feet: a new one is made
            self.close()

    def _unlock(self) -> None:
        if self._handle != _CLOSED:
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def _heal(self, handle: int) -> None:
        """Give a last line that lacks only its newline that newline, and cut off one that was written in part."""
        size = os.fstat(handle).st_size
        if size == 0 or os.pread(handle, 1, size - 1) == b"\n":
            return
        begin, line = _last_line(handle, size)
        if _is_json(line):
            append_whole(handle, b"\n")
            outcome = "completed"
        else:
            os.ftruncate(handle, begin)
            outcome = "cut off"
        log("reamon.exporters", logging.WARNING, "torn_line", path=str(self.path), bytes=size - begin, outcome=outcome)

    def _is_due(self, handle: int, size: int) -> bool:
        now_size = os.fstat(handle).st_size
        if now_size == 0:
            return False
        if self._rotation.max_bytes is not None and now_size + size > self._rotation.max_bytes:
            return True
        if self._rotation.max_age is None:
            return False
        if self._expires_ns is None:
            self._expires_ns = self._began(handle) + round(self._rotation.max_age * NANOS_PER_SECOND)
        return self._now() >= self._expires_ns

    def _began(self, handle: int) -> int:
        """When the file's first span ended, which is when the file was begun, whoever did that."""
        line, position = b"", 0
        while b"\n" not in line and (chunk := os.pread(handle, _CHUNK, position)):
            line, position = line + chunk, position + len(chunk)
        try:
            first = from_line(line.partition(b"\n")[0])
        except ValueError:  # not a line of ours
            return os.fstat(handle).st_mtime_ns
        return first.end_ns or first.start_ns

    def _rotate(self) -> int:
        """Put the file aside under the lock that we hold on it, and begin a new one."""
        try:
            self.path.rename(self._free_name())
        except PermissionError as error:  # the file may be written, its directory not: better a large file than none
            if not self._is_stuck:
                log("reamon.exporters", logging.WARNING, "not_rotated", path=str(self.path), error=describe(error))
            self._is_stuck = True
            return self._handle
        self.close()
        self._drop_oldest()
        return self._lock_current()

    def _drop_oldest(self) -> None:
        if self._rotation.keep is not None:
            files = self.rotated()
            for file in files[: max(len(files) - self._rotation.keep, 0)]:
                file.unlink(missing_ok=True)

    def _free_name(self) -> Path:
        now = self._now()
        while True:
            stamp = iso(now).replace("-", "").replace(":", "")
            name = self.path.with_name(f"{self.path.stem}-{stamp}{self.path.suffix}")
            if not name.exists():
                return name
            now += 1000


def _check_limit(name: str, value: object, least: int) -> None:
    kinds = int | float if name == "max_age" else int
    if value is not None and (isinstance(value, bool) or not isinstance(value, kinds) or value < least):
        raise ConfigurationError(f"{name} is {value!r}; give a number of at least {least}, or None for no limit")


def _last_line(handle: int, size: int) -> tuple[int, bytes]:
    """Where the last line, which has no newline, begins, and the line."""
    begin, line = size, b""
    while begin > 0:
        step = min(_CHUNK, begin)
        chunk = os.pread(handle, step, begin - step)
        newline = chunk.rfind(b"\n")
        if newline >= 0:
            return begin - step + newline + 1, chunk[newline + 1 :] + line
        begin, line = begin - step, chunk + line
    return 0, line


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(line), dict)
    except ValueError:
        return False


def _has_line(handle: int, offset: int, beginning: bytes) -> bool:
    with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as content:
        if content[offset : offset + len(beginning)] == beginning:
            return True
        return content.find(b"\n" + beginning, offset) >= 0
