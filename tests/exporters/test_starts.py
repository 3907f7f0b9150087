"""Workflows that begin and do not end: what the JSONL file says of them."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reamon import processes
from reamon.exporters import JSONLExporter, _starts, read_jsonl
from reamon.model import Span, SpanStatus
from reamon.testing import make_span

DOOMED = """
import os, sys
from reamon.exporters import JSONLExporter
from reamon.testing import make_span
exporter = JSONLExporter(sys.argv[1])
exporter.open()
begun = [make_span(name, "workflow", status="running", call_id="call-1", input={"n": 1}) for name in ("ended", "lost")]
exporter.started(begun)
exporter.export([begun[0].replace(status="ok", end_ns=begun[0].start_ns + 1)])
print("ready", flush=True)
sys.stdin.read()
"""


RESTLESS = """
import os, sys, uuid
from reamon.exporters import JSONLExporter
from reamon.testing import make_span
exporter = JSONLExporter(sys.argv[1], max_bytes=50_000)
exporter.open()
os.write(1, b"ready\\n")
while True:
    ids = [str(uuid.uuid4()) for _ in range(3)]
    begun = [make_span("turn", "workflow", status="running", span_id=i, input="x" * 300) for i in ids]
    exporter.started(begun)
    os.write(1, "".join(f"begun {i}\\n" for i in ids).encode())
    exporter.export([span.replace(status="ok", end_ns=span.start_ns) for span in begun])
    os.write(1, "".join(f"ended {i}\\n" for i in ids).encode())
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "spans.jsonl"


