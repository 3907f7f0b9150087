"""The pipeline: every span to every exporter, whatever the others do, and every span accounted for."""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reamon.errors import Rejected
from reamon.guard import guard
from reamon.model import Span
from reamon.pipeline import Pipeline, Stats
from reamon.testing import make_span
from support.exporters import Failing, Gate, Sink, wait_until

MakePipeline = Callable[..., Pipeline]


def record(pipeline: Pipeline, count: int = 1) -> list[Span]:
    """Put spans into the queue as the recorder does."""
    spans = [make_span(f"span {number}") for number in range(count)]
    queue = pipeline.queue
    for span in spans:
        queue.append(span)
        if len(queue) >= queue.wake_at:
            queue.wake()
    return spans


def record_in_bursts(pipeline: Pipeline, bursts: int, size: int) -> list[Span]:
    """The same, with time for the worker in between."""
    spans = []
    for _ in range(bursts):
        spans += record(pipeline, size)
        wait_until(lambda: not pipeline.queue)
    return spans


def is_balanced(stats: Stats, lane: str = "sink") -> bool:
    """Whether every span of the only lane is accounted for."""
    accounted = stats.exported[lane] + stats.pending[lane] + stats.spooled[lane] + sum(stats.dropped.values())
    return stats.recorded + stats.claimed[lane] == accounted


def test_every_span_goes_to_every_exporter(make_pipeline: MakePipeline) -> None:
    first, second = Sink("first"), Sink("second", local=False)
    pipeline = make_pipeline(first, second)
    spans = record(pipeline, 300)
    assert pipeline.flush(20)
    assert first.spans == second.spans == spans


def test_what_finished_arrives_without_a_flush(make_pipeline: MakePipeline) -> None:
    sink = Sink()
    spans = record(make_pipeline(sink))
    wait_until(lambda: sink.spans == spans)


@pytest.mark.parametrize("local", [True, False])
def test_a_hanging_exporter_holds_up_nobody(make_pipeline: MakePipeline, local: bool) -> None:
    gate, well = Gate(), Sink("well")
    pipeline = make_pipeline(Sink("hanging", local=local, before=gate), well)
    record(pipeline)
    assert gate.reached.wait(20)
    begun = time.monotonic()
    spans = record(pipeline, 5_000)
    assert time.monotonic() - begun < 5, "the caller"
    wait_until(lambda: len(well.spans) == 5_001)
    assert well.spans[1:] == spans
    stats = pipeline.stats()
    assert stats.pending["hanging"] + stats.spooled["hanging"] == 5_001
    gate.open()


def test_a_failing_exporter_holds_up_nobody(make_pipeline: MakePipeline) -> None:
    well = Sink("well")
    pipeline = make_pipeline(Sink("failing", before=Failing()), well)
    spans = record(pipeline, 500)
    wait_until(lambda: well.spans == spans)
    assert pipeline.stats().lanes["failing"].state == "failing"
    assert pipeline.stats().lanes["well"].state == "ok"


def test_a_remote_exporter_gets_nothing_that_is_not_on_disk(make_pipeline: MakePipeline, tmp_path: Path) -> None:
    from reamon.pipeline import Outbox

    on_disk: list[int] = []

    def count(batch: Sequence[Span]) -> None:
        on_disk.append(outbox.waiting("remote") - len(batch))

    outbox = Outbox(tmp_path / "outbox.sqlite", 10**9)
    pipeline = make_pipeline(Sink("remote", local=False, before=count))
    record(pipeline, 10)
    assert pipeline.flush(20)
    assert on_disk
    assert all(surplus >= 0 for surplus in on_disk)
    assert outbox.waiting("remote") == 0
    outbox.close()


def test_beyond_the_bound_of_memory_spans_go_to_disk_and_come_back(make_pipeline: MakePipeline) -> None:
    gate = Gate()
    sink = Sink(before=gate)
    pipeline = make_pipeline(sink, max_lane_bytes=100_000, batch_size=50)
    spans = record(pipeline)
    assert gate.reached.wait(20)
    spans += record_in_bursts(pipeline, 37, 27)
    wait_until(lambda: pipeline.stats().spooled["sink"] > 500)
    wait_until(lambda: is_balanced(pipeline.stats()))
    assert pipeline.stats().pending["sink"] < 400
    gate.open()
    assert pipeline.flush(20)
    assert {span.span_id for span in sink.spans} == {span.span_id for span in spans}
    assert len(sink.spans) == 1_000
    stats = pipeline.stats()
    assert (stats.exported["sink"], stats.spooled["sink"], stats.dropped) == (1_000, 0, {})


