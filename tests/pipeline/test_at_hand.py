"""What was just written is not read back."""

from reamon.pipeline._at_hand import AtHand
from reamon.testing import make_span

a, b, c = make_span("a"), make_span("b"), make_span("c")


def test_a_batch_is_at_hand_once() -> None:
    at_hand = AtHand(100)
    at_hand.keep("crm", 1, [a, b], 10)
    assert at_hand.take("crm", 1) == [a, b]
    assert at_hand.take("crm", 1) is None


def test_each_destination_has_its_own() -> None:
    at_hand = AtHand(100)
    at_hand.keep("crm", 1, [a], 10)
    at_hand.keep("langsmith", 2, [b], 10)
    assert at_hand.take("langsmith", 1) is None
    assert at_hand.take("langsmith", 2) == [b]
    assert at_hand.take("crm", 1) == [a]


def test_beyond_the_bound_the_oldest_are_kept() -> None:
    at_hand = AtHand(25)
    for batch_id, span in enumerate((a, b, c), start=1):
        at_hand.keep("crm", batch_id, [span], 10)
    assert [at_hand.take("crm", batch_id) for batch_id in (1, 2, 3)] == [[a], [b], None]


def test_what_was_taken_skipped_or_forgotten_makes_room() -> None:
    at_hand = AtHand(30)
    for batch_id in (1, 2, 3):
        at_hand.keep("crm", batch_id, [a], 10)
    at_hand.forget(3)
    assert at_hand.take("crm", 2) == [a]
    at_hand.keep("crm", 4, [b], 30)
    assert at_hand.take("crm", 4) == [b]


def test_of_what_was_cleared_nothing_is_left() -> None:
    at_hand = AtHand(10)
    at_hand.keep("crm", 1, [a], 10)
    at_hand.clear()
    assert at_hand.take("crm", 1) is None
    at_hand.keep("crm", 2, [b], 10)
    assert at_hand.take("crm", 2) == [b]