@pytest.fixture
def doomed(path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has written one workflow and is in the middle of another."""
    with subprocess.Popen(
        [sys.executable, "-c", DOOMED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def opened(path: Path) -> JSONLExporter:
    exporter = JSONLExporter(path)
    exporter.open()
    return exporter


def begun(name: str = "turn") -> Span:
    return make_span(name, "workflow", status="running", input={"text": "hello"})


def ended(span: Span) -> Span:
    return span.replace(status=SpanStatus.OK, end_ns=span.start_ns + 1000)


def outcomes(path: Path) -> list[tuple[str, str]]:
    return [(span.name, span.status.value) for span in read_jsonl(path)]


def left_behind(path: Path) -> list[Path]:
    folder = path.with_name("spans.jsonl-processes")
    return sorted(folder.iterdir()) if folder.exists() else []


def die(exporter: JSONLExporter) -> None:
    """Leave the exporter's records as a process that dies does: as a stranger's, and locked by nobody."""
    (mine,) = left_behind(exporter.path)
    content = mine.read_bytes()
    exporter._starts._open.clear()
    exporter.shutdown()
    mine.with_name("some-dead-process").write_bytes(content)


def test_a_start_is_not_in_the_file_while_the_workflow_runs(path: Path) -> None:
    opened(path).started([begun()])
    assert outcomes(path) == []


def test_a_workflow_whose_process_died_is_marked_at_the_next_start(path: Path, doomed: subprocess.Popen[bytes]) -> None:
    opened(path)
    assert outcomes(path) == [("ended", "ok")], "the process lives, so its workflow runs"
    doomed.send_signal(signal.SIGKILL)
    doomed.wait()
    opened(path)
    assert outcomes(path) == [("ended", "ok"), ("lost", "interrupted")]
    lost = list(read_jsonl(path))[1]
    assert (lost.end_ns, lost.call_id, lost.status_reason) == (None, "call-1", "the process ended before this span did")
    assert lost.input is not None
    assert lost.input.value == {"n": 1}
    assert left_behind(path) == []


def test_two_that_start_at_once_mark_it_once(path: Path, doomed: subprocess.Popen[bytes]) -> None:
    doomed.kill()
    doomed.wait()
    threads = [threading.Thread(target=opened, args=(path,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes(path) == [("ended", "ok"), ("lost", "interrupted")]


def test_a_workflow_that_was_written_just_before_the_death_is_not_marked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter = opened(path)
    turns = [begun("written"), begun("not written")]
    exporter.started(turns)
    monkeypatch.setattr(exporter._starts, "finished", lambda _: None)  # dies before it gets there
    exporter.export([ended(turns[0])])
    die(exporter)
    opened(path)
    assert outcomes(path) == [("written", "ok"), ("not written", "interrupted")]


def test_a_workflow_that_was_about_to_be_written_is_marked(path: Path) -> None:
    exporter = opened(path)
    turn = begun()
    exporter.started([turn])
    with exporter._file.locked() as position:
        exporter._starts.finishing((turn.span_id,), position)
    die(exporter)
    opened(path)
    assert outcomes(path) == [("turn", "interrupted")]


def test_what_was_written_is_found_in_a_rotated_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = opened(path)
    turns = [begun("written"), begun("not written")]
    exporter.started(turns)
    monkeypatch.setattr(exporter._starts, "finished", lambda _: None)  # dies before it gets there
    exporter.export([make_span("other"), ended(turns[0])])
    die(exporter)
    JSONLExporter(path, max_bytes=1).open()
    assert outcomes(path) == [("not written", "interrupted")]


def test_what_was_about_to_be_written_to_a_file_that_is_gone_is_marked(path: Path) -> None:
    exporter = opened(path)
    turn = begun()
    exporter.started([turn])
    with exporter._file.locked() as position:
        exporter._starts.finishing((turn.span_id,), position)
    die(exporter)
    path.rename(path.with_name("moved away"))
    opened(path)
    assert outcomes(path) == [("turn", "interrupted")]


def test_a_record_cut_short_by_death_does_not_hide_the_others(path: Path) -> None:
    exporter = opened(path)
    exporter.started([begun()])
    die(exporter)
    with left_behind(path)[0].open("ab") as file:
        file.write(b'{"span_id":"half a reco')
    opened(path)
    assert outcomes(path) == [("turn", "interrupted")]


def test_the_file_of_starts_is_gone_after_an_orderly_end(path: Path) -> None:
    exporter = opened(path)
    turn = begun()
    exporter.started([turn])
    exporter.export([ended(turn)])
    exporter.shutdown()
    assert left_behind(path) == []
    opened(path)
    assert outcomes(path) == [("turn", "ok")]


def test_the_next_exporter_of_the_same_process_goes_on_with_what_is_open(path: Path) -> None:
    first = opened(path)
    turn, other = begun("goes on"), begun("finished by the first")
    first.started([turn, other])
    first.export([ended(other)])
    first.shutdown()
    second = opened(path)
    assert outcomes(path) == [("finished by the first", "ok")]
    second.export([ended(turn)])
    second.shutdown()
    assert outcomes(path) == [("finished by the first", "ok"), ("goes on", "ok")]
    assert left_behind(path) == []


def test_the_file_of_starts_is_empty_when_nothing_is_open(path: Path) -> None:
    exporter = opened(path)
    turns = [begun(f"{n}") for n in range(3)]
    exporter.started(turns)
    exporter.export([ended(turn) for turn in turns])
    assert [file.stat().st_size for file in left_behind(path)] == [0]


def test_the_file_of_starts_stays_small_while_something_is_always_open(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_starts, "REWRITE_BYTES", 4000)
    exporter = opened(path)
    current = begun("first")
    exporter.started([current])
    for n in range(100):
        following = begun(f"{n}")
        exporter.started([following])
        exporter.export([ended(current)])
        current = following
    (file,) = left_behind(path)
    assert file.stat().st_size < 6000
    die(exporter)
    opened(path)
    assert outcomes(path)[-2:] == [("98", "ok"), ("99", "interrupted")]


@pytest.mark.slow
def test_kills_at_random_moments_leave_whole_lines_and_every_start_with_one_end(path: Path) -> None:
    chance = random.Random(7)
    begun_ids: set[str] = set()
    ended_ids: set[str] = set()
    for _ in range(12):
        writers = [subprocess.Popen([sys.executable, "-c", RESTLESS, str(path)], stdout=subprocess.PIPE) for _ in "abc"]
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline() == b"ready\n"
        time.sleep(chance.uniform(0.01, 0.2))
        for writer in writers:
            writer.kill()
            output, _ = writer.communicate()
            for line in output.splitlines():
                what, _, span_id = line.decode().partition(" ")
                {"begun": begun_ids, "ended": ended_ids}[what].add(span_id)
    opened(path)
    written = [span for file in path.parent.glob("*.jsonl") for span in read_jsonl(file)]
    statuses = {span.span_id: span.status.value for span in written}
    assert ended_ids
    assert len(statuses) == len(written), "no workflow has two ends"
    assert {span_id for span_id, status in statuses.items() if status == "ok"} >= ended_ids
    assert statuses.keys() >= begun_ids
    assert left_behind(path) == []


def test_a_start_that_comes_twice_is_kept_once(path: Path) -> None:
    exporter = opened(path)
    turn = begun()
    exporter.started([turn])
    exporter.started([turn])
    (file,) = left_behind(path)
    assert len(file.read_bytes().splitlines()) == 1


def test_a_child_has_nothing_to_do_with_the_starts_of_its_parent(path: Path) -> None:
    exporter = opened(path)
    turn = begun("of the parent")
    exporter.started([turn])
    child = os.fork()
    if child == 0:
        processes.renew()
        exporter.after_fork()
        exporter.started([begun("of the child")])
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    opened(path)
    assert outcomes(path) == [("of the child", "interrupted")]
    exporter.export([ended(turn)])
    assert outcomes(path)[-1] == ("of the parent", "ok")


def test_without_permission_for_records_finished_spans_are_written_all_the_same(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("Permission denied")

    monkeypatch.setattr(processes.ProcessDirectory, "enter", refuse)
    exporter = opened(path)
    turns = [begun("one"), begun("two")]
    with caplog.at_level(logging.WARNING, "reamon.exporters"):
        for turn in turns:
            exporter.started([turn])
            exporter.export([ended(turn)])
    assert outcomes(path) == [("one", "ok"), ("two", "ok")]
    assert caplog.text.count("starts_not_kept") == 1


def test_a_start_whose_moment_has_no_text_is_passed_over(path: Path) -> None:
    exporter = opened(path)
    exporter.started([begun("impossible").replace(start_ns=10**30), begun("possible")])
    (file,) = left_behind(path)
    assert [json.loads(line)["name"] for line in file.read_bytes().splitlines()] == ["possible"]


def test_a_start_is_kept_as_its_line(path: Path) -> None:
    exporter = opened(path)
    exporter.started([begun()])
    record = json.loads(left_behind(path)[0].read_bytes())
    assert (record["name"], record["status"], record["input"]) == ("turn", "running", {"text": "hello"})