def test_a_full_queue_drops_the_newest_counts_them_and_says_so_once(
    make_pipeline: MakePipeline, caplog: pytest.LogCaptureFixture
) -> None:
    gate = Gate()

    def hang(span: Span) -> Span:
        gate()
        return span

    sink = Sink()
    pipeline = make_pipeline(sink, processors=[hang], max_queue=100)
    record(pipeline)
    assert gate.reached.wait(20)
    record(pipeline, 500)
    gate.open()
    assert pipeline.flush(20)
    stats = pipeline.stats()
    assert stats.recorded == 501
    assert stats.dropped["queue_full"] >= 300
    assert is_balanced(stats)
    assert caplog.text.count("queue_full") == 1


def test_a_full_disk_behind_a_stuck_exporter_drops_the_oldest_and_says_so(
    make_pipeline: MakePipeline, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "no directory").touch()
    gate = Gate()
    sink = Sink(before=gate)
    pipeline = make_pipeline(sink, max_lane_bytes=100_000, home=tmp_path / "no directory", batch_size=10)
    spans = record(pipeline)
    assert gate.reached.wait(20)
    spans += record_in_bursts(pipeline, 37, 27)
    wait_until(lambda: pipeline.stats().dropped.get("memory_full", 0) > 500)
    gate.open()
    assert pipeline.flush(20)
    assert sink.spans[-1] == spans[-1]
    assert is_balanced(pipeline.stats())
    assert caplog.text.count("outbox_unwritable") == 1
    assert caplog.text.count("memory_full") == 1


def test_a_flush_waits_no_longer_than_it_may(make_pipeline: MakePipeline) -> None:
    gate = Gate()
    pipeline = make_pipeline(Sink(before=gate))
    record(pipeline)
    begun = time.monotonic()
    assert not pipeline.flush(0.1)
    assert time.monotonic() - begun < 5
    gate.open()
    assert pipeline.flush(float("inf"))


