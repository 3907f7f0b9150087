"""`reamon outbox`."""

import io
import json
import sqlite3
import stat
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reamon.cli import main
from reamon.exporters._lines import from_line
from reamon.model import SpanError
from reamon.pipeline.delivery import DeadLetter
from reamon.pipeline.outbox import Outbox
from reamon.testing import make_span, sample_spans
from support.scripts import run

Tell = Callable[..., str]

HOME = Path(".reamon")
ERROR = SpanError("TimeoutError", "no answer\nwithin 500 ms")
REFUSED = make_span("chat", "llm", call_id="call-7", status="error", error=ERROR, input={"question": "ours? " * 100})
"""A span as it might be refused."""


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    """Where an application that starts here has its outbox; of this process, which lives."""
    with closing(Outbox(HOME / "outbox.sqlite", 10**9)) as outbox:
        yield outbox


@pytest.fixture
def letters(outbox: Outbox) -> Outbox:
    """L1, refused, and L2 and L3, too old and of another destination."""
    outbox.bury("langsmith calls", [DeadLetter([REFUSED, make_span("speak", "tts")], "422 no name", "rejected")])
    outbox.bury("langsmith tests", [DeadLetter([make_span()], "25 h ago", "too_old") for _ in range(2)])
    return outbox


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Tell:
    def run(*arguments: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["outbox", *arguments]) == code
        told = capsys.readouterr()
        return told.err if code else told.out

    return run


def as_json(tell: Tell, *arguments: str) -> Any:
    return json.loads(tell(*arguments, "--json"))


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["outbox", *arguments])
    assert stop.value.code == 2
    return capsys.readouterr().err


def leave() -> None:
    """A process writes a batch of two spans and dies."""
    source = """
        import os
        from pathlib import Path
        from reamon.pipeline.outbox import Outbox
        from reamon.testing import make_span
        Outbox(Path(".reamon/outbox.sqlite"), 10**9).write("langsmith calls", [[make_span("left"), make_span()]])
        os._exit(9)
    """
    run(Path.cwd(), source, returncode=9)


def test_an_outbox_with_nothing_in_it_takes_one_line(tell: Tell) -> None:
    out = tell("list")
    assert out.startswith("✓ Nothing waits and nothing was refused: ")
    assert out.count("\n") == 1
    assert not HOME.exists()


def test_what_waits_is_listed_with_who_has_it(outbox: Outbox, tell: Tell) -> None:
    leave()
    outbox.write("langsmith calls", [[make_span()], [make_span()]])
    _, left, ours, *_ = tell("list").splitlines()
    assert left.startswith("langsmith calls      2  B1")
    assert left.endswith("waits for an application that sends there")
    assert ours.startswith("langsmith calls      2  B2–B3")
    assert ours.endswith("is delivering")


def test_a_lane_that_is_not_well_is_listed_with_what_to_do(outbox: Outbox, tell: Tell) -> None:
    outbox.report("langsmith calls", "langsmith", "paused", "401 Unauthorized", "set LANGSMITH_API_KEY")
    out = tell("list")
    assert out.startswith("✗ langsmith calls is paused since 20")
    assert out.splitlines()[0].endswith(" UTC: 401 Unauthorized; set LANGSMITH_API_KEY")


def test_dead_letters_are_listed_by_reason(letters: Outbox, tell: Tell) -> None:
    lines = [" ".join(line.split()) for line in tell("list").splitlines()]
    assert lines[1].startswith("L1 langsmith calls rejected 2 ")
    assert lines[1].endswith(" 422 no name")
    assert lines[2].startswith("L2, L3 langsmith tests too_old 2 ")
    assert lines[-1].startswith("`reamon outbox show L1` tells what is in there")


def test_very_many_reasons_do_not_flood_the_terminal(outbox: Outbox, tell: Tell) -> None:
    for number in range(30):
        outbox.bury("langsmith", [DeadLetter([make_span()], f"reason {number}", "rejected")])
    assert "… and 10 more reasons" in tell("list")
    assert len(as_json(tell, "list")["dead_letters"]) == 30


def test_the_list_is_there_for_programs_too(letters: Outbox, tell: Tell) -> None:
    letters.write("langsmith calls", [[make_span()]])
    document = as_json(tell, "list")
    assert set(document) == {"path", "waiting", "lanes", "dead_letters"}
    assert [group["ids"] for group in document["dead_letters"]] == [["L1"], ["L2", "L3"]]
    assert document["waiting"][0]["is_owned"] is True


def test_a_dead_letter_is_shown_with_the_reason_and_what_is_in_it(letters: Outbox, tell: Tell) -> None:
    out = tell("show", "L1")
    assert out.index("422 no name") < out.index("✗ llm chat")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert any(line.startswith("✗ llm chat 10 ms 2026-01-01 00:00:") and " call-7 " in line for line in lines)
    assert "TimeoutError: no answer within 500 ms" in lines
    (question,) = (line for line in lines if line.startswith("input"))
    assert question.startswith('input {"question":"ours? ours? ')
    assert question.endswith("…")
    assert len(question) < 220


