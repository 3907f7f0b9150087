"""The outbox: batches on disk, shared by the processes of a machine."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from reamon import processes
from reamon.model import Span
from reamon.pipeline.delivery import DeadLetter
from reamon.pipeline.outbox import Outbox
from reamon.testing import make_span, sample_spans
from support.scripts import run
from support.spans import spans as any_span

PLENTY = 10**9


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "outbox.sqlite"


@pytest.fixture
def outbox(path: Path) -> Outbox:
    return Outbox(path, PLENTY)


def test_nothing_is_made_before_something_is_written(outbox: Outbox, path: Path) -> None:
    assert outbox.claim("crm") == outbox.waiting("crm") == outbox.newest("crm") == 0
    assert outbox.oldest("crm", 10) is None
    assert not path.parent.exists()


def test_what_is_written_is_read_back_oldest_first_until_it_is_removed(outbox: Outbox) -> None:
    first, second = [make_span("first")], [make_span("second")]
    outbox.write("crm", [first])
    outbox.write("crm", [second])
    batch = outbox.oldest("crm", 1)
    assert batch is not None
    assert batch.spans == first
    assert outbox.settle("crm", batch.ids) == 1
    batch = outbox.oldest("crm", 1)
    assert batch is not None
    assert batch.spans == second


def test_small_batches_are_read_together(outbox: Outbox) -> None:
    for _ in range(5):
        outbox.write("crm", [[make_span(), make_span()]])
    batch = outbox.oldest("crm", 7)
    assert batch is not None
    assert (len(batch.ids), len(batch.spans)) == (3, 6)


def test_a_batch_belongs_to_its_destination(outbox: Outbox) -> None:
    outbox.write("crm", [[make_span()]])
    assert outbox.oldest("another", 10) is None
    assert outbox.waiting("another") == 0
    assert outbox.waiting("crm") == 1


def test_every_span_comes_back_as_it_was(outbox: Outbox) -> None:
    whole = [span for span in sample_spans() if _is_unicode(span)]
    outbox.write("crm", [whole])
    batch = outbox.oldest("crm", PLENTY)
    assert batch is not None
    assert batch.spans == whole


@given(span=any_span())
def test_any_span_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, span: Span) -> None:
    outbox = Outbox(tmp_path_factory.mktemp("outbox") / "outbox.sqlite", PLENTY)
    with closing(outbox):
        outbox.write("crm", [[span]])
        batch = outbox.oldest("crm", 1)
    assert batch is not None
    assert batch.spans == [span]


def test_what_has_no_binary_form_is_mended_and_takes_nothing_with_it(outbox: Outbox) -> None:
    strange = make_span("lone \ud800", attributes={"huge": 1 << 80, "object": object()})
    well = make_span("well")
    outbox.write("crm", [[strange, well]])
    batch = outbox.oldest("crm", 10)
    assert batch is not None
    assert [span.name for span in batch.spans] == ["lone ?", "well"]
    assert batch.spans[0].attributes == {"huge": str(1 << 80), "object": "<object>"}


def test_a_batch_of_another_version_comes_alone_and_empty(outbox: Outbox, path: Path) -> None:
    outbox.write("crm", [[make_span()]])
    outbox.write("crm", [[make_span()]])
    outbox.write("crm", [[make_span()]])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batches SET body = x'c1' WHERE id = 2")
    outbox.close()  # what it has at hand is forgotten, and read
    ids = []
    for _ in range(3):
        batch = outbox.oldest("crm", 10)
        assert batch is not None
        ids.append((batch.ids, len(batch.spans)))
        outbox.settle("crm", batch.ids)
    assert ids == [((1,), 1), ((2,), 0), ((3,), 1)]


def test_beyond_its_bound_the_oldest_go(path: Path) -> None:
    outbox = Outbox(path, 1_200_000)
    made_room = [outbox.write("crm", [[make_span(f"{number}", input="x" * 80_000)]])[1] for number in range(20)]
    assert made_room[0] is False
    assert made_room[-1] is True
    batch = outbox.oldest("crm", 1000)
    assert batch is not None
    names = [int(span.name) for span in batch.spans]
    assert names == list(range(names[0], 20))
    assert 5 < len(names) < 16


def test_the_bound_is_that_of_the_disk_and_not_of_what_was_ever_written(path: Path) -> None:
    outbox = Outbox(path, 1_200_000)
    for _ in range(50):
        ids, made_room = outbox.write("crm", [[make_span(input="x" * 80_000)]])
        assert not made_room
        outbox.settle("crm", ids)
    assert path.stat().st_size < 1_200_000


def test_what_was_just_written_is_not_read_back(outbox: Outbox) -> None:
    span = make_span()
    outbox.write("crm", [[span]])
    batch = outbox.oldest("crm", 10)
    assert batch is not None
    assert batch.spans[0] is span


def test_what_is_gone_from_the_disk_is_not_at_hand_either(outbox: Outbox, path: Path) -> None:
    outbox.write("crm", [[make_span("a")], [make_span("b")]])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DELETE FROM batches WHERE id = 1")
    batch = outbox.oldest("crm", 10)
    assert batch is not None
    assert [span.name for span in batch.spans] == ["b"]


def test_another_file_in_its_place_holds_other_spans(outbox: Outbox, path: Path) -> None:
    outbox.write("crm", [[make_span("old")]])
    outbox.close()
    for file in path.parent.glob(f"{path.name}*"):
        if file.is_file():
            file.unlink()
    Outbox(path, 10**9).write("crm", [[make_span("new")]])
    batch = outbox.oldest("crm", 10)
    assert batch is not None
    assert [span.name for span in batch.spans] == ["new"]


def test_a_file_that_is_mostly_empty_shrinks(path: Path) -> None:
    outbox = Outbox(path, 10**9)
    ids, _ = outbox.write("crm", [[make_span(input="x" * 200_000)] for _ in range(100)])
    for batch_id in ids:
        outbox.settle("crm", [batch_id])
    outbox.close()
    assert path.stat().st_size < 5_000_000


def test_removing_tells_how_much_was_still_there(outbox: Outbox) -> None:
    ids, _ = outbox.write("crm", [[make_span(), make_span()]])
    assert outbox.settle("crm", ids) == 2
    assert outbox.settle("crm", ids) == 0


def test_a_mark_is_passed_when_all_before_it_has_gone(outbox: Outbox) -> None:
    first, _ = outbox.write("crm", [[make_span()]])
    mark = outbox.newest("crm")
    outbox.write("crm", [[make_span()]])
    assert outbox.has_until("crm", mark)
    outbox.settle("crm", first)
    assert not outbox.has_until("crm", mark)


def test_what_a_dead_process_left_goes_to_the_same_destination_and_to_no_other(path: Path) -> None:
    run(
        path.parent.parent,
        f"""
        import os
        from pathlib import Path
        from reamon.pipeline.outbox import Outbox
        from reamon.testing import make_span
        Outbox(Path({str(path)!r}), 10**9).write("crm", [[make_span("left"), make_span("behind")]])
        os._exit(9)
        """,
        returncode=9,
    )
    outbox = Outbox(path, PLENTY)
    assert outbox.claim("another") == 0
    assert outbox.oldest("another", 10) is None
    assert outbox.oldest("crm", 10) is None, "not ours before it is claimed"
    assert outbox.claim("crm") == 2
    batch = outbox.oldest("crm", 10)
    assert batch is not None
    assert [span.name for span in batch.spans] == ["left", "behind"]


def test_what_a_living_process_has_written_stays_its_own(path: Path) -> None:
    with closing(Outbox(path, PLENTY)) as outbox:
        outbox.write("crm", [[make_span()]])
        printed = run(
            path.parent.parent,
            f"""
            from pathlib import Path
            from reamon.pipeline.outbox import Outbox
            outbox = Outbox(Path({str(path)!r}), 10**9)
            print(outbox.claim("crm"), outbox.oldest("crm", 10))
            """,
        )
    assert printed == "0 None\n"


def test_after_it_was_closed_it_opens_again(outbox: Outbox) -> None:
    outbox.write("crm", [[make_span()]])
    outbox.close()
    assert outbox.waiting("crm") == 1


def test_the_file_is_for_its_owner_alone(outbox: Outbox, path: Path) -> None:
    outbox.write("crm", [[make_span()]])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_is_no_database_is_put_aside_and_a_new_one_begun(
    outbox: Outbox, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.write_text("this was a database once " * 100)
    outbox.write("crm", [[make_span()]])
    assert outbox.waiting("crm") == 1
    (aside,) = path.parent.glob("outbox.sqlite.damaged-*")
    assert aside.read_text().startswith("this was a database once")
    assert "outbox_damaged" in caplog.text


def test_a_changed_directory_does_not_move_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(Path("outbox.sqlite"), PLENTY)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    outbox.write("crm", [[make_span()]])
    outbox.close()
    assert (tmp_path / "outbox.sqlite").exists()


def test_a_claim_is_under_the_id_of_this_process(outbox: Outbox, path: Path) -> None:
    outbox.write("crm", [[make_span()]])
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT owner FROM batches").fetchall() == [(processes.current_id(),)]


def letters(path: Path) -> list[tuple[str, int, str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT destination, spans, counted_as, reason FROM letters ORDER BY id").fetchall()


def test_several_batches_are_written_at_once_or_not_at_all(outbox: Outbox) -> None:
    ids, _ = outbox.write("crm", [[make_span("a"), make_span("b")], [make_span("c")]])
    assert len(ids) == 2
    assert outbox.settle("crm", ids[:1]) == 2
    assert outbox.waiting("crm") == 1


def test_of_a_batch_the_rest_keeps_its_place(outbox: Outbox) -> None:
    a, b, c = make_span("a"), make_span("b"), make_span("c")
    ids, _ = outbox.write("crm", [[a, b]])
    mark = outbox.newest("crm")
    outbox.write("crm", [[c]])
    assert outbox.settle("crm", ids, rest=[b]) == 1
    assert outbox.has_until("crm", mark)
    batch = outbox.oldest("crm", 10)
    assert batch is not None
    assert batch.spans == [b, c]


def test_what_is_refused_for_good_is_kept_as_a_dead_letter_with_the_reason(outbox: Outbox, path: Path) -> None:
    good, bad = make_span("good"), make_span("bad")
    ids, _ = outbox.write("crm", [[good, bad]])
    assert outbox.settle("crm", ids, dead=[DeadLetter([bad], "422 no name", "rejected")]) == 2
    assert outbox.waiting("crm") == 0
    assert letters(path) == [("crm", 1, "rejected", "422 no name")]


def test_dead_letters_of_spans_that_were_in_memory_are_kept_too(outbox: Outbox, path: Path) -> None:
    outbox.bury("crm", [DeadLetter([make_span(), make_span()], "older than a day", "too_old")])
    assert letters(path) == [("crm", 2, "too_old", "older than a day")]


def test_dead_letters_make_room_before_anything_that_waits(path: Path) -> None:
    outbox = Outbox(path, 1_200_000)
    for _ in range(8):
        outbox.bury("crm", [DeadLetter([make_span(input="x" * 80_000)], "no", "rejected")])
    made_room = [outbox.write("crm", [[make_span(input="x" * 80_000)]])[1] for _ in range(9)]
    assert not any(made_room)
    assert outbox.waiting("crm") == 9
    assert len(letters(path)) < 8


def leave(path: Path, destination: str) -> None:
    """A process writes a batch and dies."""
    run(
        path.parent.parent,
        f"""
        import os
        from pathlib import Path
        from reamon.pipeline.outbox import Outbox
        from reamon.testing import make_span
        Outbox(Path({str(path)!r}), 10**9).write({destination!r}, [[make_span("left")]])
        os._exit(9)
        """,
        returncode=9,
    )


def age(path: Path, seconds: float) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE batches SET written = written - ?", (seconds,))


def test_what_nobody_sends_for_long_becomes_a_dead_letter(path: Path) -> None:
    leave(path, "gone")
    outbox = Outbox(path, PLENTY, abandon_after=86_400)
    age(path, 100_000)
    outbox.claim("crm")
    assert letters(path) == [("gone", 1, "abandoned", "nobody has been configured to send there for 1 days")]
    assert [file.name for file in (path.parent / "outbox.sqlite-processes").glob("*-*")] == []


@pytest.mark.parametrize(("age_days", "served", "abandon_after"), [(0, "", 86_400), (9, "gone", 86_400), (9, "", None)])
def test_nothing_else_does(path: Path, age_days: float, served: str, abandon_after: float | None) -> None:
    leave(path, "gone")
    outbox = Outbox(path, PLENTY, abandon_after)
    outbox.serve(served)
    age(path, age_days * 86_400)
    outbox.claim("crm")
    assert letters(path) == []


def test_the_life_sign_of_a_dead_process_goes_with_the_last_of_its_batches(path: Path) -> None:
    leave(path, "crm")
    outbox = Outbox(path, PLENTY)
    outbox.claim("crm")
    alive = [file.name for file in (path.parent / "outbox.sqlite-processes").glob("*-*")]
    assert alive == [processes.current_id()]


def test_the_state_of_a_lane_is_noted_until_it_is_well_again(outbox: Outbox, path: Path) -> None:
    def notes() -> list[tuple[str, ...]]:
        with closing(sqlite3.connect(path)) as connection:
            return connection.execute("SELECT destination, lane, state, error, fix FROM lanes").fetchall()

    outbox.report("crm", "lane", "paused", "401", "set a key")
    assert notes() == [("crm", "lane", "paused", "401", "set a key")]
    outbox.report("crm", "lane", "ok", None, None)
    assert notes() == []


def test_the_file_gives_back_what_a_backlog_took(path: Path) -> None:
    outbox = Outbox(path, PLENTY)
    ids, _ = outbox.write("crm", [[make_span(input="x" * 50_000)] for _ in range(400)])
    grown = _pages(path)
    for batch_id in ids:
        outbox.settle("crm", [batch_id])
    assert _pages(path) < grown / 3


def _pages(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        pages: int = connection.execute("PRAGMA page_count").fetchone()[0]
        return pages


def _is_unicode(span: Span) -> bool:
    return "\ud800" not in span.name
