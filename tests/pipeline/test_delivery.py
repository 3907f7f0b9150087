"""Delivery: the bad span is found wherever it stands, and no good one is given up for it."""

from collections.abc import Callable, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import Rejected
from reamon.model import Span
from reamon.pipeline.delivery import Delivery, Outcome, RefusesEverything
from reamon.testing import make_span


class Picky:
    """A service that refuses whole batches on account of the spans that it does not like."""

    def __init__(self, bad: Iterable[str] = (), *, certain: bool = False) -> None:
        self.bad = set(bad)
        self.certain = certain
        self.refuses_everything = False
        self.accepted: list[str] = []
        self.calls = 0

    def export(self, spans: list[Span]) -> None:
        self.calls += 1
        if self.refuses_everything or any(span.name in self.bad for span in spans):
            raise Rejected("422 invalid", certain=self.certain)
        self.accepted += [span.name for span in spans]


def spans(count: int) -> list[Span]:
    return [make_span(str(number)) for number in range(count)]


def dead_names(outcome: Outcome) -> list[str]:
    return sorted(span.name for letter in outcome.dead for span in letter.spans)


def delivery(export: Callable[[list[Span]], None], *, size: int = 100, octets: int | None = None) -> Delivery:
    return Delivery(export, size, octets, shuffle=lambda halves: None)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr("reamon.pipeline.delivery.time.monotonic", lambda: now[0])
    return now


def test_what_is_accepted_is_gone() -> None:
    service = Picky()
    outcome = delivery(service.export).send(spans(5), is_all=True)
    assert (outcome.dead, outcome.rest, outcome.error) == ([], [], None)
    assert service.accepted == list("01234")


def test_a_batch_is_sent_in_pieces_of_the_size_that_the_exporter_takes() -> None:
    sizes: list[int] = []
    delivery(lambda piece: sizes.append(len(piece)), size=4).send(spans(10), is_all=True)
    assert sizes == [4, 4, 2]


def test_a_piece_holds_so_many_bytes_unless_one_span_alone_has_more() -> None:
    sizes: list[int] = []
    heavy = [make_span(input="x" * octets) for octets in (1000, 1000, 9000, 1000, 1000)]
    delivery(lambda piece: sizes.append(len(piece)), octets=5000).send(heavy, is_all=True)
    assert sizes == [2, 1, 2]


@pytest.mark.parametrize("certain", [True, False])
@pytest.mark.parametrize("position", range(9))
def test_a_bad_span_is_found_in_every_position(position: int, certain: bool) -> None:
    service = Picky([str(position)], certain=certain)
    outcome = delivery(service.export).send(spans(9), is_all=True)
    assert dead_names(outcome) == [str(position)]
    assert (outcome.rest, outcome.error) == ([], None)
    assert sorted(service.accepted) == sorted(set("012345678") - {str(position)})


def test_finding_one_bad_span_takes_few_requests() -> None:
    service = Picky(["57"])
    delivery(service.export).send(spans(100), is_all=True)
    assert service.calls <= 17  # one, twice the logarithm, and one more to be sure


@given(bad=st.sets(st.integers(0, 19)), size=st.integers(1, 20), certain=st.booleans())
def test_each_span_is_accepted_once_or_dead_or_still_there(bad: set[int], size: int, certain: bool) -> None:
    service = Picky(map(str, bad), certain=certain)
    outcome = delivery(service.export, size=size).send(spans(20), is_all=False)
    everybody = service.accepted + dead_names(outcome) + [span.name for span in outcome.rest]
    assert sorted(everybody, key=int) == [str(number) for number in range(20)]
    assert set(dead_names(outcome)) <= set(map(str, bad))
    assert bool(outcome.rest) == (outcome.error is not None)


def test_a_service_that_refuses_everything_costs_no_span_and_few_requests() -> None:
    service = Picky()
    service.refuses_everything = True
    batch = spans(100)
    outcome = delivery(service.export).send(batch, is_all=False)
    assert isinstance(outcome.error, RefusesEverything)
    assert (outcome.dead, outcome.rest) == ([], batch)
    assert service.calls < 30


def test_a_service_that_recovers_in_the_middle_of_the_search_costs_no_span() -> None:
    service = Picky()
    service.refuses_everything = True

    def export(piece: list[Span]) -> None:
        service.refuses_everything = service.calls < 5
        service.export(piece)

    outcome = delivery(export).send(spans(16), is_all=False)
    assert outcome.dead == []
    assert len(service.accepted) == 16


def test_what_is_refused_alone_with_nobody_beside_it_is_given_up_after_some_seconds(clock: list[float]) -> None:
    service = Picky(["0"])
    sender = delivery(service.export)
    lone = spans(1)
    for _ in range(3):
        outcome = sender.send(lone, is_all=True)
        assert outcome.rest == lone
    clock[0] += 2.5
    outcome = sender.send(lone, is_all=True)
    assert (dead_names(outcome), outcome.rest, outcome.error) == (["0"], [], None)


def test_it_is_not_while_others_wait_who_could_prove_it(clock: list[float]) -> None:
    service = Picky(["0"])
    sender = delivery(service.export)
    for _ in range(10):
        clock[0] += 10
        assert sender.send(spans(1), is_all=False).rest


def test_the_spans_that_the_destination_names_are_dead_and_the_rest_is_delivered() -> None:
    def export(piece: list[Span]) -> None:
        raise Rejected("older than 24 h", [piece[0].span_id, "not one of them"], counted_as="too_old")

    batch = spans(3)
    outcome = delivery(export).send(batch, is_all=True)
    (letter,) = outcome.dead
    assert (letter.spans, letter.reason, letter.counted_as) == (batch[:1], "older than 24 h", "too_old")
    assert (outcome.rest, outcome.error) == ([], None)


def test_what_was_accepted_before_a_failure_stays_accepted() -> None:
    def export(piece: list[Span]) -> None:
        if piece[0].name == "4":
            raise ConnectionError("gone")

    outcome = delivery(export, size=2).send(spans(8), is_all=True)
    assert [span.name for span in outcome.rest] == list("4567")
    assert isinstance(outcome.error, ConnectionError)


def test_bad_spans_do_not_hide_the_good_ones_for_ever() -> None:
    service = Picky(map(str, range(50)))
    sender = Delivery(service.export, 100, None)
    waiting = spans(100)
    for _ in range(200):
        outcome = sender.send(waiting, is_all=False)
        waiting = outcome.rest
        if not waiting:
            break
    assert waiting == []
    assert len(service.accepted) == 50
