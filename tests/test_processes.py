"""Which process lives: the lock on its file says."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from reamon import processes
from reamon.processes import ProcessDirectory, append_whole, current_id, renew
from support.disk import files_limited_to

HOLDER = """
import sys
from pathlib import Path
from reamon.processes import ProcessDirectory
ProcessDirectory(Path(sys.argv[1])).enter("other")
print("entered", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "processes"


@contextmanager
def another_process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the lock of "other"."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"entered\n"
        yield process
        process.kill()


def in_a_child(check: Callable[[], bool]) -> int:
    """Run `check` in a forked child; its result is the exit code."""
    child = os.fork()
    if child == 0:
        os._exit(int(check()))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_process_keeps_its_id_until_it_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_current", "")
    first = current_id()
    assert current_id() == first
    assert renew() != first
    assert current_id() != first


def test_who_has_entered_is_alive_and_who_has_left_is_not(folder: Path) -> None:
    directory = ProcessDirectory(folder)
    file = directory.enter("me")
    assert directory.enter("me") == file == folder / "me"
    assert directory.is_alive("me")
    assert directory.others() == []
    directory.leave("me")
    assert not directory.is_alive("me")
    assert not file.exists()


def test_who_was_never_there_is_not_alive(folder: Path) -> None:
    directory = ProcessDirectory(folder)
    assert not directory.is_alive("nobody")
    assert directory.others() == []
    directory.leave("nobody")


def test_another_process_is_alive_until_it_is_killed(folder: Path) -> None:
    directory = ProcessDirectory(folder)
    with another_process(folder) as process:
        assert directory.others() == ["other"]
        assert directory.is_alive("other")
        directory.remove("other")
        assert directory.is_alive("other"), "a living one's file is not removed"
        process.kill()
        process.wait()
        assert not directory.is_alive("other")
        directory.remove("other")
        assert directory.others() == []


def test_two_parts_of_a_process_share_a_file_and_the_last_one_removes_it(folder: Path) -> None:
    first, second = ProcessDirectory(folder), ProcessDirectory(folder)
    first.enter("me")
    assert second.is_alive("me")
    second.enter("me")
    first.leave("me")
    assert (folder / "me").exists()
    second.leave("me")
    assert not (folder / "me").exists()


def test_looking_from_another_part_of_the_process_does_not_drop_the_lock(folder: Path) -> None:
    ProcessDirectory(folder).enter("me")
    looking = ProcessDirectory(folder)
    assert looking.others() == ["me"]
    assert looking.is_alive("me")
    looking.remove("me")
    with looking.claim("me") as handle:
        assert handle is None
    assert in_a_child(lambda: ProcessDirectory(folder).is_alive("me")) == 1


def test_who_leaves_something_unfinished_lives_on_and_may_enter_again(folder: Path) -> None:
    first = ProcessDirectory(folder)
    first.enter("me")
    append_whole(first.handle("me"), b"unfinished")
    first.leave("me", remove=False)
    second = ProcessDirectory(folder)
    assert second.is_alive("me")
    second.enter("me")
    assert os.pread(second.handle("me"), 100, 0) == b"unfinished"
    second.leave("me")
    assert not (folder / "me").exists()


def test_a_file_is_rewritten_at_once_and_stays_locked(folder: Path) -> None:
    directory = ProcessDirectory(folder)
    file = directory.enter("me")
    append_whole(directory.handle("me"), b"a long story")
    directory.rewrite("me", b"short")
    append_whole(directory.handle("me"), b" story")
    assert file.read_bytes() == b"short story"
    assert [entry.name for entry in folder.iterdir()] == ["me"]


def test_a_rewritten_file_is_locked_for_other_processes(folder: Path) -> None:
    directory = ProcessDirectory(folder)
    directory.enter("me")
    directory.rewrite("me", b"x")
    assert in_a_child(lambda: ProcessDirectory(folder).is_alive("me")) == 1


def test_a_rewrite_that_the_disk_does_not_take_leaves_the_file_as_it_was(folder: Path) -> None:
    directory = ProcessDirectory(folder)
    file = directory.enter("me")
    append_whole(directory.handle("me"), b"before")
    with files_limited_to(10), pytest.raises(OSError, match="too large"):
        directory.rewrite("me", b"x" * 100)
    assert file.read_bytes() == b"before"
    assert directory.others() == []


def test_a_child_is_not_its_parent(folder: Path) -> None:
    directory = ProcessDirectory(folder)
    directory.enter("parent")

    def in_child() -> bool:
        directory.after_fork()
        directory.enter("child")
        return directory.is_alive("parent") and directory.is_alive("child") and directory.others() == ["parent"]

    assert in_a_child(in_child) == 1
    assert directory.is_alive("parent")
    assert not directory.is_alive("child")


def test_what_a_dead_process_left_is_claimed_by_one_at_a_time(folder: Path) -> None:
    folder.mkdir()
    (folder / "dead").write_bytes(b"unfinished")
    with ProcessDirectory(folder).claim("dead") as handle:
        assert handle is not None
        assert os.read(handle, 100) == b"unfinished"
        assert in_a_child(lambda: claims(folder, "dead")) == 0
    assert in_a_child(lambda: claims(folder, "dead")) == 1


def claims(folder: Path, process_id: str) -> bool:
    with ProcessDirectory(folder).claim(process_id) as handle:
        return handle is not None


def test_who_enters_while_somebody_clears_the_file_away_enters_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = fcntl.lockf

    def lock_too_late(handle: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "lockf", lock)
        (folder / "me").unlink()  # as `remove` does, between our opening the file and our lock on it
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "lockf", lock_too_late)
    directory = ProcessDirectory(folder)
    assert directory.enter("me").exists()
    assert in_a_child(lambda: ProcessDirectory(folder).is_alive("me")) == 1


def test_who_claims_what_somebody_has_just_cleared_away_gets_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir()
    (folder / "dead").touch()
    lock = fcntl.lockf

    def lock_too_late(handle: int, operation: int) -> None:
        (folder / "dead").unlink()
        lock(handle, operation)

    monkeypatch.setattr(fcntl, "lockf", lock_too_late)
    with ProcessDirectory(folder).claim("dead") as handle:
        assert handle is None


def test_a_lock_that_the_file_system_refuses_is_an_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(handle: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "lockf", refuse)
    with pytest.raises(OSError, match="No locks available"):
        ProcessDirectory(folder).enter("me")


def test_bytes_are_appended_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "file"
    handle = os.open(file, os.O_RDWR | os.O_CREAT)
    append_whole(handle, b"12345")
    with files_limited_to(8), pytest.raises(OSError, match="too large"):
        append_whole(handle, b"67890")
    assert file.read_bytes() == b"12345"
    append_whole(handle, b"67890")
    assert file.read_bytes() == b"1234567890"
    os.close(handle)
