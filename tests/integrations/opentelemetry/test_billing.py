"""One call is billed once, however many see it: ours around theirs, theirs around ours, theirs around theirs."""

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import Tracer

import reamon
from reamon.integrations.boundary import Boundary
from reamon.integrations.model_call import ModelAnswer, ModelCall, ModelRequest, swap_model_call
from reamon.model import Span
from reamon.testing import Captured
from reamon.tracing import ActiveSpan

LLM = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o"}
USAGE = {"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20}
REQUEST = ModelRequest(operation="chat", provider="openai", model="gpt-4o", name="ours")


def our_call() -> ModelCall:
    call = ModelCall.begin(REQUEST)
    assert call is not None
    return call


def answer(response_id: str | None = None) -> ModelAnswer:
    return ModelAnswer(usage={"input_tokens": 100, "output_tokens": 20}, response_id=response_id)


def billed(captured: Captured) -> list[str]:
    return [span.name for span in captured.spans if span.usage]


def of_name(captured: Captured, name: str) -> Span:
    return next(span for span in captured.spans if span.name == name)


def test_theirs_inside_of_ours(captured: Captured, tracer: Tracer) -> None:
    call = our_call()
    with call.inside(), tracer.start_as_current_span("theirs", attributes={**LLM, **USAGE}):
        pass
    call.answer(answer())
    call.end()
    assert billed(captured) == ["theirs"]
    assert of_name(captured, "theirs").parent_id == of_name(captured, "ours").span_id
    assert of_name(captured, "ours").attributes["gen_ai.usage.input_tokens"] == 100


def test_theirs_inside_of_ours_says_no_usage(captured: Captured, tracer: Tracer) -> None:
    call = our_call()
    with call.inside(), tracer.start_as_current_span("theirs", attributes=LLM):
        pass
    call.answer(answer())
    call.end()
    assert billed(captured) == ["ours"]


def test_ours_inside_of_theirs(captured: Captured, tracer: Tracer) -> None:
    with tracer.start_as_current_span("theirs", attributes={**LLM, **USAGE}):
        call = our_call()
        with call.inside():
            pass
        call.answer(answer())
        call.end()
    assert billed(captured) == ["ours"]
    assert of_name(captured, "ours").parent_id == of_name(captured, "theirs").span_id


def test_theirs_inside_of_theirs(captured: Captured, tracer: Tracer) -> None:
    both = {**LLM, **USAGE}
    with tracer.start_as_current_span("outer", attributes=both), tracer.start_as_current_span("inner", attributes=both):
        pass
    assert billed(captured) == ["inner"]


def test_three_deep_with_a_step_between(captured: Captured, tracer: Tracer) -> None:
    with tracer.start_as_current_span("outer", attributes={**LLM, **USAGE}), tracer.start_as_current_span("POST"):
        call = our_call()
        with call.inside(), tracer.start_as_current_span("inner", attributes={**LLM, **USAGE}):
            pass
        call.answer(answer())
        call.end()
    assert billed(captured) == ["inner"]


def test_one_after_the_other_are_two(captured: Captured, tracer: Tracer) -> None:
    for name in ("one", "two"):
        with tracer.start_as_current_span(name, attributes={**LLM, **USAGE, "gen_ai.response.id": "always the same"}):
            pass
    assert billed(captured) == ["one", "two"]


def test_inside_of_a_call_made_by_hand_it_is_that_which_says_what_was_consumed(
    captured: Captured, tracer: Tracer
) -> None:
    with reamon.trace_llm("by hand"):
        with tracer.start_as_current_span("theirs", attributes={**LLM, **USAGE}):
            pass
        reamon.current_span().record_usage(provider="openai", model="gpt-4o", input_tokens=100, output_tokens=20)
    assert billed(captured) == ["by hand"]
    theirs = of_name(captured, "theirs")
    assert (theirs.attributes["gen_ai.usage.input_tokens"], theirs.attributes["reamon.not_billed"]) == (100, True)


def test_theirs_that_is_never_active_is_known_by_its_answer(captured: Captured, tracer: Tracer) -> None:
    with reamon.trace_agent("agent"):
        theirs = tracer.start_span("theirs", attributes={**LLM, **USAGE, "gen_ai.response.id": "chatcmpl-1"})
        call = our_call()
        with call.inside():
            pass
        call.answer(answer("chatcmpl-1"))
        call.end()
        theirs.end()
        other = tracer.start_span("other", attributes={**LLM, **USAGE, "gen_ai.response.id": "chatcmpl-2"})
        other.end()
    assert billed(captured) == ["ours", "other"]


def test_a_call_within_a_stream_of_theirs_that_is_not_active_is_not_a_part_of_it(
    captured: Captured, tracer: Tracer
) -> None:
    stream = tracer.start_span("stream", attributes={**LLM, **USAGE, "gen_ai.response.id": "chatcmpl-1"})
    call = our_call()
    call.answer(answer("chatcmpl-2"))
    call.end()
    stream.end()
    assert set(billed(captured)) == {"ours", "stream"}


def test_spans_below_a_call_that_is_not_current_are_a_part_of_it(captured: Captured, tracer: Tracer) -> None:
    call = our_call()
    before = swap_model_call(call)
    with tracer.start_as_current_span("POST"):
        pass
    swap_model_call(before)
    call.end()
    assert of_name(captured, "POST").parent_id == of_name(captured, "ours").span_id


@pytest.mark.parametrize("status", [trace.StatusCode.ERROR, trace.StatusCode.OK])
def test_a_boundary_learns_what_was_swallowed(captured: Captured, tracer: Tracer, status: Any) -> None:
    with reamon.trace_agent("agent") as span:
        assert isinstance(span, ActiveSpan)
        with (
            Boundary(span) as boundary,
            tracer.start_as_current_span("theirs", attributes={**LLM, "error.type": "Timeout"}) as theirs,
        ):
            theirs.set_status(status)
    swallowed = boundary.swallowed
    assert (swallowed is not None) == (status is trace.StatusCode.ERROR)
    assert swallowed is None or str(swallowed) == "Timeout"
