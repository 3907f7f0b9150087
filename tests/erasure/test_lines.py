"""The lines of somebody in JSONL files, whoever else writes to them."""

import threading
from pathlib import Path

from reamon.erasure import Subject, erase
from reamon.exporters import JSONLExporter, read_jsonl
from reamon.testing import make_span
from support.scripts import run
from support.stores import turn

PHONE = "+1 (555) 010-2030"


def written(path: Path, *calls: str | None, max_bytes: int | None = None) -> Path:
    """A file with one turn of each call."""
    exporter = JSONLExporter(path, max_bytes=max_bytes)
    for number, call in enumerate(calls):
        exporter.export(turn(call, number))
    exporter.shutdown()
    return path


def calls_in(path: Path) -> list[str | None]:
    return [span.call_id for file in sorted(path.parent.glob("spans*.jsonl")) for span in read_jsonl(file)]


def test_two_erasures_at_once_take_both_and_harm_nobody_else(tmp_path: Path) -> None:
    people = ["call-of-ada", "call-of-bob", "call-of-eve"]
    path = written(tmp_path / "spans.jsonl", *people * 40, max_bytes=9_000)
    together = threading.Barrier(2)

    def forget(call: str) -> None:
        together.wait()
        erase(Subject("call", call), jsonl=[path])

    threads = [threading.Thread(target=forget, args=[call]) for call in people[:2]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls_in(path) == ["call-of-eve"] * 200
    assert b"call-of-ada" not in b"".join(file.read_bytes() for file in tmp_path.iterdir() if file.is_file())
    assert list(tmp_path.glob(".*")) == []


def test_a_longer_id_of_somebody_else_is_not_taken_for_something_left(tmp_path: Path) -> None:
    path = written(tmp_path / "spans.jsonl", "call-100", "call-1000")
    assert erase(Subject("call", "call-100"), jsonl=[path]).is_complete
    assert set(calls_in(path)) == {"call-1000"}


def test_a_torn_line_of_a_call_goes_and_one_of_a_longer_id_stays(tmp_path: Path) -> None:
    path = written(tmp_path / "spans.jsonl", "call-100")
    with path.open("a") as file:
        file.write('{"span_id":"1","call_id":"call-100","inp\n{"span_id":"1","call_id":"call-1000","inp\n')
    assert erase(Subject("call", "call-100"), jsonl=[path]).is_complete
    assert path.read_text() == '{"span_id":"1","call_id":"call-1000","inp\n'


def test_a_call_is_found_by_what_only_the_start_of_one_of_its_turns_tells(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    source = f"""
        import os
        from reamon.exporters import JSONLExporter
        from reamon.testing import make_span
        exporter = JSONLExporter({str(path)!r})
        exporter.started([make_span("turn", "workflow", status="running", end_ns=None, call_id="call-of-ada",
                                    input={{"to": {PHONE!r}}})])
        os._exit(0)
    """
    written(path, "call-of-ada", "call-of-bob")
    run(tmp_path, source)
    erase(Subject("phone", PHONE), jsonl=[path])
    assert set(calls_in(path)) == {"call-of-bob"}


def test_a_living_process_is_named_only_where_it_keeps_something_of_theirs(tmp_path: Path) -> None:
    path = tmp_path / "spans.jsonl"
    exporter = JSONLExporter(path)
    start = make_span("turn", "workflow", status="running", end_ns=None, call_id="call-of-ada", input={"to": PHONE})
    exporter.started([start])
    (remaining,) = erase(Subject("phone", PHONE), jsonl=[path]).places[0].remaining
    assert remaining.startswith("1 living process(es) keep the start")
    assert erase(Subject("phone", "+1 555 010 9999"), jsonl=[path]).is_complete
    exporter.shutdown()


def test_what_a_killed_erasure_has_left_beside_a_file_goes(tmp_path: Path) -> None:
    path = written(tmp_path / "spans.jsonl", "call-of-bob")
    draft = tmp_path / ".spans.jsonl.erasing"
    draft.write_bytes(path.read_bytes())
    erase(Subject("call", "call-of-eve"), jsonl=[path])
    assert not draft.exists()
    assert set(calls_in(path)) == {"call-of-bob"}
