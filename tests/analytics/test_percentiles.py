"""Percentiles by nearest rank, held against their definition."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.analytics import percentile

values = st.lists(st.integers(-1000, 1000), min_size=1, max_size=200).map(sorted)
percents = st.integers(1, 100)


@given(values, percents)
def test_at_least_so_many_percent_do_not_exceed_it_and_no_smaller_value_will_do(
    ordered: list[int], percent: int
) -> None:
    found = percentile(ordered, percent)
    assert found in ordered
    assert 100 * sum(value <= found for value in ordered) >= percent * len(ordered)
    assert 100 * sum(value < found for value in ordered) < percent * len(ordered)


@given(values, percents, percents)
def test_a_higher_percentile_is_never_smaller(ordered: list[int], one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert percentile(ordered, low) <= percentile(ordered, high)


@given(values)
def test_the_hundredth_is_the_largest(ordered: list[int]) -> None:
    assert percentile(ordered, 100) == ordered[-1]


def test_no_values_have_no_percentile() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


@pytest.mark.parametrize("percent", [0, -1, 101])
def test_a_percentile_lies_between_1_and_100(percent: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 100"):
        percentile([1], percent)
