"""W3C Trace Context: what stands in `traceparent` and in our member of `tracestate`."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace.propagation import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from reamon.model.ids import uuid7
from reamon.tracing._w3c import Member, read_traceparent, read_tracestate, traceparent, tracestate

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
ROOT = "018bcfe5-6800-7800-8000-000000000001"
CHILD = "018bcfe5-6800-7800-8000-000000000002"

ids = st.builds(uuid7, st.integers(0, 4_000_000_000_000_000_000), st.integers(0, 2**62 - 1))
lineages = st.lists(ids, min_size=1, max_size=40, unique=True).map(tuple)
call_ids = st.none() | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=80)


@st.composite
def members(draw: st.DrawFn) -> Member:
    lineage = draw(lineages)
    return Member(lineage, draw(st.none() | st.sampled_from(lineage)), draw(call_ids))


# -- traceparent -----------------------------------------------------------------------------------------------------


def test_the_trace_is_there_whole_and_of_the_span_the_lower_half() -> None:
    assert traceparent(ROOT, CHILD) == "00-018bcfe5680078008000000000000001-8000000000000002-01"


@given(ids, ids)
def test_what_we_write_we_read(trace_id: str, span_id: str) -> None:
    trace, span = read_traceparent(traceparent(trace_id, span_id)) or ("", "")
    assert (trace, span) == (trace_id.replace("-", ""), span_id.replace("-", "")[16:])


def test_what_a_later_version_adds_is_skipped() -> None:
    assert read_traceparent(f"01-{TRACE}-{SPAN}-01-more") == (TRACE, SPAN)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-01,00-{TRACE}-{SPAN}-01",
    ],
)
def test_what_is_no_traceparent_says_nothing(text: str) -> None:
    assert read_traceparent(text) is None


# -- tracestate ------------------------------------------------------------------------------------------------------


@given(members())
def test_a_member_that_fits_is_read_as_it_was(member: Member) -> None:
    read = read_tracestate(tracestate(member))
    assert read is not None
    assert (read.lineage[0], read.lineage[-1]) == (member.lineage[0], member.lineage[-1])
    assert read.agent_id == member.agent_id
    assert read.call_id in {member.call_id, None}
    if len(member.lineage) <= 5:
        assert read.lineage == member.lineage
    else:
        assert [span_id for span_id in member.lineage if span_id in read.lineage] == list(read.lineage)


@given(members())
def test_a_member_keeps_to_the_standard(member: Member) -> None:
    text = tracestate(member)
    assert re.fullmatch(r"reamon=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]?", text)


@given(members())
def test_opentelemetry_carries_it_along(member: Member) -> None:
    headers = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": tracestate(member, "other=1")}
    span = get_current_span(TraceContextTextMapPropagator().extract(headers))
    state = span.get_span_context().trace_state
    assert list(state) == ["reamon", "other"]
    assert read_tracestate(state.to_header()) == read_tracestate(headers["tracestate"])


def test_a_call_id_of_any_characters_is_carried() -> None:
    member = Member((ROOT,), None, "anruf=7; für, Ada")
    assert read_tracestate(tracestate(member)) == member


def test_a_call_id_that_is_too_long_is_left_out_whole() -> None:
    assert read_tracestate(tracestate(Member((ROOT,), None, "x" * 129))) == Member((ROOT,))


def test_a_deep_lineage_loses_what_lies_between_the_root_and_the_nearest() -> None:
    lineage = tuple(uuid7(1_700_000_000_000_000_000, number) for number in range(30))
    read = read_tracestate(tracestate(Member(lineage, lineage[3])))
    assert read == Member((lineage[0], lineage[3], *lineage[-9:]), lineage[3])


def test_an_agent_that_is_not_in_the_lineage_is_left_out() -> None:
    assert read_tracestate(tracestate(Member((ROOT,), CHILD))) == Member((ROOT,))


def test_members_of_others_follow_in_their_order_and_an_old_one_of_ours_goes() -> None:
    assert tracestate(Member((ROOT,)), "a=1,reamon=old, b=2,,").split(",")[1:] == ["a=1", "b=2"]


def test_members_that_there_is_no_room_for_are_left_out_from_the_end() -> None:
    state = tracestate(Member((ROOT,)), f"a={'1' * 200},b={'2' * 200},c={'3' * 200}")
    assert [item[:2] for item in state.split(",")] == ["re", "a=", "b="]
    assert len(state) <= 512


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1;",
        "1;;;",
        "2;AYvP5WgAeACAAAAAAAAAAQ;;",
        "1;AYvP5WgAeACAAAAAAAAAA;;",
        "1;AYvP5WgASACAAAAAAAAAAQ;;",  # a UUID, but not one that carries its start
        "1;AYvP5WgAeACAAAAAAAAAAQ;x;",
        "1;AYvP5WgAeACAAAAAAAAAAQ;;=",
    ],
)
def test_what_is_no_member_of_ours_says_nothing(value: str) -> None:
    assert read_tracestate(f"reamon={value}") is None


def test_an_agent_beyond_the_root_is_not_believed() -> None:
    assert read_tracestate("reamon=1;AYvP5WgAeACAAAAAAAAAAQ;7;") == Member((ROOT,))
