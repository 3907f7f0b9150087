"""The outbox: batches on disk, shared by the processes of a machine."""

import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given

from reamon import processes
from reamon.model import Span
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
    ids = []
    for _ in range(3):
        batch = outbox.oldest("crm", 10)
        assert batch is not None
        ids.append((batch.ids, len(batch.spans)))
        outbox.settle("crm", batch.ids)
    assert ids == [((1,), 1), ((2,), 0), ((3,), 1)]


def test_beyond_its_bound_the_oldest_go(path: Path) -> None:
    outbox = Outbox(path, 300_000)
    made_room = [outbox.write("crm", [[make_span(f"{number}", input="x" * 20_000)]])[1] for number in range(20)]
    assert made_room[0] is False
    assert made_room[-1] is True
    batch = outbox.oldest("crm", 1000)
    assert batch is not None
    names = [int(span.name) for span in batch.spans]
    assert names == list(range(names[0], 20))
    assert 5 < len(names) < 16


def test_the_bound_is_that_of_the_disk_and_not_of_what_was_ever_written(path: Path) -> None:
    outbox = Outbox(path, 300_000)
    for _ in range(50):
        ids, made_room = outbox.write("crm", [[make_span(input="x" * 20_000)]])
        assert not made_room
        outbox.settle("crm", ids)
    assert path.stat().st_size < 300_000


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


def _is_unicode(span: Span) -> bool:
    return "\ud800" not in span.name