def test_several_items_are_shown_one_after_the_other(letters: Outbox, tell: Tell) -> None:
    letters.write("langsmith calls", [[make_span("waiting")]])
    out = tell("show", "L2", "B1")
    assert out.index("L2  1 span") < out.index("25 h ago") < out.index("B1  1 span") < out.index("waiting")


def test_programs_get_whole_spans(letters: Outbox, tell: Tell) -> None:
    (item,) = as_json(tell, "show", "L1")["items"]
    assert (item["id"], item["kind"], item["reason"]) == ("L1", "rejected", "422 no name")
    assert [span["name"] for span in item["content"]] == ["chat", "speak"]
    assert item["content"][0]["input"] == {"question": "ours? " * 100}


def test_what_another_version_wrote_is_shown_as_far_as_possible(letters: Outbox, tell: Tell) -> None:
    with closing(sqlite3.connect(letters.path)) as connection, connection:
        connection.execute("UPDATE letters SET body = x'c1'")
    out = tell("show", "L1")
    assert "422 no name" in out
    assert "This version of reamon cannot read the spans." in out


def test_whatever_was_recorded_can_be_shown_and_exported(outbox: Outbox, tell: Tell) -> None:
    outbox.write("langsmith calls", [sample_spans()])
    assert "\x1b" not in tell("show", "B1")
    assert len(as_json(tell, "show", "B1")["items"][0]["content"]) == len(sample_spans())
    assert tell("export", "B1", "--output", "spans.jsonl").startswith("✓ exported ")


def test_an_id_of_nothing_says_where_to_look(letters: Outbox, tell: Tell) -> None:
    assert "there is no L9 in" in tell("show", "L9", code=1)
    assert "those of dead letters look like L12" in tell("show", "call-7", code=1)


def test_spans_are_exported_as_the_jsonl_exporter_writes_them(
    letters: Outbox, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert main(["outbox", "export", "L1"]) == 0
    out, err = capfdbinary.readouterr()
    assert [from_line(line).name for line in out.splitlines()] == ["chat", "speak"]
    assert from_line(out.splitlines()[0]) == REFUSED
    assert err == b"reamon: exported 2 spans of 1 item\n"


def test_all_that_is_there_is_exported_to_a_file_of_its_owner_alone(letters: Outbox, tell: Tell) -> None:
    letters.write("langsmith calls", [[make_span("waiting")]])
    assert tell("export", "--all", "--output", "spans.jsonl") == "✓ exported 5 spans of 4 items to spans.jsonl\n"
    file = Path("spans.jsonl")
    assert [from_line(line).name for line in file.read_bytes().splitlines()][-1] == "waiting"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_that_exists_is_not_overwritten_unless_told(letters: Outbox, tell: Tell) -> None:
    file = Path("spans.jsonl")
    file.write_text("precious" * 1000)
    assert "spans.jsonl exists" in tell("export", "L1", "--output", "spans.jsonl", code=1)
    assert file.read_text() == "precious" * 1000
    tell("export", "L1", "--output", "spans.jsonl", "--force")
    assert len(file.read_bytes().splitlines()) == 2


def test_where_nothing_matches_no_file_is_made(letters: Outbox, tell: Tell) -> None:
    tell("export", "--destination", "nobody", "--output", "spans.jsonl")
    assert not Path("spans.jsonl").exists()


def test_a_file_that_cannot_be_written_is_said(letters: Outbox, tell: Tell) -> None:
    assert "cannot be written" in tell("export", "L1", "--output", "nowhere/spans.jsonl", code=1)


def test_what_cannot_be_read_is_not_taken_for_exported(letters: Outbox, tell: Tell) -> None:
    with closing(sqlite3.connect(letters.path)) as connection, connection:
        connection.execute("UPDATE letters SET body = x'c1' WHERE id = 1")
    assert "L1: this version of reamon cannot read" in tell("export", "--all", "--output", "spans.jsonl", code=1)
    assert len(Path("spans.jsonl").read_bytes().splitlines()) == 2


def test_replayed_letters_wait_again_and_it_is_said_for_whom(letters: Outbox, tell: Tell) -> None:
    out = tell("replay", "L1")
    assert out.startswith("✓ 2 spans wait again for langsmith calls: an application that sends there takes them up")
    assert letters.claim("langsmith calls") == 2
    assert "replayed" not in tell("list")


def test_those_that_are_too_old_need_a_setting_as_well(letters: Outbox, tell: Tell) -> None:
    assert "REAMON_LANGSMITH__MAX_AGE" in tell("replay", "--kind", "too_old")
    assert as_json(tell, "replay", "--all") == {"replayed": 2, "destinations": ["langsmith calls"]}


def test_letters_may_be_replayed_to_another_destination(letters: Outbox, tell: Tell) -> None:
    tell("replay", "--destination", "langsmith tests", "--to", "langsmith calls")
    assert letters.claim("langsmith calls") == 2


def test_until_somebody_takes_them_replayed_letters_are_listed_as_such(letters: Outbox, tell: Tell) -> None:
    tell("replay", "L1")
    assert "replayed: waits for an application that sends there" in tell("list")


def test_a_batch_cannot_be_replayed(letters: Outbox, tell: Tell) -> None:
    letters.write("langsmith calls", [[make_span()]])
    assert "B1: what is in a batch waits to be sent anyway" in tell("replay", "B1", "L1", code=1)
    assert len(as_json(tell, "list")["dead_letters"]) == 2


def test_where_nothing_matches_nothing_is_replayed(tell: Tell) -> None:
    assert tell("replay", "--all") == "✓ no dead letter matches, so nothing was replayed\n"
    assert not HOME.exists()


def test_dead_letters_are_dropped_and_counted(letters: Outbox, tell: Tell) -> None:
    assert tell("drop", "L1", "--yes") == "✓ dropped 2 spans\n"
    assert as_json(tell, "drop", "--older-than", "1h", "--yes") == {"dropped": 0, "kept": 0}
    assert as_json(tell, "drop", "--all", "--yes") == {"dropped": 2, "kept": 0}
    assert tell("list").startswith("✓ Nothing waits")


def test_in_a_pipe_nothing_is_dropped_without_yes(
    letters: Outbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tell: Tell
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert "give --yes" in refused(capsys, "drop", "--all")
    assert len(as_json(tell, "list")["dead_letters"]) == 2


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 0, 1), ("", 1, 2), ("no", 1, 2)])
def test_on_a_terminal_somebody_is_asked(
    letters: Outbox, tell: Tell, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, left: int
) -> None:
    terminal = io.StringIO(f"{answer}\n")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    tell("drop", "L1", code=code)
    assert len(as_json(tell, "list")["dead_letters"]) == left


