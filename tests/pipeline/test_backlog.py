"""The backlog: an outbox as people see it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reamon.errors import ReamonError, StoreError
from reamon.pipeline import _backlog_file
from reamon.pipeline.backlog import REPLAYED, Backlog
from reamon.pipeline.backlog_entries import Wanted
from reamon.pipeline.delivery import DeadLetter
from reamon.pipeline.outbox import Outbox
from reamon.testing import make_span
from support.scripts import run

PLENTY = 10**9
LETTERS = Wanted()
EVERYTHING = Wanted(waiting=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Iterator[Outbox]:
    """An outbox of this process, which lives."""
    with closing(Outbox(path, PLENTY)) as outbox:
        yield outbox


@pytest.fixture
def backlog(path: Path) -> Backlog:
    return Backlog(path)


def bury(outbox: Outbox, destination: str = "crm", kind: str = "rejected", reason: str = "no", spans: int = 1) -> None:
    outbox.bury(destination, [DeadLetter([make_span() for _ in range(spans)], reason, kind)])


def leave(path: Path, destination: str = "crm", batches: int = 1) -> None:
    """A process writes batches of two spans and dies."""
    run(
        path.parent.parent,
        f"""
        import os
        from pathlib import Path
        from reamon.pipeline.outbox import Outbox
        from reamon.testing import make_span
        outbox = Outbox(Path({str(path)!r}), 10**9)
        outbox.write({destination!r}, [[make_span("left"), make_span("behind")]] * {batches})
        outbox.report({destination!r}, "lane", "failing", "refused", None)
        os._exit(9)
        """,
        returncode=9,
    )


def ids(backlog: Backlog, wanted: Wanted) -> list[str]:
    return [item.id for item in backlog.items(wanted)]


def test_without_a_file_there_is_nothing_and_nothing_is_made(backlog: Backlog, path: Path) -> None:
    assert backlog.waiting() == backlog.dead_letters() == backlog.lanes() == backlog.items(EVERYTHING) == []
    assert backlog.drop([]) == backlog.replay([]) == 0
    assert not path.parent.exists()


def test_reading_leaves_no_trace(path: Path, backlog: Backlog) -> None:
    with closing(Outbox(path, PLENTY)) as outbox:
        bury(outbox)
    before = sorted(os.listdir(path.parent)), path.read_bytes()
    assert ids(backlog, EVERYTHING) == ["L1"]
    assert list(backlog.contents(backlog.items(LETTERS)))
    assert (sorted(os.listdir(path.parent)), path.read_bytes()) == before


def test_what_waits_is_told_by_destination_and_owner(path: Path, outbox: Outbox, backlog: Backlog) -> None:
    leave(path, "crm", batches=2)
    outbox.write("crm", [[make_span()]])
    outbox.write("another", [[make_span()] * 3])
    told = [(each.destination, each.first, each.last, each.spans, each.is_owned) for each in backlog.waiting()]
    assert told == [("another", "B4", "B4", 3, True), ("crm", "B1", "B2", 4, False), ("crm", "B3", "B3", 1, True)]
    assert datetime.now(UTC) - backlog.waiting()[0].oldest < timedelta(minutes=5)


def test_lanes_that_are_not_well_are_told_but_not_those_of_the_dead(
    path: Path, outbox: Outbox, backlog: Backlog
) -> None:
    leave(path, "crm")
    outbox.report("another", "lane", "paused", "401", "set a key")
    (lane,) = backlog.lanes()
    assert (lane.destination, lane.state, lane.error, lane.fix) == ("another", "paused", "401", "set a key")


def test_dead_letters_are_told_by_destination_kind_and_reason(outbox: Outbox, backlog: Backlog) -> None:
    for reason in ("no name", "no start", "no name"):
        bury(outbox, reason=reason, spans=2)
    groups = [(group.reason, group.ids, group.spans) for group in backlog.dead_letters()]
    assert groups == [("no name", ("L1", "L3"), 4), ("no start", ("L2",), 2)]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (LETTERS, ["L1", "L2", "L3"]),
        (EVERYTHING, ["L1", "L2", "L3", "B1"]),
        (Wanted(ids=("B1", "l2", "B1")), ["B1", "L2"]),
        (Wanted(destination="crm", waiting=True), ["L1", "L2", "B1"]),
        (Wanted(kind="too_old", waiting=True), ["L2"]),
        (Wanted(destination="another", kind="too_old"), []),
        (Wanted(before=datetime(2026, 1, 1, tzinfo=UTC), waiting=True), ["L1"]),
    ],
)
def test_what_somebody_means_is_found(
    path: Path, outbox: Outbox, backlog: Backlog, wanted: Wanted, found: list[str]
) -> None:
    bury(outbox)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE letters SET died = ?", (datetime(2025, 12, 31, tzinfo=UTC).timestamp(),))
    bury(outbox, kind="too_old")
    bury(outbox, "another")
    outbox.write("crm", [[make_span()]])
    assert ids(backlog, wanted) == found


@pytest.mark.parametrize("unknown", ["L9", "B9", "12", "call-1", "L", "L1x"])
def test_an_id_of_nothing_is_refused(outbox: Outbox, backlog: Backlog, unknown: str) -> None:
    bury(outbox)
    with pytest.raises(ReamonError, match=r"reamon outbox list|look like L12"):
        backlog.items(Wanted(ids=(unknown,)))


def test_the_spans_of_items_are_read(outbox: Outbox, backlog: Backlog) -> None:
    spans = [make_span("a", input={"x": 1}), make_span("b")]
    outbox.bury("crm", [DeadLetter(spans, "no", "rejected")])
    outbox.write("crm", [spans[:1]])
    assert [(item.id, read) for item, read in backlog.contents(backlog.items(EVERYTHING))] == [
        ("L1", spans),
        ("B1", spans[:1]),
    ]


def test_items_that_have_gone_meanwhile_are_skipped(outbox: Outbox, backlog: Backlog) -> None:
    written, _ = outbox.write("crm", [[make_span()], [make_span()]])
    items = backlog.items(EVERYTHING)
    outbox.settle("crm", written[:1])
    assert [item.id for item, _ in backlog.contents(items)] == ["B2"]


def test_items_of_another_version_have_no_spans(path: Path, outbox: Outbox, backlog: Backlog) -> None:
    bury(outbox)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE letters SET body = x'c1'")
    assert [spans for _, spans in backlog.contents(backlog.items(LETTERS))] == [[]]


def test_what_is_replayed_is_claimed_by_whoever_sends_there(outbox: Outbox, backlog: Backlog) -> None:
    span = make_span("refused")
    outbox.bury("crm", [DeadLetter([span], "no", "rejected")])
    assert backlog.replay(backlog.items(LETTERS)) == 1
    assert backlog.items(LETTERS) == []
    assert [each.owner for each in backlog.waiting()] == [REPLAYED]
    assert outbox.claim("crm") == 1
    batch = outbox.oldest("crm", 10)
    assert batch is not None
    assert batch.spans == [span]


def test_what_is_replayed_may_go_elsewhere(outbox: Outbox, backlog: Backlog) -> None:
    bury(outbox, "retired")
    backlog.replay(backlog.items(LETTERS), "crm")
    assert (outbox.claim("retired"), outbox.claim("crm")) == (0, 1)


def test_what_was_abandoned_long_ago_is_not_abandoned_again_at_once(path: Path, backlog: Backlog) -> None:
    outbox = Outbox(path, PLENTY, abandon_after=86_400)
    with closing(outbox):
        bury(outbox, "retired", "abandoned")
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE letters SET died = died - 1000000")
        backlog.replay(backlog.items(LETTERS))
        outbox.claim("crm")
    assert backlog.items(LETTERS) == []
    assert [each.destination for each in backlog.waiting()] == ["retired"]


def test_nothing_is_replayed_twice(outbox: Outbox, backlog: Backlog) -> None:
    bury(outbox, spans=3)
    items = backlog.items(LETTERS)
    assert [backlog.replay(items), backlog.replay(items)] == [3, 0]
    assert sum(each.spans for each in backlog.waiting()) == 3


def test_a_replay_that_fails_leaves_each_letter_in_one_place(path: Path, outbox: Outbox, backlog: Backlog) -> None:
    bury(outbox)
    bury(outbox)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TRIGGER full BEFORE DELETE ON letters WHEN old.id = 2 BEGIN SELECT raise(ABORT, 'disk full'); END"
        )
    with pytest.raises(StoreError, match="disk full"):
        backlog.replay(backlog.items(LETTERS))
    assert ids(backlog, EVERYTHING) == ["L1", "L2"]


def test_dead_letters_are_dropped_and_the_disk_gets_its_room_back(path: Path, outbox: Outbox, backlog: Backlog) -> None:
    for _ in range(100):
        outbox.bury("crm", [DeadLetter([make_span(input="x" * 20_000)], "no", "rejected")])
    assert backlog.drop(backlog.items(LETTERS)) == 100
    assert backlog.items(LETTERS) == []
    outbox.close()
    assert path.stat().st_size < 200_000


def test_with_the_last_batch_of_a_dead_process_its_traces_go(path: Path, backlog: Backlog) -> None:
    leave(path, batches=2)
    first, second = backlog.items(EVERYTHING)
    signs = path.with_name("outbox.sqlite-processes")
    assert backlog.drop([first]) == 2
    assert len(os.listdir(signs)) == 1
    assert backlog.drop([second]) == 2
    assert os.listdir(signs) == []


def test_what_somebody_has_taken_over_meanwhile_is_not_dropped(path: Path, outbox: Outbox, backlog: Backlog) -> None:
    leave(path)
    items = backlog.items(EVERYTHING)
    outbox.claim("crm")
    assert backlog.drop(items) == 0
    assert outbox.waiting("crm") == 2


def test_a_file_that_is_no_database_is_left_alone_and_said_to_be_damaged(backlog: Backlog, path: Path) -> None:
    path.parent.mkdir()
    path.write_text("this was a database once " * 100)
    with pytest.raises(StoreError, match=r"is damaged .* puts it aside"):
        backlog.waiting()
    assert os.listdir(path.parent) == ["outbox.sqlite"]


def test_another_database_is_not_taken_for_an_outbox(backlog: Backlog, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE something (id)")
    with pytest.raises(StoreError, match="no outbox of reamon"):
        backlog.items(LETTERS)


def test_a_file_of_a_newer_version_says_so(outbox: Outbox, backlog: Backlog, path: Path) -> None:
    bury(outbox)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ALTER TABLE letters RENAME COLUMN counted_as TO kind")
    with pytest.raises(StoreError, match="if a newer one wrote it, upgrade"):
        backlog.items(LETTERS)


def test_a_file_of_a_version_without_dead_letters_has_none(backlog: Backlog, outbox: Outbox, path: Path) -> None:
    outbox.write("crm", [[make_span()]])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE letters")
        connection.execute("DROP TABLE lanes")
    assert backlog.dead_letters() == backlog.lanes() == []
    assert len(backlog.waiting()) == 1


def test_a_file_that_is_being_written_is_read_all_the_same_but_not_changed(
    path: Path, outbox: Outbox, backlog: Backlog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_backlog_file, "_PATIENCE", 10)
    bury(outbox)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        items = backlog.items(LETTERS)
        assert len(items) == 1
        with pytest.raises(StoreError, match="is busy, an application is writing to it: try again"):
            backlog.drop(items)


def test_a_file_that_changes_while_it_is_read_is_read_again(path: Path, backlog: Backlog) -> None:
    with closing(Outbox(path, PLENTY)) as outbox:
        bury(outbox)
    answers = []

    def question(connection: sqlite3.Connection) -> int:
        (number,) = connection.execute("SELECT count(*) FROM letters").fetchone()
        answers.append(number)
        if len(answers) == 1:
            with closing(Outbox(path, PLENTY)) as outbox:
                bury(outbox)
        return int(number)

    assert _backlog_file.reading(path, question) == 2
    assert answers == [1, 2]
