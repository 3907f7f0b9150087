"""The recorder: what the hot path has at hand."""

import random
import sys
from typing import Any

import pytest

import reamon
from reamon.model.ids import RANDOM_BITS
from reamon.testing import FakeClock, fake_ids
from reamon.tracing import Recorder, Started, attach, detach, to_span
from reamon.tracing.recorder import unique_bits


class Items(list[Any]):
    """A queue that nobody empties."""

    def __init__(self, wake_at: int = sys.maxsize) -> None:
        super().__init__()
        self.wake_at = wake_at
        self.woken = 0

    def wake(self) -> None:
        self.woken += 1


@pytest.fixture
def queue() -> Any:
    """What is recorded lands here."""
    items = Items()
    attach(Recorder(items, clock=FakeClock(tick_ns=1), random_62=fake_ids(), project="tests"))
    yield items
    detach()


def test_a_workflow_is_queued_when_it_begins_and_every_span_when_it_ends(queue: Items) -> None:
    with reamon.trace_workflow("turn"):
        (notice,) = queue
        assert isinstance(notice, Started)
        running = notice.to_span("process")
        assert running is not None
        assert running.end_ns is None
        with reamon.trace_tool("tool"):
            assert len(queue) == 1
    spans = [to_span(item, "process") for item in queue[1:]]
    assert [(span.name, span.process_id, span.project) for span in spans] == [
        ("tool", "process", "tests"),
        ("turn", "process", "tests"),
    ]
    assert notice.to_span("process") is None, "its finish is on the way"


def test_ids_come_from_the_clock_and_the_given_bits(queue: Items) -> None:
    with reamon.trace_workflow("turn") as turn:
        pass
    assert turn.span_id.endswith("-8000-000000000001")


def test_the_queue_is_woken_once_enough_waits() -> None:
    items = Items(wake_at=3)
    attach(Recorder(items))
    try:
        reamon.start_span("step", "one").end()
        assert items.woken == 0
        with reamon.trace_step("two"):
            assert items.woken == 1
    finally:
        detach()
    assert items.woken == 2


def test_detached_nothing_is_recorded(queue: Items) -> None:
    detach()
    with reamon.trace_workflow("turn"):
        pass
    assert queue == []


def test_unique_bits_do_not_follow_the_applications_random_seed() -> None:
    random.seed(7)
    first = next(unique_bits())
    random.seed(7)
    assert next(unique_bits()) != first


def test_unique_bits_fit_an_id_and_never_repeat() -> None:
    bits = unique_bits()
    drawn = [next(bits) for _ in range(10_000)]
    assert len(set(drawn)) == 10_000
    assert all(0 <= number < 2**RANDOM_BITS for number in drawn)


def test_after_a_fork_a_recorder_has_an_identity_of_its_own() -> None:
    recorder = Recorder(Items())
    before = recorder.generation
    recorder.after_fork()
    assert recorder.generation == before + 1
    assert Recorder(Items()).generation == recorder.generation
