"""Processes: which one this is, and whether another still lives.

A process is named by a random UUID, since PIDs are used again. It is alive for as long as it holds an operating-system
lock on a file of that name: the kernel releases it however the process ends, kill -9 included. POSIX record locks fit
because a forked child does not inherit them. They have one trap: a process loses its lock as soon as it closes *any*
handle of the file. So a file that is held is never opened a second time, and whoever writes to it uses `handle`.
"""

import ctypes
import fcntl
import os
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_current: str = ""


def current_id() -> str:
    """The id of this process; a forked child gets one of its own (`renew`)."""
    return _current or renew()


def renew() -> str:
    """Give this process a new id; called in a forked child, which must not pass for its parent."""
    global _current  # noqa: PLW0603 - one process, one id
    _current = str(uuid.uuid4())
    return _current


_finishers: dict[str, Callable[[], object]] = {}


def on_finish(name: str, finisher: Callable[[], object]) -> None:
    """Call `finisher` when somebody says that this process is about to end; one of each name."""
    _finishers[name] = finisher


def finish() -> None:
    """This process is about to end in a way that runs no exit handlers, as children of worker pools do."""
    for finisher in _finishers.values():
        finisher()


def abandon(inherited: object) -> None:
    """Keep an inherited object for ever, so that not even the end of the interpreter closes it.

    Closing is what would do harm: SQLite forbids to touch a parent's connection in a child, and an event loop that is
    closed takes its descriptors out of an `epoll` that the parent shares.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(inherited))


class ProcessDirectory:
    """A directory of life signs: one locked file for each living process that shares a destination.

    It stands beside what is shared (a database, a log file), so that everybody who writes there looks in the same
    place. Several parts of one process may share a directory: a file is given up when the last of them leaves.

    Args:
        path: Where the files lie; made when the first process moves in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._mine: set[str] = set()

    def enter(self, process_id: str) -> Path:
        """Hold the lock of `process_id` until `leave` or death. Returns the locked file, which is ours to write to.

        Raises:
            OSError: The directory cannot be written.
        """
        file = self._file(process_id)
        if process_id not in self._mine:
            self.path.mkdir(parents=True, exist_ok=True)
            _held.take(file)
            self._mine.add(process_id)
        return file

    def handle(self, process_id: str) -> int:
        """The open handle of a file that was entered: the one to read and write it with, and not to be closed."""
        return _held.handle(self._file(process_id))

    def rewrite(self, process_id: str, content: bytes) -> None:
        """Put `content` in the place of what an entered file holds, at once: a crash leaves the old or the new.

        Raises:
            OSError: The disk is full, or worse; the file is as it was.
        """
        _held.replace(self._file(process_id), self._draft(process_id), content)

    def leave(self, process_id: str, *, remove: bool = True) -> None:
        """Have no more to do with `process_id`.

        Args:
            process_id: Which one.
            remove: Give its lock up and remove the file, because nothing is unfinished here. Otherwise both stay: this
                process lives on, and whoever enters next in it, or the next start after its death, settles the rest.
        """
        if process_id in self._mine:
            self._mine.discard(process_id)
            _held.release(self._file(process_id), remove=remove)

    def after_fork(self) -> None:
        """Forget the parent's locks, which a child does not have. Closing its own copies of the handles is harmless."""
        self._mine.clear()
        _held.after_fork()

    def is_alive(self, process_id: str) -> bool:
        """Whether the process of that id lives: it is this one, or somebody holds its lock."""
        if _held.holds(self._file(process_id)):
            return True
        with self.claim(process_id) as handle:
            return handle is None and self._file(process_id).exists()

    @contextmanager
    def claim(self, process_id: str) -> Iterator[int | None]:
        """Hold the file of a dead process while its unfinished business is settled, so that nobody else settles it.

        Yields:
            A handle to read and write the file with; None if the process lives, if somebody else has claimed it, or if
            it left nothing.
        """
        file = self._file(process_id)
        handle = None if _held.holds(file) else _lock_if_free(file)
        try:
            yield handle
        finally:
            if handle is not None:
                os.close(handle)

    def content(self, process_id: str) -> bytes:
        """What stands in the file of a process, dead or alive or this one; its lock stays whose it is."""
        file = self._file(process_id)
        if _held.holds(file):
            handle = _held.handle(file)  # closing another handle would give the lock up
            return os.pread(handle, os.fstat(handle).st_size, 0)
        try:
            return file.read_bytes()
        except FileNotFoundError:
            return b""

    def others(self) -> list[str]:
        """The ids of all processes that moved in and did not move out, dead or alive, this one left out."""
        if not self.path.is_dir():
            return []
        names = (entry.name for entry in self.path.iterdir())
        return sorted(name for name in names if not name.startswith(".") and name not in self._mine)

    def remove(self, process_id: str) -> None:
        """Remove what a dead process left, once its unfinished business is settled. A living one's file stays."""
        with self.claim(process_id) as handle:
            if handle is not None:
                self._file(process_id).unlink(missing_ok=True)
                self._draft(process_id).unlink(missing_ok=True)

    def _file(self, process_id: str) -> Path:
        return self.path / process_id

    def _draft(self, process_id: str) -> Path:
        return self.path / f".{process_id}"


