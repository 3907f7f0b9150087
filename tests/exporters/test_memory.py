"""The memory exporter: a list with finders."""

import threading

import pytest

from reamon.errors import ConfigurationError
from reamon.exporters import MemoryExporter
from reamon.model import SpanKind
from reamon.testing import check_exporter, make_span


def test_it_keeps_the_contract() -> None:
    exporters: list[MemoryExporter] = []

    def factory() -> MemoryExporter:
        exporters.append(MemoryExporter())
        return exporters[-1]

    check_exporter(factory)
    assert [span.name for span in exporters[-1].spans] == ["after a fork"]


def test_spans_come_in_the_order_in_which_they_arrived() -> None:
    exporter = MemoryExporter()
    spans = [make_span(name) for name in ("a", "b", "c")]
    exporter.export(spans[:2])
    exporter.export(spans[2:])
    assert exporter.spans == spans
    assert len(exporter) == 3
    assert repr(exporter) == "MemoryExporter(name='memory', spans=3)"


def test_finders_find_by_name_kind_and_family() -> None:
    exporter = MemoryExporter()
    turn = make_span("turn", "workflow")
    late = make_span("reply", "llm", parent=turn, start_ns=turn.start_ns + 9)
    early = make_span("qualify", "agent", parent=turn, start_ns=turn.start_ns + 5)
    exporter.export([late, early, turn])
    assert exporter.roots == [turn]
    assert exporter.children_of(turn) == [early, late]
    assert exporter.named("reply") == [late]
    assert exporter.of_kind("agent") == exporter.of_kind(SpanKind.AGENT) == [early]
    assert exporter.one("turn") is turn


def test_one_says_which_names_there_are() -> None:
    exporter = MemoryExporter()
    with pytest.raises(LookupError, match="0 finished spans are named 'turn', not one; the names are: none"):
        exporter.one("turn")
    exporter.export([make_span("reply"), make_span("reply")])
    with pytest.raises(LookupError, match="2 finished spans are named 'reply', not one; the names are: reply"):
        exporter.one("reply")


def test_a_kind_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="agnet"):
        MemoryExporter().of_kind("agnet")


def test_starts_are_kept_apart() -> None:
    exporter = MemoryExporter()
    start = make_span("turn", "workflow", status="running")
    exporter.started([start])
    assert (exporter.started_spans, exporter.spans) == ([start], [])


def test_with_a_limit_the_newest_stay() -> None:
    exporter = MemoryExporter(limit=2)
    exporter.export([make_span(name) for name in ("a", "b", "c")])
    assert [span.name for span in exporter.spans] == ["b", "c"]


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="limit is 0"):
        MemoryExporter(limit=0)


def test_clear_and_a_fork_forget_everything() -> None:
    for forget in (MemoryExporter.clear, MemoryExporter.after_fork):
        exporter = MemoryExporter()
        exporter.export([make_span()])
        exporter.started([make_span(status="running")])
        forget(exporter)
        assert (exporter.spans, exporter.started_spans) == ([], [])


def test_it_may_be_read_while_spans_arrive() -> None:
    exporter = MemoryExporter()

    def write() -> None:
        for _ in range(2000):
            exporter.export([make_span()])

    writer = threading.Thread(target=write)
    writer.start()
    seen = []
    while writer.is_alive():
        seen.append(len(exporter.spans))
    writer.join()
    assert seen == sorted(seen)
    assert len(exporter) == 2000
