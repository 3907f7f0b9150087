"""The breakdown adds up, whatever is known, in whatever order it happened."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.integrations.voice import Breakdown, Mark

MILLI = 1_000_000
PARTS = ("stt_ms", "handover_ms", "model_ms", "tts_ms")


def at(**milliseconds: int) -> dict[Mark, int]:
    """Marks by name, in milliseconds."""
    return {Mark[name.upper()]: moment * MILLI for name, moment in milliseconds.items()}


def test_every_part_is_the_time_between_two_marks() -> None:
    marks = at(speech_end=1000, transcript=1180, agent_start=1200, first_token=1500, first_byte=1650, audible=1700)
    assert Breakdown.of(marks) == Breakdown(180.0, 20.0, 300.0, 150.0, 50.0, 650.0)


def test_a_part_with_an_unknown_end_is_left_out_and_nothing_is_made_up_for_it() -> None:
    breakdown = Breakdown.of(at(speech_end=1000, agent_start=1200, first_byte=1650))
    assert breakdown == Breakdown(response_latency_ms=650.0)
    assert breakdown.attributes == {"reamon.voice.response_latency_ms": 650.0}


def test_nothing_known_is_an_empty_breakdown() -> None:
    assert Breakdown.of({}).attributes == {}


def test_what_was_over_before_the_caller_stopped_costs_them_nothing() -> None:
    marks = at(transcript=900, agent_start=950, speech_end=1000, first_token=1200, first_byte=1300)
    assert Breakdown.of(marks) == Breakdown(0.0, 0.0, 200.0, 100.0, None, 300.0)


def test_a_filler_before_the_first_token_ends_the_wait() -> None:
    marks = at(speech_end=1000, transcript=1100, agent_start=1100, first_byte=1200, first_token=1900)
    assert Breakdown.of(marks) == Breakdown(100.0, 0.0, 100.0, 0.0, None, 200.0)


def test_where_only_the_playing_is_known_it_ends_the_wait() -> None:
    assert Breakdown.of(at(speech_end=1000, audible=1400)) == Breakdown(response_latency_ms=400.0)


@given(st.lists(st.integers(0, 5000), min_size=5, max_size=5))
def test_the_parts_add_up_to_the_response_latency(moments: list[int]) -> None:
    marks = dict(zip(list(Mark)[:5], [moment * MILLI for moment in moments], strict=True))
    breakdown = Breakdown.of(marks)
    parts = [getattr(breakdown, part) for part in PARTS]
    assert all(part >= 0 for part in parts)
    assert sum(parts) == pytest.approx(breakdown.response_latency_ms)
    expected = max(marks[Mark.FIRST_BYTE] - marks[Mark.SPEECH_END], 0) / MILLI
    assert breakdown.response_latency_ms == pytest.approx(expected)


def test_any_choice_of_marks_makes_a_breakdown_without_negative_parts() -> None:
    for size in range(len(Mark) + 1):
        for chosen in itertools.permutations(Mark, size):
            marks = {mark: place * MILLI for place, mark in enumerate(chosen, 1)}
            assert all(value >= 0 for value in Breakdown.of(marks).attributes.values())
