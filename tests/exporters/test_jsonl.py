"""The JSONL exporter: whole lines, whatever happens."""

import json
import logging
import os
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from reamon.errors import ConfigurationError, Rejected
from reamon.exporters import JSONLExporter, read_jsonl
from reamon.model import Span
from reamon.model.times import NANOS_PER_SECOND
from reamon.testing import check_exporter, make_span
from support.disk import files_limited_to

WRITER = """
import sys
from reamon.exporters import JSONLExporter
from reamon.testing import make_span
path, process, batches = sys.argv[1], sys.argv[2], int(sys.argv[3])
exporter = JSONLExporter(path, max_bytes=20_000)
exporter.open()
for batch in range(batches):
    exporter.export([make_span(f"{process}-{batch}-{n}", input="x" * n) for n in range(10)])
exporter.shutdown()
"""


def names(path: Path) -> list[str]:
    return [span.name for span in read_jsonl(path)]


def all_spans(folder: Path) -> list[Span]:
    return [span for file in sorted(folder.glob("*.jsonl")) for span in read_jsonl(file)]


def opened(path: Path, **options: object) -> JSONLExporter:
    exporter = JSONLExporter(path, **options)  # type: ignore[arg-type]
    exporter.open()
    return exporter


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spans.jsonl"


def test_it_keeps_the_contract(path: Path) -> None:
    check_exporter(lambda: JSONLExporter(path), read_back=lambda: (span.span_id for span in read_jsonl(path)))


def test_spans_are_readable_as_soon_as_export_returns(path: Path) -> None:
    exporter = opened(path)
    exporter.export([make_span("first"), make_span("second")])
    assert names(path) == ["first", "second"]
    exporter.export([make_span("third")])
    assert names(path) == ["first", "second", "third"]


def test_the_default_place_is_the_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_HOME", str(tmp_path / "home"))
    assert JSONLExporter().path == tmp_path / "home" / "spans.jsonl"
    monkeypatch.delenv("REAMON_HOME")
    assert JSONLExporter().path == Path.cwd() / ".reamon" / "spans.jsonl"


def test_its_destination_is_the_file(path: Path) -> None:
    exporter = JSONLExporter(path)
    assert exporter.local
    assert exporter.destination == f"jsonl:{path}"


def test_a_directory_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is a directory"):
        JSONLExporter(tmp_path).open()


def test_a_device_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match="not a regular file"):
        JSONLExporter("/dev/null").open()


def test_a_path_below_a_file_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="is not a directory"):
        JSONLExporter(tmp_path / "file" / "spans.jsonl").open()


@pytest.mark.parametrize(
    "limit", [{"max_bytes": 0}, {"max_age": -1}, {"keep": 1.5}, {"max_bytes": "1"}, {"keep": True}]
)
def test_a_limit_that_makes_no_sense_is_refused(path: Path, limit: dict[str, object]) -> None:
    (name,) = limit
    with pytest.raises(ConfigurationError, match=name):
        JSONLExporter(path, **limit)  # type: ignore[arg-type]


# Healing


