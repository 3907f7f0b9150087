"""Headers: a trace goes on in another service, and an answer to a foreign caller is linked to it."""

import asyncio
import pickle
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.propagate import extract as otel_extract
from opentelemetry.trace import get_current_span
from requests.structures import CaseInsensitiveDict

import reamon
from reamon.guard import guard
from reamon.model import SpanLink
from reamon.model.dotted_order import ids_in
from reamon.testing import Captured, FakeClock, capture_spans
from reamon.testing.time import START_NS

W3C_TRACE = "0af7651916cd43dd8448eb211c80319c"
W3C_SPAN = "b7ad6b7169203331"
TRACEPARENT = f"00-{W3C_TRACE}-{W3C_SPAN}-01"
FOREIGN = {"traceparent": TRACEPARENT, "tracestate": "vendor=1"}
FOREIGN_LINK = SpanLink(W3C_TRACE, W3C_SPAN, "remote_parent")

RUN_ROOT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
RUN = "018bcfe5-6800-7800-8000-000000000001"
RUN_ORDER = f"20231114T221320000000Z{RUN_ROOT}.20231114T221320000500Z{RUN}"
LANGSMITH = {
    "langsmith-trace": RUN_ORDER,
    "baggage": "langsmith-metadata=%7B%22session_id%22%3A%20%22c-7%22%7D,langsmith-project=calls",
}
LANGSMITH_LINK = SpanLink(RUN_ROOT, RUN, "langsmith_parent", RUN_ORDER)


def sent() -> dict[str, str]:
    """The headers of a request that is made here."""
    headers: dict[str, str] = {}
    reamon.inject(headers)
    return headers


def served(headers: Any, name: str = "served") -> None:
    """Serve a request with one span."""
    with reamon.extract(headers), reamon.trace_step(name):
        pass


# -- out -------------------------------------------------------------------------------------------------------------


def test_where_nothing_runs_nothing_is_written(captured: Captured) -> None:
    assert sent() == {}


def test_inside_suppress_nothing_is_written(captured: Captured) -> None:
    with reamon.trace_workflow("turn"), reamon.suppress():
        assert sent() == {}


