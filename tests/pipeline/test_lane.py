"""Lanes: retried for as long as it takes, and never in the way of another."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from reamon.errors import Paused, Rejected, RetryAfter
from reamon.guard import guard
from reamon.model import Span
from reamon.pipeline import Outbox
from reamon.pipeline.breaker import Breaker
from reamon.pipeline.health import Health
from reamon.pipeline.lane import Lane
from reamon.pipeline.retry import Backoff
from reamon.pipeline.spool import Spool
from reamon.testing import make_span
from support.exporters import Failing, Gate, Sink, wait_until
from support.scripts import run

MakeLane = Callable[..., Lane]


@pytest.fixture
def make_lane(tmp_path: Path) -> Iterator[MakeLane]:
    lanes: list[Lane] = []
    outbox = Outbox(tmp_path / "outbox.sqlite", 10**9)

    def make(
        exporter: Any,
        *,
        cap: float = 0.02,
        batch_size: int = 100,
        breaker: Breaker | None = None,
        claim_interval: float = 10.0,
    ) -> Lane:
        spool = Spool(exporter.name, exporter.name, outbox, 10**9, write_ahead=not getattr(exporter, "local", False))
        health = Health(exporter.name, Backoff(base=0.01, cap=cap), breaker or Breaker(failures=10_000))
        lane = Lane(exporter, spool, health, batch_size=batch_size, claim_interval=claim_interval)
        lanes.append(lane)
        return lane

    yield make
    for lane in lanes:
        lane.want_stop(time.monotonic())
        lane.wait_stop(time.monotonic() + 2)
    outbox.close()


def put(lane: Lane, count: int = 1) -> list[Span]:
    spans = [make_span(f"span {number}") for number in range(count)]
    lane.put(spans, 1000 * count)
    return spans


def flush(lane: Lane, timeout: float = 20.0) -> bool:
    return lane.wait_flush(lane.want_flush(time.monotonic() + timeout))


def test_what_is_put_arrives_in_order(make_lane: MakeLane) -> None:
    sink = Sink()
    lane = make_lane(sink)
    spans = put(lane, 3) + put(lane, 2)
    assert flush(lane)
    assert sink.spans == spans
    assert (lane.exported, lane.spool.pending) == (5, 0)


def test_small_pieces_are_delivered_together_up_to_the_batch_size(make_lane: MakeLane) -> None:
    gate = Gate()
    sink = Sink(before=gate)
    lane = make_lane(sink, batch_size=4)
    put(lane)
    assert gate.reached.wait(20)
    for _ in range(6):
        put(lane)
    gate.open()
    assert flush(lane)
    assert [len(batch) for batch in sink.batches] == [1, 4, 2]


def test_a_batch_that_fails_is_sent_again_until_it_is_accepted(make_lane: MakeLane) -> None:
    failing = Failing()
    sink = Sink(before=failing)
    lane = make_lane(sink)
    spans = put(lane)
    wait_until(lambda: sink.calls >= 5)
    assert lane.stats().state == "failing"
    assert lane.stats().last_error == "ConnectionError: the destination is down"
    failing.mend()
    assert flush(lane)
    assert sink.spans == spans
    assert lane.stats().state == "ok"


def test_trouble_and_its_end_are_logged_once_each(make_lane: MakeLane, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "reamon.pipeline")
    failing = Failing()
    sink = Sink(before=failing)
    lane = make_lane(sink)
    put(lane)
    wait_until(lambda: sink.calls >= 5)
    failing.mend()
    assert flush(lane)
    assert [record.message.split()[0] for record in caplog.records] == [
        "event='lane_failing'",
        "event='lane_recovered'",
    ]


def test_retry_after_is_waited_for(make_lane: MakeLane) -> None:
    failing = Failing(RetryAfter(3600, "busy"))
    sink = Sink(before=failing)
    lane = make_lane(sink)
    put(lane)
    wait_until(lambda: lane.stats().failures)
    failing.mend()
    put(lane)
    time.sleep(0.1)  # far longer than the backoff would be
    assert sink.spans == []


def test_a_flush_probes_at_once_whatever_the_backoff(make_lane: MakeLane) -> None:
    failing = Failing(RetryAfter(3600, "busy"))
    sink = Sink(before=failing)
    lane = make_lane(sink)
    spans = put(lane)
    wait_until(lambda: lane.stats().failures)
    failing.mend()
    assert flush(lane)
    assert sink.spans == spans


@pytest.mark.parametrize("error", [SystemExit(1), KeyboardInterrupt(), asyncio.CancelledError(), MemoryError()])
def test_a_lane_outlives_whatever_its_exporter_raises(make_lane: MakeLane, error: BaseException) -> None:
    failing = Failing(error)
    sink = Sink(before=failing)
    lane = make_lane(sink)
    spans = put(lane)
    wait_until(lambda: sink.calls >= 2)
    failing.mend()
    assert flush(lane)
    assert sink.spans == spans


def test_a_refused_batch_is_given_up_and_counted(make_lane: MakeLane) -> None:
    lane = make_lane(Sink(before=Failing(Rejected("no such project"))))
    put(lane, 3)
    assert flush(lane)
    assert lane.spool.dropped == {"rejected": 3}
    assert (lane.exported, lane.spool.pending) == (0, 0)


def test_of_a_batch_refused_in_part_the_rest_counts_as_delivered(make_lane: MakeLane) -> None:
    def refuse(batch: Sequence[Span]) -> None:
        raise Rejected("too large", [batch[0].span_id, "an id that was not in the batch"])

    lane = make_lane(Sink(before=refuse))
    put(lane, 3)
    assert flush(lane)
    assert lane.spool.dropped == {"rejected": 1}
    assert lane.exported == 2


def test_a_bad_span_is_found_and_the_others_arrive(make_lane: MakeLane, tmp_path: Path) -> None:
    def refuse(batch: Sequence[Span]) -> None:
        if any(span.name == "span 3" for span in batch):
            raise Rejected("no name", certain=False)

    sink = Sink(before=refuse, local=False)
    lane = make_lane(sink)
    put(lane, 9)
    assert flush(lane)
    assert sorted(sink.names) == [f"span {number}" for number in (0, 1, 2, 4, 5, 6, 7, 8)]
    assert lane.spool.dropped == {"rejected": 1}
    assert lane.exported == 8


def test_who_refuses_everything_for_a_while_costs_no_span(make_lane: MakeLane) -> None:
    failing = Failing(Rejected("422", certain=False))
    sink = Sink(before=failing, local=False)
    lane = make_lane(sink)
    spans = put(lane, 50)
    wait_until(lambda: lane.stats().failures >= 5)
    assert lane.stats().state == "failing"
    failing.mend()
    assert flush(lane)
    assert sorted(sink.names) == sorted(span.name for span in spans)
    assert lane.spool.dropped == {}


def test_a_paused_lane_says_what_to_fix_and_goes_on_when_it_is_fixed(make_lane: MakeLane) -> None:
    failing = Failing(Paused("401 Unauthorized", "set the key"))
    sink = Sink(before=failing, local=False)
    lane = make_lane(sink)
    spans = put(lane, 2)
    wait_until(lambda: lane.stats().state == "paused")
    assert lane.stats().fix == "set the key"
    failing.mend()
    wait_until(lambda: sink.spans == spans)
    wait_until(lambda: lane.stats().state == "ok")
    assert (lane.stats().fix, lane.stats().last_error) == (None, None)


def test_after_several_failures_the_breaker_opens_and_a_flush_probes_all_the_same(make_lane: MakeLane) -> None:
    failing = Failing()
    sink = Sink(before=failing, local=False)
    lane = make_lane(sink, breaker=Breaker(failures=2, rest=3600))
    spans = put(lane)
    wait_until(lambda: lane.stats().state == "open")
    calls = sink.calls
    time.sleep(0.1)  # far longer than the backoff would be
    assert sink.calls == calls
    failing.mend()
    assert flush(lane)
    assert sink.spans == spans
    assert lane.stats().state == "ok"


def test_an_exporter_may_want_company_for_its_spans(make_lane: MakeLane) -> None:
    class Patient(Sink):
        flush_interval = 30.0

    sink = Patient()
    lane = make_lane(sink, batch_size=3)
    put(lane)
    time.sleep(0.05)
    assert sink.calls == 0
    put(lane)
    put(lane)
    wait_until(lambda: [len(batch) for batch in sink.batches] == [3])
    put(lane)
    assert flush(lane), "a flush waits for nobody"
    assert [len(batch) for batch in sink.batches] == [3, 1]


def test_what_a_process_leaves_while_the_lane_runs_is_delivered(make_lane: MakeLane, tmp_path: Path) -> None:
    sink = Sink(local=False)
    lane = make_lane(sink, claim_interval=0.05)
    lane.start()
    run(
        tmp_path,
        f"""
        import os
        from pathlib import Path
        from reamon.pipeline.outbox import Outbox
        from reamon.testing import make_span
        Outbox(Path({str(tmp_path / "outbox.sqlite")!r}), 10**9).write("sink", [[make_span("left behind")]])
        os._exit(9)
        """,
        returncode=9,
    )
    wait_until(lambda: sink.names == ["left behind"])
    assert lane.spool.claimed == 1


def test_an_async_exporter_runs_on_one_loop_of_its_own(make_lane: MakeLane) -> None:
    class Async:
        name = "async"
        local = True

        def __init__(self) -> None:
            self.loops: set[asyncio.AbstractEventLoop] = set()
            self.closed = False

        async def export(self, batch: Sequence[Span]) -> None:
            await asyncio.sleep(0)
            self.loops.add(asyncio.get_running_loop())

        async def flush(self, timeout: float) -> None:  # noqa: ASYNC109 - the contract says so
            self.loops.add(asyncio.get_running_loop())

        async def shutdown(self, timeout: float) -> None:  # noqa: ASYNC109 - the contract says so
            self.loops.add(asyncio.get_running_loop())
            self.closed = True

    exporter = Async()
    lane = make_lane(exporter)
    for _ in range(3):
        put(lane)
        assert flush(lane)
    lane.want_stop(time.monotonic() + 5)
    assert lane.wait_stop(time.monotonic() + 5)
    assert exporter.closed
    (loop,) = exporter.loops
    assert loop.is_closed()


class Starting(Sink):
    """A sink for starts as well."""

    def __init__(self, on_start: Callable[[Sequence[Span]], object] = lambda batch: None) -> None:
        super().__init__("starting")
        self.on_start = on_start
        self.begun: list[Span] = []

    def started(self, batch: Sequence[Span]) -> None:
        self.on_start(batch)
        self.begun += batch


def test_starts_are_delivered_and_a_flush_waits_for_them(make_lane: MakeLane) -> None:
    sink = Starting()
    lane = make_lane(sink)
    root = make_span(status="running")
    lane.put_started([root])
    assert flush(lane)
    assert sink.begun == [root]


def test_starts_that_fail_are_sent_again_and_hold_up_no_finished_span(make_lane: MakeLane) -> None:
    failing = Failing()
    sink = Starting(failing)
    lane = make_lane(sink)
    root = make_span(status="running")
    lane.put_started([root])
    spans = put(lane)
    wait_until(lambda: sink.spans == spans)
    assert sink.begun == []
    failing.mend()
    assert flush(lane)
    assert sink.begun == [root]


def test_starts_that_are_refused_are_given_up(make_lane: MakeLane) -> None:
    sink = Starting(Failing(Rejected("no")))
    lane = make_lane(sink)
    lane.put_started([make_span(status="running")])
    spans = put(lane)
    assert flush(lane)
    assert sink.spans == spans
    assert lane.stats().state == "ok"


class Buffering(Sink):
    """Makes visible at a flush only what it has got before."""

    def __init__(self, on_flush: Callable[[float], object] = lambda timeout: None) -> None:
        super().__init__("buffering")
        self.on_flush = on_flush
        self.visible: list[Span] = []

    def flush(self, timeout: float) -> None:
        self.on_flush(timeout)
        self.visible = list(self.spans)


def test_a_flush_has_the_exporter_flush_when_everything_is_delivered(make_lane: MakeLane) -> None:
    sink = Buffering()
    lane = make_lane(sink)
    spans = put(lane, 250)
    assert flush(lane)
    assert sink.visible == spans


def test_a_flush_fails_as_long_as_the_exporter_fails_to(make_lane: MakeLane) -> None:
    failing = Failing()
    lane = make_lane(Buffering(failing))
    put(lane)
    assert not flush(lane, timeout=0.1)
    failing.mend()
    assert flush(lane)


def test_several_may_flush_at_once(make_lane: MakeLane) -> None:
    gate = Gate()
    sink = Buffering(gate)
    lane = make_lane(sink)
    put(lane)
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(flush(lane))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert gate.reached.wait(20)
    gate.open()
    for thread in threads:
        thread.join(20)
    assert results == [True] * 5


def test_a_flush_ends_though_spans_keep_coming(make_lane: MakeLane) -> None:
    lane = make_lane(Sink(before=lambda batch: time.sleep(0.001)))
    stop = threading.Event()

    def keep_putting() -> None:
        while not stop.is_set():
            put(lane, 2)
            time.sleep(0.0005)

    thread = threading.Thread(target=keep_putting)
    thread.start()
    try:
        assert flush(lane)
    finally:
        stop.set()
        thread.join()


def test_a_lane_at_rest_uses_no_processor_time(make_lane: MakeLane) -> None:
    lane = make_lane(Buffering())
    put(lane)
    assert flush(lane)
    before = time.process_time()
    time.sleep(0.2)
    assert time.process_time() - before < 0.1


def test_an_exporter_is_shut_down_on_its_own_thread_though_nothing_was_recorded(make_lane: MakeLane) -> None:
    threads: list[str] = []

    class Closing(Sink):
        def shutdown(self, timeout: float) -> None:
            threads.append(threading.current_thread().name)

    lane = make_lane(Closing("closing"))
    lane.want_stop(time.monotonic() + 5)
    assert lane.wait_stop(time.monotonic() + 5)
    assert threads == ["reamon-closing"]


def test_a_shutdown_that_raises_is_contained_and_counted(make_lane: MakeLane) -> None:
    class Stubborn(Sink):
        def shutdown(self, timeout: float) -> None:
            raise RuntimeError("not now")

    lane = make_lane(Stubborn())
    errors = guard.errors
    with guard.relaxed():
        lane.want_stop(time.monotonic() + 5)
        assert lane.wait_stop(time.monotonic() + 5)
    assert guard.errors == errors + 1


def test_what_a_hanging_exporter_holds_is_on_disk_after_the_stop_and_counted_once(make_lane: MakeLane) -> None:
    gate = Gate()
    sink = Sink(before=gate)
    lane = make_lane(sink)
    put(lane)
    assert gate.reached.wait(20)
    put(lane, 2)
    lane.want_stop(time.monotonic() + 0.1)
    assert lane.wait_stop(time.monotonic() + 0.1)
    gate.open()
    wait_until(lambda: sink.spans)
    wait_until(lambda: not any(thread.name == "reamon-sink" for thread in threading.enumerate()))
    assert (lane.exported, lane.spool.pending, lane.spool.spooled) == (0, 0, 3)


def test_a_lane_outlives_an_error_of_our_own(make_lane: MakeLane, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("ours")

    failing = Failing()
    sink = Sink(before=failing)
    lane = make_lane(sink)
    with guard.relaxed():
        with monkeypatch.context() as patch:
            patch.setattr(lane, "_report", fail)
            spans = put(lane)
            wait_until(lambda: guard.errors)
        failing.mend()
        assert flush(lane)
    assert sink.spans == spans


def test_in_a_forked_child_nothing_is_left_of_the_parent(make_lane: MakeLane) -> None:
    gate = Gate()
    lane = make_lane(Sink(before=gate))
    put(lane)
    assert gate.reached.wait(20)
    lane.after_fork()
    gate.open()
    assert (lane.spool.pending, lane.exported, lane.stats().failures) == (0, 0, 0)
