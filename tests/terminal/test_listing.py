"""The listing's short ids."""

from hypothesis import given
from hypothesis import strategies as st

from reamon.terminal.listing import short_length


@given(st.lists(st.uuids().map(str), min_size=1, max_size=20))
def test_short_ids_tell_all_traces_apart(ids: list[str]) -> None:
    length = short_length(ids)
    assert length >= 8
    assert len({trace_id[-length:] for trace_id in ids}) == len(set(ids))


def test_ids_that_end_alike_are_shown_longer() -> None:
    assert short_length(["1-00000000", "2-00000000"]) == 10


def test_a_listed_id_that_comes_twice_does_not_count_as_two() -> None:
    assert short_length(["same-00000000", "same-00000000"]) == 8