def test_durable_is_enough_where_the_exporter_is_down(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(Sink(before=Failing()))
    record(pipeline, 5)
    assert not pipeline.flush(0.2)
    assert pipeline.flush(20, durable=True)
    assert pipeline.stats().spooled == {"sink": 5}


def test_durable_waits_for_the_whole_time_for_one_that_hangs(make_pipeline: MakePipeline) -> None:
    gate = Gate()
    sink = Sink(before=gate)
    pipeline = make_pipeline(sink)
    record(pipeline, 5)
    assert gate.reached.wait(20)
    threading.Timer(0.1, gate.open).start()
    assert pipeline.flush(20, durable=True)
    assert pipeline.stats().exported == {"sink": 5}
    assert len(sink.spans) == 5


def test_a_shutdown_keeps_delivering_to_one_that_is_well(make_pipeline: MakePipeline) -> None:
    sink = Sink(before=lambda batch: time.sleep(0.05), local=False)
    pipeline = make_pipeline(sink, batch_size=64)
    spans = record(pipeline, 640)
    assert pipeline.shutdown(20)
    assert sink.spans == spans


def test_a_shutdown_ends_early_where_the_lane_is_down_and_all_is_on_disk(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(Sink(before=Failing()))
    record(pipeline, 5)
    begun = time.monotonic()
    assert pipeline.shutdown(60)
    assert time.monotonic() - begun < 30
    assert pipeline.stats().spooled == {"sink": 5}


def test_a_shutdown_is_bounded_and_what_hangs_is_delivered_by_the_next(make_pipeline: MakePipeline) -> None:
    gate = Gate()
    pipeline = make_pipeline(Sink(before=gate))
    spans = record(pipeline, 5)
    assert gate.reached.wait(20)
    begun = time.monotonic()
    assert pipeline.shutdown(0.3)
    assert time.monotonic() - begun < 5
    assert is_balanced(pipeline.stats())

    other, same = Sink("other"), Sink("sink")
    following = make_pipeline(other, same)
    wait_until(lambda: same.spans == spans)
    assert following.flush(20)
    assert other.spans == []
    stats = following.stats()
    assert (stats.recorded, stats.claimed, stats.exported) == (0, {"other": 0, "sink": 5}, {"other": 0, "sink": 5})
    gate.open()


def test_a_shutdown_with_a_processor_that_hangs_is_bounded_and_says_that_spans_are_lost(
    make_pipeline: MakePipeline,
) -> None:
    gate = Gate()

    def hang(span: Span) -> Span:
        gate()
        return span

    pipeline = make_pipeline(Sink(), processors=[hang])
    record(pipeline, 100)
    assert gate.reached.wait(20)
    record(pipeline, 100)
    begun = time.monotonic()
    assert not pipeline.shutdown(0.3)
    assert time.monotonic() - begun < 5
    gate.open()


def test_a_shutdown_twice_and_from_two_threads_is_one(make_pipeline: MakePipeline) -> None:
    closed: list[float] = []

    class Closing(Sink):
        def shutdown(self, timeout: float) -> None:
            closed.append(timeout)

    pipeline = make_pipeline(Closing())
    record(pipeline)
    threads = [threading.Thread(target=pipeline.shutdown, args=(2,)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(closed) == 1
    assert pipeline.stats().exported == {"sink": 1}


def test_a_span_that_no_disk_can_hold_takes_nothing_with_it(make_pipeline: MakePipeline) -> None:
    remote, local = Sink("remote", local=False), Sink("local")
    pipeline = make_pipeline(remote, local)
    queue = pipeline.queue
    for span in (make_span("lone \ud800", attributes={"object": object(), "huge": 1 << 70}), make_span("well")):
        queue.append(span)
    queue.wake()
    assert pipeline.flush(20)
    assert remote.names == ["lone ?", "well"]
    assert local.names == ["lone \ud800", "well"]


def test_an_item_that_cannot_be_made_a_span_is_contained(make_pipeline: MakePipeline) -> None:
    sink = Sink()
    pipeline = make_pipeline(sink)
    errors = guard.errors
    with guard.relaxed():
        pipeline.queue.append("no span")
        record(pipeline)
        assert pipeline.flush(20)
    assert len(sink.spans) == 1
    assert guard.errors == errors + 1


def test_stats_tell_what_we_cost(make_pipeline: MakePipeline) -> None:
    pipeline = make_pipeline(Sink())
    assert pipeline.stats().microseconds_per_span is None
    assert pipeline.stats().queue_age_seconds == 0
    record(pipeline, 500)
    assert pipeline.flush(20)
    stats = pipeline.stats()
    assert stats.microseconds_per_span is not None
    assert stats.microseconds_per_span > 0
    assert stats.lanes["sink"].microseconds_per_span is not None


def test_the_age_of_the_queue_is_that_of_its_oldest(make_pipeline: MakePipeline) -> None:
    gate = Gate()

    def hang(span: Span) -> Span:
        gate()
        return span

    pipeline = make_pipeline(Sink(), processors=[hang])
    record(pipeline)
    assert gate.reached.wait(20)
    record(pipeline)
    assert pipeline.stats().queue_age_seconds == 1.5
    gate.open()


def test_nothing_is_written_to_standard_output(
    make_pipeline: MakePipeline, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = make_pipeline(Sink(before=Failing()))
    record(pipeline)
    pipeline.flush(0.1)
    assert capsys.readouterr().out == ""
    assert [record.name for record in caplog.records] == ["reamon.pipeline"]
    assert caplog.records[0].levelno == logging.WARNING


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    answers=st.lists(st.sampled_from(["accept", "fail", "refuse one", "refuse all"]), max_size=8),
    local=st.booleans(),
    max_lane_bytes=st.sampled_from([2_000, 10_000_000]),
    bursts=st.lists(st.integers(1, 120), min_size=1, max_size=4),
)
def test_one_lane_at_rest_accounts_for_every_span(
    make_pipeline: MakePipeline,
    tmp_path_factory: pytest.TempPathFactory,
    answers: list[str],
    local: bool,
    max_lane_bytes: int,
    bursts: list[int],
) -> None:
    script = iter(answers)

    def answer(batch: Sequence[Span]) -> None:
        match next(script, "accept"):
            case "fail":
                raise ConnectionError
            case "refuse one":
                raise Rejected("no", [batch[0].span_id])
            case "refuse all":
                raise Rejected("no")

    sink = Sink(before=answer, local=local)
    home = tmp_path_factory.mktemp("home")
    pipeline = make_pipeline(sink, home=home, max_lane_bytes=max_lane_bytes, retry_cap=0.001, batch_size=40)
    for count in bursts:
        record(pipeline, count)
    assert pipeline.flush(30)
    stats = pipeline.stats()
    assert stats.recorded == sum(bursts)
    assert (stats.pending, stats.spooled) == ({"sink": 0}, {"sink": 0})
    assert is_balanced(stats)
    assert pipeline.shutdown(10)
