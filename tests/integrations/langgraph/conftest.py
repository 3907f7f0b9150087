"""LangGraph instrumented, and what is recorded captured."""

from collections.abc import Iterator

import pytest

import reamon
from reamon.testing import Captured, capture_spans


@pytest.fixture
def captured() -> Iterator[Captured]:
    with reamon.instrument("langgraph"), capture_spans() as captured:
        yield captured
        assert reamon.current_span().span_id == "", "something stayed current"
