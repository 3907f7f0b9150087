"""Services that ask a model: logical calls, the requests that were made for them, and cache hits."""

from collections.abc import Callable, Iterator

import pytest

import reamon
from reamon.integrations.model_call import ModelAnswer, ModelCall, ModelRequest
from reamon.model import Span
from reamon.testing import Captured
from support.trees import tree

REQUEST = ModelRequest(operation="chat", provider="aviary", model="parrot", is_physical=True)
ANSWER = ModelAnswer(output="hello", usage={"input_tokens": 20, "output_tokens": 7})


def ask(*statuses: int) -> None:
    """Make a request for each status, as an instrumented client does; the last one is answered."""
    for status in statuses:
        outer = ModelCall.begin(REQUEST)
        assert outer is not None
        outer.requested(status)
        for around in outer.enclosing():
            around.requested(status)
        if status == 200:
            outer.answer(ANSWER)
        outer.end(None if status == 200 else ConnectionError(status))


class Service:
    """A service with a cache."""

    def __init__(self) -> None:
        self.cached = False

    async def generate(self, *statuses: int) -> str:
        if not self.cached:
            ask(*statuses)
        if statuses[-1] != 200:
            raise RuntimeError("the model did not answer")
        return "hello"

    def generate_now(self, work: Callable[[], None]) -> None:
        work()


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    with reamon.instrument(Service, methods={"generate": "llm", "generate_now": "llm"}):
        yield


def logical(captured: Captured) -> list[Span]:
    """The service's own calls."""
    found = [span for span in captured.spans if span.attributes.get("reamon.call") == "logical"]
    return sorted(found, key=lambda span: span.start_ns)


async def test_a_call_tells_how_many_requests_were_made_for_it(captured: Captured) -> None:
    await Service().generate(500, 500, 200)
    assert tree(captured.spans) == "llm generate\n  llm chat [error]\n  llm chat [error]\n  llm chat"
    (call,) = logical(captured)
    assert call.attributes["reamon.requests"] == 3
    assert [event.name for event in call.events] == ["retry", "retry"]


async def test_what_was_consumed_is_billed_once_where_it_was_consumed(captured: Captured) -> None:
    await Service().generate(200)
    assert [span.name for span in captured.spans if span.usage] == ["chat"]


async def test_a_call_that_makes_no_request_where_others_did_is_a_cache_hit(captured: Captured) -> None:
    service = Service()
    await service.generate(200)
    service.cached = True
    await service.generate(200)
    assert [call.attributes.get("reamon.cache_hit") for call in logical(captured)] == [None, True]


def test_a_service_whose_requests_nobody_sees_has_no_cache_hits(captured: Captured) -> None:
    Service().generate_now(lambda: None)
    (call,) = logical(captured)
    assert call.attributes == {"reamon.call": "logical"}


async def test_a_call_that_fails_says_so_and_its_requests_are_counted(captured: Captured) -> None:
    with pytest.raises(RuntimeError):
        await Service().generate(500, 500)
    (call,) = logical(captured)
    assert (call.status, call.attributes["reamon.requests"]) == ("error", 2)


def test_a_call_inside_of_a_call_belongs_to_the_inner_one(captured: Captured) -> None:
    service = Service()
    service.generate_now(lambda: service.generate_now(lambda: ask(200)))
    assert tree(captured.spans) == "llm generate_now\n  llm generate_now\n    llm chat"
