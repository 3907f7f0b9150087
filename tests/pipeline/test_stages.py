"""Stages: processors first, then collectors, then the sampler; what breaks in them stays with them."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.guard import guard
from reamon.model import CostData, Span
from reamon.pipeline.stages import Stages
from reamon.protocols import Additions
from reamon.testing import make_span


class Seeing:
    """A collector that keeps what it sees, and adds what it is told to."""

    name = "seeing"

    def __init__(self, additions: Any = None) -> None:
        self.additions = additions
        self.seen: list[Span] = []
        self.begun: list[Span] = []

    def collect(self, span: Span) -> Any:
        self.seen.append(span)
        return self.additions

    def started(self, span: Span) -> None:
        self.begun.append(span)


def rename(name: str) -> Any:
    return lambda span: span.replace(name=span.name + name)


def drop(span: Span) -> Span | None:
    return None


def fail(span: Span) -> Span:
    raise RuntimeError("a broken processor")


def leave(span: Span) -> Span:
    raise SystemExit


def test_processors_run_in_order_and_before_the_collectors() -> None:
    collector = Seeing()
    span = Stages([rename("a"), rename("b")], [collector], 1.0).finish(make_span("x"))
    assert span is not None
    assert span.name == "xab"
    assert collector.seen == [span]


def test_a_processor_may_drop_a_span_and_nobody_sees_it() -> None:
    collector = Seeing()
    stages = Stages([drop, rename("a")], [collector], 1.0)
    assert stages.finish(make_span()) is None
    assert collector.seen == []
    assert stages.dropped == {"processor": 1}


@pytest.mark.parametrize("processor", [fail, leave])
def test_a_processor_that_raises_loses_its_span_and_no_other(processor: Any) -> None:
    stages = Stages([lambda span: processor(span) if span.name == "bad" else span], [], 1.0)
    with guard.relaxed():
        assert stages.finish(make_span("bad")) is None
        assert stages.finish(make_span("good")) is not None
    assert stages.dropped == {"processor_error": 1}


def test_the_start_of_a_workflow_is_processed_and_not_counted() -> None:
    collector = Seeing()
    stages = Stages([rename("!")], [collector], 1.0)
    begun = stages.begin(make_span("turn", "workflow", status="running"))
    assert begun is not None
    assert begun.name == "turn!"
    assert collector.begun == [begun]
    assert Stages([drop], [], 1.0).begin(begun) is None
    assert stages.dropped.total() == 0


def test_what_collectors_add_is_added_and_the_applications_word_stands() -> None:
    cost = CostData(cost_type="llm", amount=Decimal("0.0000000000015"))
    unknown = CostData(cost_type="tts", amount=None)
    collector = Seeing(Additions(costs=(cost, unknown), attributes={"mine": 1, "new": 2}))
    span = Stages([], [collector], 1.0).finish(make_span(attributes={"mine": 0}))
    assert span is not None
    assert span.attributes == {"mine": 0, "new": 2}
    assert [detail.amount for detail in span.costs] == [Decimal("0.000000000002"), None]


class Broken(Seeing):
    name = "broken"

    def collect(self, span: Span) -> Any:
        raise SystemExit

    def started(self, span: Span) -> None:
        raise RuntimeError

    def after_fork(self) -> None:
        raise RuntimeError


def test_a_collector_that_raises_is_passed_over() -> None:
    collector = Seeing()
    stages = Stages([], [Broken(), collector], 1.0)
    errors = guard.errors
    with guard.relaxed():
        span = stages.finish(make_span())
        begun = stages.begin(make_span(status="running"))
        stages.after_fork()
    assert collector.seen == [span]
    assert collector.begun == [begun]
    assert guard.errors == errors + 3


def test_a_collector_that_returns_nonsense_is_passed_over() -> None:
    span = make_span()
    with guard.relaxed():
        assert Stages([], [Seeing("nonsense")], 1.0).finish(span) == span


@given(rate=st.floats(0, 1))
def test_sampling_strips_payloads_of_whole_traces_and_nothing_else(rate: float) -> None:
    cost = CostData(cost_type="llm", amount=Decimal(1))
    collector = Seeing()
    stages = Stages([], [collector], rate)
    root = make_span("turn", "workflow", input={"a": 1}, metadata={"kept": 1})
    child = make_span("chat", "llm", parent=root, output="x", state_before=1, state_after=2, costs=(cost,))
    kept = []
    for span in (child, root):
        sampled = stages.finish(span)
        assert sampled is not None
        stripped = span.replace(input=None, output=None, state_before=None, state_after=None)
        assert sampled in (span, stripped)
        kept.append(sampled == span)
    assert kept[0] == kept[1]
    assert collector.seen == [child, root], "costs and counts come before sampling"


def test_the_rate_is_the_share_of_traces_that_keep_their_payloads() -> None:
    stages = Stages([], [], 0.25)
    sampled = [stages.finish(make_span(input=1)) for _ in range(4_000)]
    share = sum(span is not None and span.input is not None for span in sampled) / len(sampled)
    assert 0.2 < share < 0.3


@pytest.mark.parametrize(("rate", "keeps"), [(0.0, False), (1.0, True)])
def test_none_and_all_are_exact(rate: float, keeps: bool) -> None:
    stages = Stages([], [], rate)
    for _ in range(100):
        span = stages.finish(make_span(input=1))
        assert span is not None
        assert (span.input is not None) == keeps
