"""The spool: every span in memory, on disk, delivered or counted, and in one of these only."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from reamon.pipeline.delivery import DeadLetter
from reamon.pipeline.outbox import Outbox
from reamon.pipeline.spool import Batch, Spool
from reamon.testing import make_span

PLENTY = 10**9
MakeSpool = Callable[..., Spool]


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox.sqlite", PLENTY)


def spool_on(outbox: Outbox, *, max_bytes: int = PLENTY, write_ahead: bool = False) -> Spool:
    return Spool("lane", "crm", outbox, max_bytes, write_ahead=write_ahead)


def unwritable(tmp_path: Path) -> Outbox:
    (tmp_path / "file").touch()
    return Outbox(tmp_path / "file" / "outbox.sqlite", PLENTY)


def put(spool: Spool, *names: str) -> None:
    spool.put([make_span(name) for name in names], 1000 * len(names))


def taken(spool: Spool, size: int = 100) -> Batch:
    batch = spool.take(size)
    assert batch is not None
    return batch


def names(batch: Batch) -> list[str]:
    return [span.name for span in batch.spans]


def test_a_local_spool_keeps_to_memory(outbox: Outbox) -> None:
    spool = spool_on(outbox)
    put(spool, "a", "b")
    assert (spool.pending, spool.spooled) == (2, 0)
    batch = taken(spool)
    assert names(batch) == ["a", "b"]
    assert spool.settle(batch) == 2
    assert (spool.pending, spool.take(10)) == (0, None)
    assert not outbox.path.exists()


def test_a_remote_spool_writes_ahead(outbox: Outbox) -> None:
    spool = spool_on(outbox, write_ahead=True)
    put(spool, "a", "b")
    assert (spool.pending, spool.spooled, outbox.waiting("crm")) == (0, 2, 2)
    batch = taken(spool)
    assert names(batch) == ["a", "b"]
    assert outbox.waiting("crm") == 2, "on disk until it is acknowledged"
    assert spool.settle(batch) == 2
    assert (spool.spooled, outbox.waiting("crm")) == (0, 0)


def test_beyond_the_bound_of_memory_the_oldest_go_to_disk(outbox: Outbox) -> None:
    spool = spool_on(outbox, max_bytes=2500)
    for name in "abcd":
        put(spool, name)
    assert (spool.pending, spool.spooled) == (2, 2)


def test_memory_and_disk_take_turns(outbox: Outbox) -> None:
    spool = spool_on(outbox, max_bytes=2500)
    for name in "abcd":
        put(spool, name)
    order = []
    for _ in range(4):
        batch = taken(spool, size=1)
        order += names(batch)
        spool.settle(batch)
    assert sorted(order) == list("abcd")
    assert set(order[:2]) == {"a", "c"}


def test_a_batch_that_was_put_back_comes_again(outbox: Outbox) -> None:
    for spool in (spool_on(outbox), spool_on(outbox, write_ahead=True)):
        put(spool, "a")
        spool.put_back(taken(spool))
        batch = taken(spool)
        assert names(batch) == ["a"]
        assert spool.settle(batch) == 1


def test_where_the_disk_refuses_memory_has_to_do(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    spool = spool_on(unwritable(tmp_path), max_bytes=2500, write_ahead=True)
    for name in "abcd":
        put(spool, name)
    assert (spool.pending, spool.spooled) == (2, 0)
    assert spool.dropped == {"memory_full": 2}
    assert names(taken(spool)) == ["c", "d"]
    assert [record.message.split()[0] for record in caplog.records] == [
        "event='outbox_unwritable'",
        "event='memory_full'",
    ]


def test_the_policy_is_logged_again_when_it_is_needed_again(
    outbox: Outbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = spool_on(outbox, max_bytes=500)
    monkeypatch.setattr("reamon.pipeline.spool._DISK_REST", 0.0)
    for disk_is_full in (True, True, False, True):
        with monkeypatch.context() as patch:
            if disk_is_full:
                patch.setattr(outbox, "write", _refuse)
            put(spool, "a")
            put(spool, "b")
    assert caplog.text.count("outbox_unwritable") == 2
    assert spool.dropped == {"memory_full": 5}


def test_a_disk_that_refused_is_left_alone_for_a_while(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refuse(*_: object) -> None:
        calls.append(1)
        _refuse()

    monkeypatch.setattr(outbox, "write", refuse)
    spool = spool_on(outbox, write_ahead=True)
    for _ in range(100):
        put(spool, "a")
    assert len(calls) < 5
    assert spool.pending == 100


def test_moving_to_disk_takes_along_what_is_on_its_way(outbox: Outbox) -> None:
    spool = spool_on(outbox)
    put(spool, "a")
    batch = taken(spool)
    put(spool, "b")
    assert spool.move_to_disk()
    assert (spool.pending, spool.spooled) == (0, 2)
    assert spool.settle(batch) == 1, "acknowledged after all"
    assert (spool.spooled, outbox.waiting("crm")) == (1, 1)


def test_moving_to_a_disk_that_refuses_loses_nothing(tmp_path: Path) -> None:
    spool = spool_on(unwritable(tmp_path))
    put(spool, "a")
    put(spool, "b")
    assert not spool.move_to_disk()
    assert spool.pending == 2
    assert names(taken(spool)) == ["a", "b"]


def test_an_acknowledgement_that_comes_after_leaving_changes_nothing(outbox: Outbox) -> None:
    spool = spool_on(outbox)
    put(spool, "a")
    batch = taken(spool)
    assert spool.move_to_disk()
    spool.leave()
    assert spool.settle(batch) == 0
    assert spool.spooled == 1


def test_what_was_left_on_disk_is_claimed_and_counted_as_such(outbox: Outbox) -> None:
    before = spool_on(outbox, write_ahead=True)
    put(before, "a", "b")
    spool = spool_on(outbox)
    assert spool.claim() == 2
    assert spool.claim() == 2, "and once only"
    assert (spool.claimed, spool.spooled) == (2, 2)


def test_what_had_to_make_room_on_disk_is_counted_and_logged_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", 100_000)
    spool = spool_on(outbox, write_ahead=True)
    for _ in range(20):
        spool.put([make_span(input="x" * 20_000)], 20_000)
    lost = spool.dropped["outbox_full"]
    assert lost > 10
    assert spool.spooled + lost == 20
    assert spool.spooled == outbox.waiting("crm")
    assert caplog.text.count("outbox_full") == 1


def test_what_another_destination_pushed_out_is_counted_by_whom_it_belonged_to(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite", 100_000)
    mine = spool_on(outbox, write_ahead=True)
    mine.put([make_span(input="x" * 20_000)], 20_000)
    other = Spool("other", "other", outbox, PLENTY, write_ahead=True)
    for _ in range(10):
        other.put([make_span(input="x" * 20_000)], 20_000)
    assert mine.take(10) is None
    assert mine.dropped == {"outbox_full": 1}
    assert mine.spooled == 0


def test_a_batch_that_cannot_be_read_is_counted_and_does_not_stop_the_others(outbox: Outbox) -> None:
    spool = spool_on(outbox, write_ahead=True)
    put(spool, "a", "b")
    put(spool, "c")
    with closing(sqlite3.connect(outbox.path)) as connection, connection:
        connection.execute("UPDATE batches SET body = x'c1' WHERE id = 1")
    outbox.close()  # what it has at hand is forgotten, and read
    batch = taken(spool)
    assert names(batch) == ["c"]
    assert spool.dropped == {"unreadable": 2}
    assert spool.settle(batch) == 1
    assert spool.spooled == 0


@pytest.mark.parametrize("write_ahead", [True, False])
def test_of_a_batch_that_is_settled_in_part_the_rest_comes_again(outbox: Outbox, write_ahead: bool) -> None:
    spool = spool_on(outbox, write_ahead=write_ahead)
    put(spool, "a", "b", "c")
    batch = taken(spool)
    _, bad, later = batch.spans
    assert spool.settle(batch, [later], [DeadLetter([bad], "no name", "rejected")]) == 1
    assert (spool.pending + spool.spooled, spool.dropped) == (1, {"rejected": 1})
    batch = taken(spool)
    assert names(batch) == ["c"]
    assert spool.settle(batch) == 1
    assert spool.pending + spool.spooled == 0


def test_dead_letters_are_logged_now_and_then(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    spool = spool_on(outbox)
    for _ in range(20):
        put(spool, "a")
        batch = taken(spool)
        spool.settle(batch, dead=[DeadLetter(batch.spans, "no name", "rejected")])
    assert [record.message.split("total=")[1] for record in caplog.records] == ["1", "10"]


def test_dead_letters_that_no_disk_takes_are_counted_all_the_same(tmp_path: Path) -> None:
    spool = spool_on(unwritable(tmp_path))
    put(spool, "a")
    batch = taken(spool)
    assert spool.settle(batch, dead=[DeadLetter(batch.spans, "no name", "rejected")]) == 0
    assert (spool.pending, spool.dropped) == (0, {"rejected": 1})


def test_what_is_sent_at_once_is_one_batch_on_disk(outbox: Outbox) -> None:
    spool = Spool("lane", "crm", outbox, PLENTY, write_ahead=True, batch_size=2)
    put(spool, *"abcde")
    assert [names(taken(spool, size=2)) for _ in range(1)] == [["a", "b"]]


def _refuse(*_: object) -> None:
    raise sqlite3.OperationalError("database or disk is full")


class Accounting(RuleBasedStateMachine):
    """Whatever happens in whatever order: accepted = pending + spooled + settled + dropped."""

    directory: Path

    def __init__(self) -> None:
        super().__init__()
        (self.directory / "outbox.sqlite").unlink(missing_ok=True)
        self.outbox = Outbox(self.directory / "outbox.sqlite", 200_000)
        self.spool = spool_on(self.outbox, max_bytes=30_000, write_ahead=False)
        self.batch: Batch | None = None
        self.settled = 0

    @rule(count=st.integers(1, 5), size=st.sampled_from([10, 5_000, 20_000]))
    def put(self, count: int, size: int) -> None:
        self.spool.put([make_span(input="x" * size) for _ in range(count)], size * count)

    @precondition(lambda self: self.batch is None)
    @rule(size=st.integers(1, 10))
    def take(self, size: int) -> None:
        self.batch = self.spool.take(size)

    @precondition(lambda self: self.batch is not None)
    @rule(accepted=st.integers(0, 10), refused=st.integers(0, 3))
    def answer(self, accepted: int, refused: int) -> None:
        assert self.batch is not None
        spans = self.batch.spans
        dead = spans[accepted : accepted + refused]
        letters = [DeadLetter(dead, "no", "rejected")] if dead else []
        if accepted or dead:
            self.settled += self.spool.settle(self.batch, spans[accepted + refused :], letters)
        self.spool.put_back(self.batch)
        self.batch = None

    @rule()
    def move_to_disk(self) -> None:
        assert self.spool.move_to_disk()

    @invariant()
    def every_span_is_accounted_for(self) -> None:
        spool = self.spool
        assert spool.accepted == spool.pending + spool.spooled + self.settled + spool.dropped.total()

    def teardown(self) -> None:
        if self.batch is not None:
            self.spool.put_back(self.batch)
        while (batch := self.spool.take(100)) is not None:
            self.settled += self.spool.settle(batch)
        assert (self.spool.pending, self.spool.spooled) == (0, 0)
        self.every_span_is_accounted_for()
        assert self.outbox.waiting("crm") == 0
        self.outbox.close()


def test_every_span_is_accounted_for_whatever_happens(tmp_path: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    machine = type("AccountingHere", (Accounting,), {"directory": tmp_path})
    run_state_machine_as_test(machine, settings=settings(max_examples=30, stateful_step_count=30, deadline=None))