def test_a_torn_last_line_is_cut_off_at_the_start(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened(path).export([make_span("whole")])
    with path.open("ab") as file:
        file.write(b'{"span_id":"torn","input":{"text":"' + b"x" * 200_000)
    with caplog.at_level(logging.WARNING, "reamon.exporters"):
        exporter = opened(path)
    exporter.export([make_span("next")])
    assert names(path) == ["whole", "next"]
    assert [record.message.partition(" ")[0] for record in caplog.records] == ["event='torn_line'"]
    assert "cut off" in caplog.text


def test_a_whole_last_line_without_its_newline_gets_it(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    opened(path).export([make_span("whole"), make_span("last")])
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    with caplog.at_level(logging.WARNING, "reamon.exporters"):
        opened(path)
    assert names(path) == ["whole", "last"]
    assert "completed" in caplog.text


def test_a_file_that_is_one_torn_line_becomes_empty(path: Path) -> None:
    path.write_bytes(b'{"span_id"')
    opened(path)
    assert path.read_bytes() == b""


def test_a_line_torn_while_it_runs_is_healed_before_the_next(path: Path) -> None:
    exporter = opened(path)
    with path.open("ab") as other_process_that_died:
        other_process_that_died.write(b'{"span_id":"torn')
    exporter.export([make_span("next")])
    assert names(path) == ["next"]


# A disk that fails


def test_a_batch_that_the_disk_does_not_take_is_taken_back_whole(path: Path) -> None:
    exporter = opened(path)
    exporter.export([make_span("before")])
    batch = [make_span(f"batch {n}", input="x" * 100) for n in range(10)]
    with files_limited_to(path.stat().st_size + 700), pytest.raises(OSError, match="too large"):
        exporter.export(batch)
    assert names(path) == ["before"]
    exporter.export(batch)
    assert names(path) == ["before", *(span.name for span in batch)]


def test_a_disk_that_fails_at_the_start_does_not_raise(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "later"
    exporter = JSONLExporter(folder / "spans.jsonl")
    with files_limited_to(0), caplog.at_level(logging.WARNING, "reamon.exporters"):
        (folder.parent / "later").mkdir()
        (folder / "spans.jsonl").symlink_to("/proc/no-such-place/spans.jsonl")
        exporter.open()
    assert "jsonl_not_ready" in caplog.text
    (folder / "spans.jsonl").unlink()
    exporter.export([make_span("after all")])
    assert names(folder / "spans.jsonl") == ["after all"]


def test_a_span_that_has_no_text_is_rejected_and_the_others_are_written(path: Path) -> None:
    good, bad = make_span("good"), make_span("bad").replace(start_ns=10**30, end_ns=10**30)
    with pytest.raises(Rejected) as refusal:
        opened(path).export([good, bad])
    assert refusal.value.span_ids == (bad.span_id,)
    assert names(path) == ["good"]


def test_a_file_removed_under_its_feet_is_made_again(path: Path) -> None:
    exporter = opened(path)
    exporter.export([make_span("lost")])
    path.unlink()
    exporter.export([make_span("kept")])
    assert names(path) == ["kept"]


# Rotation


def test_a_batch_that_would_take_the_file_past_its_size_goes_to_a_new_one(path: Path) -> None:
    exporter = opened(path, max_bytes=1000, now=lambda: 1_767_225_600 * NANOS_PER_SECOND)
    for name in ("one", "two", "three"):
        exporter.export([make_span(name, input="x" * 500)])
    assert names(path) == ["three"]
    assert [file.name for file in sorted(path.parent.glob("*.jsonl"))] == [
        "spans-20260101T000000.000000Z.jsonl",
        "spans-20260101T000000.000001Z.jsonl",
        "spans.jsonl",
    ]
    assert [span.name for span in all_spans(path.parent)] == ["one", "two", "three"]


def test_a_batch_larger_than_the_size_is_written_whole(path: Path) -> None:
    exporter = opened(path, max_bytes=1000)
    exporter.export([make_span(f"{n}", input="x" * 500) for n in range(5)])
    assert len(names(path)) == 5


def test_a_file_is_put_aside_when_its_first_span_is_old_enough(path: Path) -> None:
    first = make_span("first")
    assert first.end_ns is not None
    now = first.end_ns
    exporter = opened(path, max_age=60, now=lambda: now)
    exporter.export([first])
    now += 59 * NANOS_PER_SECOND
    exporter.export([make_span("young enough")])
    now += NANOS_PER_SECOND
    exporter.export([make_span("new file")])
    assert names(path) == ["new file"]


def test_the_age_of_a_file_outlives_the_process_that_began_it(path: Path) -> None:
    first = make_span("first", input="x" * 100_000)
    assert first.end_ns is not None
    opened(path).export([first])
    later = first.end_ns + 61 * NANOS_PER_SECOND
    opened(path, max_age=60, now=lambda: later).export([make_span("new file")])
    assert names(path) == ["new file"]


def test_a_file_that_begins_with_a_strangers_line_is_as_old_as_its_last_change(path: Path) -> None:
    path.write_text('{"message":"not a span"}\n')
    os.utime(path, ns=(0, 1000 * NANOS_PER_SECOND))
    opened(path, max_age=60, now=lambda: 1059 * NANOS_PER_SECOND)
    assert path.stat().st_size > 0
    opened(path, max_age=60, now=lambda: 1060 * NANOS_PER_SECOND)
    assert path.stat().st_size == 0


@pytest.mark.parametrize(("keep", "left"), [(0, "5"), (2, "345"), (9, "012345"), (None, "012345")])
def test_only_so_many_rotated_files_are_kept(path: Path, keep: int | None, left: str) -> None:
    bystander = path.with_name("spans-notes.jsonl")
    bystander.touch()
    exporter = opened(path, max_bytes=1, keep=keep)
    for n in range(6):
        exporter.export([make_span(f"{n}")])
    assert [span.name for span in all_spans(path.parent)] == list(left)
    assert bystander.exists()


def test_a_file_that_may_not_be_put_aside_is_written_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("Permission denied")

    monkeypatch.setattr(Path, "rename", refuse)
    exporter = opened(path, max_bytes=1)
    with caplog.at_level(logging.WARNING, "reamon.exporters"):
        for name in ("one", "two", "three"):
            exporter.export([make_span(name)])
    assert names(path) == ["one", "two", "three"]
    assert caplog.text.count("not_rotated") == 1


def test_another_exporter_follows_to_the_new_file(path: Path) -> None:
    first, second = opened(path, max_bytes=None), opened(path, max_bytes=1)
    first.export([make_span("old file")])
    second.export([make_span("new file")])
    first.export([make_span("new file, too")])
    assert names(path) == ["new file", "new file, too"]


# Several writers


def test_threads_that_share_an_exporter_write_every_span_once(path: Path) -> None:
    exporter = opened(path, max_bytes=5000)
    batches = [[make_span(f"{thread}-{n}") for n in range(50)] for thread in range(8)]

    def write(batch: list[Span]) -> None:
        for span in batch:
            exporter.export([span])

    threads = [threading.Thread(target=write, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(s.span_id for s in all_spans(path.parent)) == Counter(s.span_id for b in batches for s in b)


def test_processes_write_every_span_once_while_files_rotate(path: Path) -> None:
    processes = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(n), "20"]) for n in range(4)]
    assert [process.wait(60) for process in processes] == [0] * 4
    expected = Counter(f"{process}-{batch}-{n}" for process in range(4) for batch in range(20) for n in range(10))
    assert Counter(span.name for span in all_spans(path.parent)) == expected
    assert len(list(path.parent.glob("*.jsonl"))) > 1


def test_a_forked_child_writes_its_own_and_leaves_the_parents_file_locked_by_the_parent(path: Path) -> None:
    exporter = opened(path)
    exporter.export([make_span("parent, before")])
    child = os.fork()
    if child == 0:
        exporter.after_fork()
        exporter.export([make_span("child")])
        exporter.shutdown()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    exporter.export([make_span("parent, after")])
    assert names(path) == ["parent, before", "child", "parent, after"]


# Reading


def test_reading_leaves_a_last_line_out_that_is_still_being_written(path: Path) -> None:
    opened(path).export([make_span("whole")])
    with path.open("ab") as file:
        file.write(b'{"span_id"')
    assert names(path) == ["whole"]


def test_reading_says_which_line_is_no_span(path: Path) -> None:
    opened(path).export([make_span("whole")])
    with path.open("ab") as file:
        file.write(b"hello\n")
    with pytest.raises(ValueError, match=r"line 2 of .*spans\.jsonl is not a span"):
        names(path)


def test_lines_can_be_read_by_any_tool(path: Path) -> None:
    opened(path).export([make_span("one", input={"text": "hello"})])
    (line,) = path.read_text().splitlines()
    assert json.loads(line)["input"] == {"text": "hello"}


def test_it_shows_its_path_and_name(path: Path) -> None:
    assert repr(JSONLExporter(path, name="archive")) == f"JSONLExporter({str(path)!r}, name='archive')"