class _HeldFiles:
    """The files that this process holds, in one table for all directories: see the trap above."""

    def __init__(self) -> None:
        self._begin()

    def take(self, file: Path) -> None:
        """Lock `file`, or share it with who has it already."""
        self.after_fork()
        with self._lock:
            if file not in self._handles:
                self._handles[file] = _lock_for_good(file)
            self._users[file] = self._users.get(file, 0) + 1

    def release(self, file: Path, *, remove: bool) -> None:
        """One user less; the last one that leaves nothing behind removes the file."""
        with self._lock:
            self._users[file] -= 1
            if remove and self._users[file] <= 0:
                file.unlink(missing_ok=True)
                del self._users[file]
                os.close(self._handles.pop(file))

    def holds(self, file: Path) -> bool:
        """Whether `file` is one of this process."""
        self.after_fork()
        return file in self._handles

    def handle(self, file: Path) -> int:
        """The open handle of a file that was taken."""
        return self._handles[file]

    def replace(self, file: Path, draft: Path, content: bytes) -> None:
        """Put a file with `content`, locked before anybody can see it, in the place of `file`."""
        with self._lock:
            handle = _open(draft, os.O_CREAT | os.O_TRUNC)
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX)
                append_whole(handle, content)
                draft.rename(file)
            except BaseException:
                os.close(handle)
                raise
            before, self._handles[file] = self._handles[file], handle
            os.close(before)

    def after_fork(self) -> None:
        """In a child, and there once: close the parent's handles and begin anew."""
        if self._pid != os.getpid():
            inherited = self._handles
            self._begin()
            for handle in inherited.values():
                os.close(handle)

    def _begin(self) -> None:
        self._pid = os.getpid()
        # Anew, since the parent's may be held by a thread that a child does not have; an RLock, since a signal handler
        # that shuts down may come here in the middle of it.
        self._lock = threading.RLock()
        self._handles: dict[Path, int] = {}
        self._users: dict[Path, int] = {}


_held = _HeldFiles()


def append_whole(handle: int, data: bytes | bytearray) -> None:
    """Append `data` to a file that nobody else is writing to: all of it, or nothing.

    Raises:
        OSError: The disk is full, or worse; the file is as long as it was, unless it cannot even be cut back.
    """
    begin = os.fstat(handle).st_size
    try:
        written = os.pwrite(handle, data, begin)
        while written < len(data):
            written += os.pwrite(handle, data[written:], begin + written)
    except BaseException:
        os.ftruncate(handle, begin)
        raise


def _open(file: Path, flags: int = 0) -> int:
    return os.open(file, os.O_RDWR | os.O_CLOEXEC | flags, 0o644)


def _lock_for_good(file: Path) -> int:
    """Make and lock `file`, again if somebody took it for a dead one's and removed it before it was locked."""
    while True:
        handle = _open(file, os.O_CREAT)
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX)
        except BaseException:
            os.close(handle)
            raise
        if _is_at(handle, file):
            return handle
        os.close(handle)


def _lock_if_free(file: Path) -> int | None:
    try:
        handle = _open(file)
    except FileNotFoundError:
        return None
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.close(handle)
        return None
    if _is_at(handle, file):
        return handle
    os.close(handle)
    return None


def _is_at(handle: int, file: Path) -> bool:
    """Whether `handle` is of the file that has this name now."""
    try:
        there = file.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)