def test_opentelemetry_reads_our_ids(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn, reamon.trace_tool("crm") as crm:
        context = get_current_span(otel_extract(sent())).get_span_context()
    assert f"{context.trace_id:032x}" == turn.trace_id.replace("-", "")
    assert f"{context.span_id:016x}" == crm.span_id.replace("-", "")[16:]
    assert context.trace_flags.sampled


def test_langsmith_s_header_is_the_path_to_the_span(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn, reamon.trace_tool("crm") as crm:
        assert ids_in(sent()["langsmith-trace"]) == (turn.span_id, crm.span_id)


def test_what_others_wrote_stays_and_what_is_ours_is_replaced(captured: Captured) -> None:
    headers = {
        "Accept": "text/html",
        "TraceParent": TRACEPARENT,
        "Tracestate": "vendor=1,reamon=old",
        "BAGGAGE": "user=ada,langsmith-project=old",
        "Langsmith-Trace": RUN_ORDER,
    }
    with reamon.trace_workflow("turn", project="p"):
        reamon.inject(headers)
        written = sent()
    assert headers == {
        "Accept": "text/html",
        **written,
        "tracestate": f"{written['tracestate']},vendor=1",
        "baggage": "langsmith-project=p,user=ada",
    }


@pytest.mark.parametrize("kind", [httpx.Headers, CaseInsensitiveDict])
def test_the_headers_of_http_clients_are_written_too(captured: Captured, kind: Any) -> None:
    headers = kind({"Tracestate": "vendor=1"})
    with reamon.trace_workflow("turn", call_id="c-1") as turn:
        reamon.inject(headers)
    served(headers)
    assert captured.one("served").parent_id == turn.span_id
    assert len([key for key in headers if key.lower() == "tracestate"]) == 1


def test_headers_that_cannot_be_written_cost_the_caller_nothing(captured: Captured) -> None:
    unwritable: Any = object()
    with guard.relaxed(), reamon.trace_workflow("turn"):
        reamon.inject(unwritable)
    assert guard.errors == 1


# -- in, from ourselves ----------------------------------------------------------------------------------------------


def test_the_trace_goes_on_below_the_caller(captured: Captured) -> None:
    scope = reamon.trace_workflow("turn", call_id="c-1", project="p", tags=("a", "b"))
    with scope as turn, reamon.trace_agent("scheduler") as agent, reamon.trace_tool("crm") as crm:
        headers = sent()
    served(headers)
    span = captured.one("served")
    assert (span.trace_id, span.parent_id) == (turn.trace_id, crm.span_id)
    assert span.ancestors == (turn.span_id, agent.span_id, crm.span_id)
    assert (span.agent_id, span.call_id, span.project, span.tags) == (agent.span_id, "c-1", "p", ("a", "b"))
    assert span.links == ()


def test_a_span_of_a_third_service_has_its_whole_path(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        first = sent()
    with reamon.extract(first), reamon.trace_tool("second") as second:
        headers = sent()
    served(headers)
    assert captured.one("served").ancestors == (turn.span_id, second.span_id)


def test_a_caller_is_known_by_tracestate_alone(captured: Captured) -> None:
    with reamon.trace_workflow("turn", call_id="c-1"), reamon.trace_tool("crm") as crm:
        headers = {"tracestate": sent()["tracestate"]}
    served(headers)
    span = captured.one("served")
    assert (span.parent_id, span.ancestors, span.call_id) == (crm.span_id, (*crm.ancestors, crm.span_id), "c-1")


def test_a_path_too_deep_for_tracestate_comes_from_langsmith_s_header(captured: Captured) -> None:
    with ExitStack() as stack:
        path = tuple(stack.enter_context(reamon.trace_step(f"step {depth}")).span_id for depth in range(30))
        headers = sent()
    served(headers)
    served({"tracestate": headers["tracestate"]}, "served without it")
    shortened = captured.one("served without it")
    assert captured.one("served").ancestors == path
    assert (shortened.trace_id, shortened.parent_id) == (path[0], path[-1])
    assert set(shortened.ancestors) < set(path)


def test_langsmith_s_header_of_another_request_is_not_mixed_in(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        headers = {**sent(), "langsmith-trace": RUN_ORDER}
    served(headers)
    span = captured.one("served")
    assert (span.ancestors, span.links) == ((turn.span_id,), ())


def test_a_workflow_is_a_trace_of_its_own_linked_to_the_caller(captured: Captured) -> None:
    with reamon.trace_workflow("turn", call_id="c-1", project="p") as turn:
        headers = sent()
    with reamon.extract(headers), reamon.trace_workflow("job"):
        pass
    job = captured.one("job")
    assert job.is_root
    assert job.links == (SpanLink(turn.trace_id, turn.span_id, "parent_trace"),)
    assert (job.call_id, job.project) == ("c-1", "p")


def test_the_caller_is_recorded_once_and_where_it_ran(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        headers = sent()
    with reamon.extract(headers) as caller:
        caller.set_attribute("key", 1)
        caller.end()
    assert [span.name for span in captured.spans] == ["turn"]


def test_an_agent_of_a_remote_part_has_no_place_in_the_order(captured: Captured) -> None:
    with reamon.trace_workflow("turn"):
        headers = sent()
    with reamon.extract(headers), reamon.trace_agent("scheduler"):
        pass
    assert captured.one("scheduler").execution_order is None


# -- in, from langsmith's SDK ----------------------------------------------------------------------------------------


def test_every_span_below_a_run_is_linked_to_it(captured: Captured) -> None:
    with reamon.extract(LANGSMITH), reamon.trace_workflow("turn") as turn, reamon.trace_tool("crm") as crm:
        crm.set_attribute("key", 1)
    assert [span.links for span in captured.spans] == [(LANGSMITH_LINK,)] * 2
    assert [span.trace_id for span in captured.spans] == [turn.span_id] * 2
    assert captured.one("crm").attributes == {"key": 1}


def test_that_a_workflow_has_begun_says_so_too(captured: Captured) -> None:
    with reamon.extract(LANGSMITH | FOREIGN), reamon.trace_workflow("turn"):
        (started,) = captured.started_spans
    assert started.links == (LANGSMITH_LINK, FOREIGN_LINK)


def test_its_thread_and_project_are_taken_on(captured: Captured) -> None:
    served(LANGSMITH)
    span = captured.one("served")
    assert (span.call_id, span.project) == ("c-7", "calls")


def test_a_call_id_and_a_project_that_are_given_win(captured: Captured) -> None:
    with reamon.extract(LANGSMITH), reamon.trace_workflow("turn", call_id="c-1", project="p"):
        pass
    turn = captured.one("turn")
    assert (turn.call_id, turn.project) == ("c-1", "p")


def test_our_next_service_knows_the_run_as_well(captured: Captured) -> None:
    with reamon.extract(LANGSMITH), reamon.trace_workflow("turn") as turn:
        headers = sent()
    served(headers)
    span = captured.one("served")
    assert ids_in(headers["langsmith-trace"]) == (RUN_ROOT, RUN, turn.span_id)
    assert (span.trace_id, span.parent_id, span.ancestors) == (turn.span_id, turn.span_id, (turn.span_id,))
    assert span.links == (LANGSMITH_LINK,)


def test_another_process_of_a_pool_knows_it_as_well(captured: Captured) -> None:
    with reamon.extract(LANGSMITH), reamon.trace_workflow("turn"):
        pickled = pickle.dumps(reamon.propagate(served))
    pickle.loads(pickled)({})
    assert captured.one("served").links == (LANGSMITH_LINK,)


def test_a_workflow_within_is_linked_to_its_own_caller_only(captured: Captured) -> None:
    with reamon.extract(LANGSMITH), reamon.trace_workflow("turn") as turn, reamon.trace_workflow("job"):
        pass
    assert captured.one("job").links == (SpanLink(turn.trace_id, turn.span_id, "parent_trace"),)


def test_a_run_that_claims_to_begin_in_the_future_is_ignored() -> None:
    with capture_spans(clock=FakeClock()) as captured:
        stamp = f"{datetime.fromtimestamp(START_NS / 1e9 + 7_200, UTC):%Y%m%dT%H%M%S%fZ}"
        served({"langsmith-trace": f"{stamp}{RUN_ROOT}"})
        assert captured.one("served").links == ()


# -- in, from others -------------------------------------------------------------------------------------------------


def test_the_root_below_a_foreign_traceparent_is_linked_to_it(captured: Captured) -> None:
    with reamon.extract(FOREIGN), reamon.trace_agent("agent"), reamon.trace_tool("tool"):
        pass
    agent, tool = captured.one("agent"), captured.one("tool")
    assert agent.is_root
    assert (agent.links, tool.links) == ((FOREIGN_LINK,), ())


def test_a_span_without_a_block_takes_the_caller_as_its_parent(captured: Captured) -> None:
    with reamon.extract(FOREIGN) as caller:
        pass
    reamon.start_span("tool", "tool", parent=caller).end()
    assert captured.one("tool").links == (FOREIGN_LINK,)


def test_a_service_without_spans_of_its_own_passes_on_what_it_was_sent(captured: Captured) -> None:
    received = {**FOREIGN, **LANGSMITH, "accept": "text/html"}
    with reamon.extract(received):
        assert sent() == FOREIGN | LANGSMITH


def test_nothing_of_ours_runs_where_only_the_caller_does(captured: Captured) -> None:
    with reamon.extract(FOREIGN):
        reamon.current_span().set_attribute("key", 1)
        assert (reamon.current_trace_id(), reamon.current_span().is_recording) == ("", False)
    assert captured.spans == []


# -- in, in general --------------------------------------------------------------------------------------------------


def test_asgi_s_pairs_of_bytes_are_read_whatever_their_case(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        headers = [(key.title().encode(), value.encode()) for key, value in sent().items()]
    served([(b"host", b"localhost"), *headers])
    assert captured.one("served").parent_id == turn.span_id


def test_a_header_that_was_sent_in_pieces_is_put_together(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        tracestate = sent()["tracestate"]
    served([("tracestate", "vendor=1"), ("tracestate", tracestate)])
    assert captured.one("served").parent_id == turn.span_id


def test_what_was_current_is_so_again_afterwards(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        with pytest.raises(LookupError), reamon.extract(FOREIGN):
            raise LookupError
        assert reamon.current_span() is turn


def test_headers_that_say_nothing_leave_what_is_current(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn, reamon.extract({"accept": "text/html"}) as caller:
        assert caller is turn
        with reamon.trace_tool("crm"):
            pass
    assert captured.one("crm").parent_id == turn.span_id


def test_suppressed_code_stays_suppressed(captured: Captured) -> None:
    with reamon.suppress():
        served(FOREIGN)
        assert not reamon.enabled()
    assert captured.spans == []


def test_where_nothing_is_recorded_nothing_is_read() -> None:
    with reamon.extract(FOREIGN) as caller:
        assert caller.span_id == ""
        assert sent() == {}


async def test_coroutines_enter_it_as_they_enter_spans(captured: Captured) -> None:
    with reamon.trace_workflow("turn") as turn:
        headers = sent()

    async def serve(name: str) -> None:
        async with reamon.extract(headers), reamon.trace_step(name):
            await asyncio.sleep(0)

    await asyncio.gather(serve("one"), serve("other"))
    assert {captured.one(name).parent_id for name in ("one", "other")} == {turn.span_id}


@pytest.mark.parametrize("nonsense", [None, 7, "text", [None], [("one",)], {"traceparent": object()}])
def test_what_are_no_headers_costs_the_caller_nothing(captured: Captured, nonsense: Any) -> None:
    with guard.relaxed():
        served(nonsense)
    assert captured.one("served").is_root


names = st.sampled_from(["traceparent", "tracestate", "langsmith-trace", "baggage"])
pieces = st.sampled_from(
    [
        TRACEPARENT, RUN_ORDER, RUN, "reamon=", "1;AYvP5WgAeACAAAAAAAAAAQ;0;c-1", "langsmith-metadata=", "%7B%22", "-",
        "langsmith-tags=", "langsmith-project=", ";", ",", "=", ".", "%", " ", "\r\n", "\x00", "é", "00-", "Z",
    ]
)  # fmt: skip
values = st.lists(pieces | st.text(max_size=10), max_size=6).map("".join)


@given(st.lists(st.tuples(names, values | values.map(lambda text: text.encode("utf-8", "replace"))), max_size=6))
def test_no_headers_break_anything(headers: list[tuple[str, str | bytes]]) -> None:
    with capture_spans() as captured:
        with reamon.extract(headers), reamon.trace_step("served"):
            written = sent()
        span = captured.one("served")
        assert ids_in(written["langsmith-trace"])[-1] == span.span_id
        assert all(value.isprintable() and value.isascii() for value in written.values())
        served(written, "served next")
        assert captured.one("served next").parent_id == span.span_id
