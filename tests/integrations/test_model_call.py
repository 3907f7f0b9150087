"""The model call: what the spans of calls inside of one another say, and what ends where."""

import asyncio
import contextvars
from collections.abc import Iterator

import pytest

import reamon
from reamon.integrations.boundary import Boundary
from reamon.integrations.model_call import ModelAnswer, ModelCall, ModelRequest, current_model_call
from reamon.testing import Captured, capture_spans
from reamon.tracing import ActiveSpan
from support.model_calls import model_calls, the_call, tree, usage

ASKED = ModelRequest(operation="chat", provider="ollama", model="llama")
USAGE = {"input_tokens": 20, "output_tokens": 7}


@pytest.fixture
def captured() -> Iterator[Captured]:
    with capture_spans() as captured:
        yield captured


def begun(request: ModelRequest = ASKED) -> ModelCall:
    """A call that is recorded."""
    call = ModelCall.begin(request)
    assert call is not None
    return call


def test_the_innermost_call_is_billed_and_those_around_it_show_the_tokens(captured: Captured) -> None:
    outer = begun()
    with outer.inside():
        inner = begun()
        with inner.inside():
            assert current_model_call() is inner
        inner.first_token()
        inner.answer(ModelAnswer(usage=USAGE))
        inner.end()
    outer.answer(ModelAnswer(usage=USAGE))
    outer.end()
    around, below = model_calls(captured)
    assert tree([around, below]) == [(0, "llm", "chat", "logical"), (1, "llm", "chat", "logical")]
    assert (around.usage, usage(below)["input_tokens"]) == ((), 20)
    assert around.attributes["gen_ai.usage.input_tokens"] == 20
    assert around.first_token_ns is not None


def test_a_retry_says_what_it_follows(captured: Captured) -> None:
    call = begun()
    call.requested(503)
    call.requested(error=ConnectionError())
    call.requested(200)
    call.end()
    first, second = the_call(captured).events
    assert first.attributes == {"attempt": 2, "after": 503}
    assert second.attributes == {"attempt": 3, "status": 200, "after": "ConnectionError"}
    assert the_call(captured).attributes["reamon.retries"] == 2


@pytest.mark.parametrize("error", [None, ConnectionError("lost")])
def test_the_boundary_is_the_one_in_which_the_call_began(captured: Captured, error: Exception | None) -> None:
    with reamon.trace_agent("agent") as span:
        assert isinstance(span, ActiveSpan)
        with Boundary(span) as boundary:
            call = begun()
        call.answer(ModelAnswer(usage=USAGE))
        contextvars.Context().run(call.end, error)  # in another task, or in the garbage collector
        assert boundary.swallowed is error
        assert boundary.is_billed


def test_an_abandoned_call_is_no_failure(captured: Captured) -> None:
    begun().end(GeneratorExit())
    assert the_call(captured).status == "ok"


def test_a_cached_answer_is_marked_and_not_billed(captured: Captured) -> None:
    call = begun()
    call.answer(ModelAnswer(usage=USAGE, is_cached=True))
    call.end()
    assert the_call(captured).usage == ()
    assert the_call(captured).attributes["reamon.cache_hit"] is True


def test_what_an_answer_does_not_say_is_not_recorded(captured: Captured) -> None:
    call = begun()
    call.answer(ModelAnswer(output="hello"))
    call.end()
    assert the_call(captured).usage == ()
    assert not [name for name in the_call(captured).attributes if "usage" in name or "tokens" in name]


def test_nothing_is_begun_where_nothing_is_recorded() -> None:
    assert ModelCall.begin(ASKED) is None


async def test_an_event_loop_is_not_held_up_by_waiting_for_the_disk() -> None:
    with capture_spans(durability="span") as captured:
        call = begun()
        ticked = asyncio.get_running_loop().time()
        call.end()
        assert asyncio.get_running_loop().time() - ticked < 1
        assert the_call(captured).status == "ok"