def test_batches_of_a_living_process_are_not_dropped(letters: Outbox, tell: Tell) -> None:
    letters.write("langsmith calls", [[make_span()]])
    assert "B1: a living process is delivering it" in tell("drop", "B1", "L1", "--yes", code=1)
    out = tell("drop", "--all", "--waiting", "--yes")
    assert out == "✓ dropped 4 spans\n✓ kept 1 span: living processes are delivering them\n"
    assert letters.waiting("langsmith calls") == 1


def test_batches_of_a_dead_process_are_dropped_only_if_they_are_meant(tell: Tell) -> None:
    leave()
    assert tell("drop", "--all", "--yes") == "✓ nothing matches, so nothing was dropped\n"
    assert tell("drop", "--all", "--waiting", "--yes") == "✓ dropped 2 spans\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["export"], "say which"),
        (["replay", "--to", "langsmith"], "say which"),
        (["drop", "L1", "--all"], "not both"),
        (["drop", "--older-than", "a week"], "is no age such as"),
        (["show"], "required"),
        ([], "required"),
    ],
)
def test_a_command_that_says_too_little_or_too_much_is_refused(
    letters: Outbox, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert words in refused(capsys, *arguments)


@pytest.mark.parametrize("option", [["--home", "elsewhere"], ["--outbox", "elsewhere/outbox.sqlite"]])
def test_the_outbox_may_lie_elsewhere(tell: Tell, option: list[str]) -> None:
    with closing(Outbox(Path("elsewhere/outbox.sqlite"), 10**9)) as outbox:
        outbox.write("langsmith calls", [[make_span()]])
    assert "langsmith calls" in tell("list", *option)
    assert "langsmith calls" not in tell("list")


@pytest.mark.parametrize("source", ["environment", ".env"])
def test_the_outbox_of_the_settings_is_found(tell: Tell, monkeypatch: pytest.MonkeyPatch, source: str) -> None:
    with closing(Outbox(Path("elsewhere/outbox.sqlite"), 10**9)) as outbox:
        outbox.write("langsmith calls", [[make_span()]])
    if source == "environment":
        monkeypatch.setenv("REAMON_HOME", "elsewhere")
    else:
        Path(".env").write_text("REAMON_HOME=elsewhere\n")
    assert "langsmith calls" in tell("list")


def test_a_damaged_outbox_is_said_and_left_as_it_is(tell: Tell) -> None:
    HOME.mkdir()
    file = HOME / "outbox.sqlite"
    file.write_text("not a database " * 100)
    for arguments in (["list"], ["show", "L1"], ["replay", "--all"], ["drop", "--all", "--yes"]):
        assert "is damaged" in tell(*arguments, code=1)
    assert file.read_text() == "not a database " * 100
