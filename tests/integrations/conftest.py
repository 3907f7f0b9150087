"""Tests of integrations record into memory."""

from collections.abc import Iterator

import pytest

from reamon.testing import Captured, capture_spans


@pytest.fixture
def captured() -> Iterator[Captured]:
    """What the test records."""
    with capture_spans() as spans:
        yield spans
