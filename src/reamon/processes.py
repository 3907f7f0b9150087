"""Processes: which one this is, and whether another still lives.

A process is named by a random UUID, since PIDs are used again. It is alive for as long as it holds an operating-system
lock on a file of that name: the kernel releases it however the process ends, kill -9 included. POSIX record locks fit
because a forked child does not inherit them.
"""

import fcntl
import os
import uuid
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


class ProcessDirectory:
    """A directory of life signs: one locked file for each living process that shares a destination.

    It stands beside what is shared (a database, a log file), so that everybody who writes there looks in the same place.

    Args:
        path: Where the files lie; made when the first process moves in.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mine: dict[str, int] = {}

    def enter(self, process_id: str) -> Path:
        """Hold the lock of `process_id` until `leave` or death. Returns the locked file, which is ours to write to.

        Raises:
            OSError: The directory cannot be written.
        """
        file = self._file(process_id)
        if process_id in self._mine:
            return file
        self.path.mkdir(parents=True, exist_ok=True)
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._mine[process_id] = handle
        return file

    def leave(self, process_id: str) -> None:
        """Give the lock up and remove the file: this process has nothing unfinished here."""
        handle = self._mine.pop(process_id, None)
        if handle is not None:
            self._file(process_id).unlink(missing_ok=True)
            os.close(handle)

    def after_fork(self) -> None:
        """Forget the parent's locks, which a child does not have. Closing its own copies of the handles is harmless."""
        for handle in self._mine.values():
            os.close(handle)
        self._mine.clear()

    def is_alive(self, process_id: str) -> bool:
        """Whether the process of that id lives: it is this one, or somebody holds its lock."""
        if process_id in self._mine:
            return True
        try:
            handle = os.open(self._file(process_id), os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def others(self) -> list[str]:
        """The ids of all processes that moved in and did not move out, dead or alive, this one left out."""
        if not self.path.is_dir():
            return []
        return sorted(entry.name for entry in self.path.iterdir() if entry.name not in self._mine)

    def remove(self, process_id: str) -> None:
        """Remove what a dead process left, once its unfinished business is settled."""
        self._file(process_id).unlink(missing_ok=True)

    def _file(self, process_id: str) -> Path:
        return self.path / process_id
