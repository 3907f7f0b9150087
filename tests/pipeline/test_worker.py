"""The worker: what it has begun to take, it hands over, and what it cannot take it counts."""

import time
from collections.abc import Callable

from reamon.pipeline import Pipeline
from reamon.testing import make_span
from support.exporters import Gate, Sink, wait_until

MakePipeline = Callable[..., Pipeline]


def test_what_comes_during_the_last_drain_is_handed_over_too(make_pipeline: MakePipeline) -> None:
    gate, sink = Gate(), Sink()

    def held_up(span: object) -> object:
        gate()
        return span

    pipeline = make_pipeline(sink, processors=[held_up])
    pipeline.queue.append(make_span("first"))
    pipeline.queue.wake()
    assert gate.reached.wait(20)
    pipeline.queue.append(make_span("second"))
    pipeline._worker.stop(time.monotonic())
    gate.open()
    wait_until(lambda: sink.names == ["first", "second"])
    assert not pipeline.queue
