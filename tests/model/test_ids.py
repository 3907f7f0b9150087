"""Ids: UUIDv7 that carry their span's start."""

import uuid

from hypothesis import given
from hypothesis import strategies as st

from reamon.model.ids import row_id, row_id_at, start_of, uuid7

QUARTER_MICRO = 245
starts = st.integers(0, 4_000_000_000_000_000_000)
randoms = st.integers(0, 2**62 - 1)
since_2020 = st.integers(1_577_836_800_000_000_000, 3_700_000_000_000_000_000)


@given(starts, randoms)
def test_an_id_is_a_canonical_uuid_of_version_7(start_ns: int, random_62: int) -> None:
    text = uuid7(start_ns, random_62)
    parsed = uuid.UUID(text)
    assert str(parsed) == text
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


@given(starts, randoms)
def test_an_id_gives_its_start_back_to_a_quarter_of_a_microsecond(start_ns: int, random_62: int) -> None:
    assert 0 <= start_ns - start_of(uuid7(start_ns, random_62)) < QUARTER_MICRO


@given(starts, starts, randoms, randoms)
def test_ids_sort_as_their_starts_do(one: int, other: int, first: int, second: int) -> None:
    if one + QUARTER_MICRO < other:
        assert uuid7(one, first) < uuid7(other, second)


@given(starts, randoms, randoms)
def test_different_bits_make_different_ids(start_ns: int, first: int, second: int) -> None:
    assert (uuid7(start_ns, first) == uuid7(start_ns, second)) == (first == second)


@given(since_2020, since_2020, randoms)
def test_row_ids_fit_a_signed_64_bit_column_and_grow_with_time(one: int, other: int, random_62: int) -> None:
    first, second = row_id(uuid7(one, random_62)), row_id(uuid7(other, random_62))
    assert 0 <= first < 2**63
    if one + QUARTER_MICRO < other:
        assert first < second


@given(since_2020, randoms)
def test_a_row_id_is_the_same_whether_the_start_is_at_hand_or_read_off_the_id(start_ns: int, random_62: int) -> None:
    span_id = uuid7(start_ns, random_62)
    assert row_id_at(start_ns, span_id) == row_id(span_id)


@given(st.integers(-(10**20), 10**40), randoms)
def test_the_row_id_is_the_same_whether_read_off_the_id_or_made_from_the_start(start_ns: int, random_62: int) -> None:
    span_id = uuid7(start_ns, random_62)
    assert row_id_at(start_ns, span_id) == row_id(span_id)


def test_row_ids_of_one_moment_differ_by_their_randomness() -> None:
    moment = 1_700_000_000_000_000_000
    assert len({row_id(uuid7(moment, bits)) for bits in range(1024)}) == 1024


@given(st.integers(-(10**20), 10**40))
def test_a_senseless_time_still_gives_an_id(start_ns: int) -> None:
    assert uuid.UUID(uuid7(start_ns, 1)).version == 7
