"""Tests of voice record into memory, by a clock that moves when it is told to."""

from collections.abc import Iterator

import pytest

from reamon.testing import Captured, FakeClock, capture_spans


@pytest.fixture
def clock() -> FakeClock:
    """The time."""
    return FakeClock()


@pytest.fixture
def captured(clock: FakeClock) -> Iterator[Captured]:
    """What the test records."""
    with capture_spans(clock=clock) as spans:
        yield spans
