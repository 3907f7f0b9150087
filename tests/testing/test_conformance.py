"""The conformance kit finds what breaks the contract, and says which rule."""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from reamon.errors import ReamonError
from reamon.model import Span, SpanKind
from reamon.testing import ConformanceError, check_exporter


class Good:
    """An exporter that keeps every rule; tests break one at a time."""

    name = "good"

    def export(self, batch: Sequence[Span]) -> None:
        pass


def check_with(**changes: Any) -> None:
    check_exporter(type("Changed", (Good,), changes))


def broken_rule(**changes: Any) -> str:
    with pytest.raises(ConformanceError) as found:
        check_with(**changes)
    return found.value.rule


def refuse(*_: object) -> None:
    raise RuntimeError("not today")


def test_the_smallest_exporter_passes() -> None:
    check_exporter(Good)


def test_an_exporter_with_everything_passes() -> None:
    calls: list[str] = []

    class Complete(Good):
        local = True
        destination = "complete:here"

        def open(self) -> None:
            calls.append("open")

        def started(self, batch: Sequence[Span]) -> None:
            calls.append("started")

        def flush(self, timeout: float) -> None:
            calls.append("flush")

        def shutdown(self, timeout: float) -> None:
            calls.append("shutdown")

        def after_fork(self) -> None:
            calls.append("after_fork")

    check_exporter(Complete)
    assert calls == ["open", "started", "flush", "shutdown", "shutdown", "open", "after_fork", "shutdown"]


def test_an_async_exporter_runs_on_one_loop_in_one_thread_that_is_not_ours() -> None:
    places = set()

    async def export(self: Good, batch: Sequence[Span]) -> None:
        places.add((id(self), asyncio.get_running_loop(), threading.get_ident()))

    check_with(export=export)
    assert len(places) == len({place for place, _, _ in places}) == 2
    assert threading.get_ident() not in {thread for _, _, thread in places}


@pytest.mark.parametrize("name", [None, "", " ", 7])
def test_a_name_is_a_text(name: object) -> None:
    assert broken_rule(name=name) == "has a name"


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"export": None}, "has a method export(batch)"),
        ({"export": lambda self: None}, "takes export(batch)"),
        ({"local": "yes"}, "says with a bool whether it is local"),
        ({"destination": ""}, "names its destination with a text"),
        ({"flush": lambda self: None}, "takes flush(timeout)"),
        ({"shutdown": lambda self: None}, "takes shutdown(timeout)"),
        ({"after_fork": lambda self, pid: None}, "takes after_fork()"),
    ],
)
def test_a_wrong_shape_is_found(changes: dict[str, Any], rule: str) -> None:
    assert broken_rule(**changes) == rule


@pytest.mark.parametrize(
    ("method", "rule"),
    [
        ("__init__", "can be made by the factory"),
        ("open", "can be opened"),
        ("started", "accepts the start of a workflow"),
        ("export", "accepts a batch of one span"),
        ("flush", "flushes within the timeout"),
        ("shutdown", "shuts down without raising"),
        ("after_fork", "can be told that it is in a forked child"),
    ],
)
def test_a_method_that_raises_is_found_with_its_reason(method: str, rule: str) -> None:
    with pytest.raises(ConformanceError, match="RuntimeError: not today") as found:
        check_with(**{method: refuse})
    assert found.value.rule == rule
    assert isinstance(found.value.__cause__, RuntimeError)


def test_an_exporter_that_knows_one_kind_only_is_found_by_the_span_that_it_refuses() -> None:
    def export(self: Good, batch: Sequence[Span]) -> None:
        if any(span.kind is SpanKind.STT for span in batch):
            raise ValueError("no speech")

    assert broken_rule(export=export) == "accepts a stt span named 'stt'"


def test_an_exporter_that_refuses_what_it_has_got_before_is_found() -> None:
    def export(self: Any, batch: Sequence[Span]) -> None:
        seen = self.__dict__.setdefault("seen", set())
        if seen & {span.span_id for span in batch}:
            raise ValueError("duplicate key")
        seen.update(span.span_id for span in batch)

    assert broken_rule(export=export) == "accepts spans that it has got before"


def test_an_exporter_that_hangs_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reamon.testing.conformance._PATIENCE", 0.05)
    done = threading.Event()
    assert broken_rule(export=lambda self, batch: done.wait()) == "accepts a batch of one span"
    done.set()


def test_an_exporter_that_empties_its_batch_is_found() -> None:
    assert broken_rule(export=lambda self, batch: batch.clear()) == "leaves the batch as it is"


def test_a_second_shutdown_that_raises_is_found() -> None:
    def shutdown(self: Any, timeout: float) -> None:
        del self.__dict__["handle"]

    def export(self: Any, batch: Sequence[Span]) -> None:
        self.handle = 1

    with pytest.raises(ConformanceError, match="KeyError"):
        check_with(shutdown=shutdown, export=export)
    assert broken_rule(shutdown=shutdown, export=export) == "can be shut down twice"


class Place:
    """A destination that may lose and repeat."""

    def __init__(self, *, lose: str | None = None, add: Sequence[str] = ()) -> None:
        self.lose = lose
        self.arrived = list(add)

    def exporter(self) -> Good:
        place = self

        class ToPlace(Good):
            def export(self, batch: Sequence[Span]) -> None:
                place.arrived += [span.span_id for span in batch if span.name != place.lose]

        return ToPlace()


def test_what_has_arrived_may_be_there_more_than_once() -> None:
    place = Place()
    check_exporter(place.exporter, read_back=lambda: place.arrived)


def test_repetition_is_found_where_a_span_is_to_be_there_once() -> None:
    place = Place()
    with pytest.raises(ConformanceError, match="delivers a span once"):
        check_exporter(place.exporter, read_back=lambda: place.arrived, exactly_once=True)


def test_a_lost_span_is_found_by_name() -> None:
    place = Place(lose="after a restart")
    with pytest.raises(ConformanceError, match="delivers every span: 1 are missing, such as 'after a restart'"):
        check_exporter(place.exporter, read_back=lambda: place.arrived)


def test_a_strange_span_is_found() -> None:
    place = Place(add=["from elsewhere"])
    with pytest.raises(ConformanceError, match=r"delivers nothing else: .*'from elsewhere'"):
        check_exporter(place.exporter, read_back=lambda: place.arrived)


def test_a_conformance_error_fails_a_test_and_is_one_of_ours() -> None:
    assert issubclass(ConformanceError, AssertionError)
    assert issubclass(ConformanceError, ReamonError)
