"""Hypothesis strategies for spans."""

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from reamon.model import CostData, Decision, Payload, Span, SpanError, SpanEvent, SpanKind, SpanLink, SpanStatus, Usage

MICRO = 1000
"""Times are multiples of it, since that is what formats for people can say."""

_moments = st.integers(0, 4_000_000_000_000_000).map(lambda micros: micros * MICRO)
_durations = st.integers(0, 10_000_000_000).map(lambda micros: micros * MICRO)
_ids = st.uuids().map(str)
_texts = st.text(max_size=30)
_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=8,
)
_attributes = st.dictionaries(_texts, _values, max_size=3)
_payloads = st.none() | _values.map(Payload.of)
_money = st.decimals(0, 1000, places=12)
_counts = st.none() | st.integers(0, 10**9)
_usage = st.builds(
    Usage,
    provider=st.none() | _texts,
    model=st.none() | _texts,
    input_tokens=_counts,
    output_tokens=_counts,
    characters=_counts,
    minutes=st.none() | st.decimals(0, 1000, places=3),
)
_costs = st.builds(
    CostData,
    cost_type=_texts,
    amount=st.none() | _money,
    provider=st.none() | _texts,
    usage_units=st.none() | st.just(Decimal("12.5")),
    unit_cost=st.none() | _money,
)


def _few(items: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(items, max_size=2).map(tuple)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    """Any finished span, its times whole microseconds."""
    start_ns = draw(_moments)
    fields: dict[str, Any] = {
        "span_id": draw(_ids),
        "trace_id": draw(_ids),
        "parent_id": draw(st.none() | _ids),
        "ancestors": draw(_few(_ids)),
        "kind": draw(st.sampled_from(SpanKind)),
        "name": draw(_texts),
        "status": draw(st.sampled_from([status for status in SpanStatus if status is not SpanStatus.RUNNING])),
        "start_ns": start_ns,
        "end_ns": start_ns + draw(_durations),
        "tags": draw(_few(_texts)),
        "decision": draw(st.none() | st.builds(Decision, next_agent=st.none() | _texts, confidence=st.floats(0, 1))),
        "usage": draw(_few(_usage)),
        "costs": draw(_few(_costs)),
        "attributes": draw(_attributes),
        "events": draw(_few(st.builds(SpanEvent, _texts, _moments, _attributes))),
        "error": draw(st.none() | st.builds(SpanError, _texts, _texts, _texts)),
        "links": draw(_few(st.builds(SpanLink, _ids, _ids, _texts))),
        "execution_order": draw(st.none() | st.integers(1, 99)),
    }
    for name in ("process_id", "call_id", "project", "version", "agent_type", "agent_id", "outcome", "status_reason"):
        fields[name] = draw(st.none() | _texts)
    for name in ("metadata", "input", "output", "state_before", "state_after"):
        fields[name] = draw(_payloads)
    for name in ("queue_wait_ns", "first_token_ns"):
        fields[name] = draw(st.none() | _durations)
    return Span(**fields)
