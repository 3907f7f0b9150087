"""Tests of integrations record into memory."""

from collections.abc import Iterator

import pytest

from reamon.integrations import uninstrument
from reamon.testing import Captured, capture_spans


@pytest.fixture
def captured() -> Iterator[Captured]:
    """What the test records."""
    with capture_spans() as spans:
        yield spans


@pytest.fixture(autouse=True)
def nothing_instrumented_left() -> Iterator[None]:
    """Undo what a test that failed has left instrumented."""
    yield
    uninstrument()
