"""Services that ask a model: logical calls, the requests that were made for them, and cache hits."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

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
        call = ModelCall.begin(REQUEST)
        assert call is not None
        call.requested(status)
        next(call.enclosing()).requested(status)
        if status == 200:
            call.answer(ANSWER)
        call.end(None if status == 200 else ConnectionError(status))


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

    async def generate_or_apologise(self, *statuses: int) -> str:
        try:
            return await self.generate(*statuses)
        except RuntimeError:
            return "I see."

    async def give_up(self, begun: list[ModelCall]) -> str:
        call = ModelCall.begin(REQUEST)
        assert call is not None
        begun.append(call)
        return "I see."

    def generate_now(self, work: Callable[[], None]) -> None:
        work()


@pytest.fixture(autouse=True)
def instrumented() -> Iterator[None]:
    asking = ("generate", "generate_or_apologise", "give_up", "generate_now")
    with reamon.instrument(Service, methods=dict.fromkeys(asking, "llm")):
        yield


class Agent:
    """An agent that has nothing to do with the model's troubles."""

    agent_type = "conversation"

    async def process(self, work: Awaitable[str]) -> str:
        return await work


def logical(captured: Captured) -> list[Span]:
    """The service's own calls."""
    found = [span for span in captured.spans if span.attributes.get("reamon.call") == "logical"]
    return sorted(found, key=lambda span: span.start_ns)


async def test_a_call_tells_how_many_requests_were_made_for_it(captured: Captured) -> None:
    await Service().generate(500, 500, 200)
    assert tree(captured.spans) == "llm generate\n  llm chat [error]\n  llm chat [error]\n  llm chat"
    (call,) = logical(captured)
    assert call.attributes["reamon.requests"] == 3
    assert call.attributes["reamon.retries"] == 2
    assert [event.name for event in call.events] == ["retry", "retry"]


async def test_a_second_request_that_follows_no_failure_is_no_retry(captured: Captured) -> None:
    await Service().generate(200, 200)
    (call,) = logical(captured)
    assert (call.attributes["reamon.requests"], call.events) == (2, ())
    assert "reamon.retries" not in call.attributes


def test_what_a_client_is_asked_again_after_a_failure_is_a_retry(captured: Captured) -> None:
    def work() -> None:
        for status in (500, 200):
            client = ModelCall.begin(ModelRequest(operation="chat", provider="aviary", model="parrot"))
            assert client is not None
            client.requested(500)
            client.requested(status)
            client.end(None if status == 200 else ConnectionError("refused"))

    Service().generate_now(work)
    call = next(span for span in captured.spans if span.name == "generate_now")
    assert (call.attributes["reamon.requests"], call.attributes["reamon.retries"]) == (4, 3)
    assert [event.attributes for event in call.events] == [{"attempt": 3, "after": "ConnectionError"}]


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
    assert [call.attributes["reamon.requests"] for call in logical(captured)] == [1, 1]


async def test_an_answer_in_spite_of_a_last_request_that_failed_is_degraded_and_so_are_agent_and_turn(
    captured: Captured,
) -> None:
    with reamon.instrument(Agent):
        await Agent().process(Service().generate_or_apologise(500, 503))
    call, agent = captured.named("generate_or_apologise")[0], captured.named("conversation")[0]
    assert [(span.status, span.error and span.error.message) for span in (call, agent)] == [
        ("degraded", "the model did not answer"),
        ("degraded", "the model did not answer"),
    ]


async def test_an_answer_before_that_of_its_request_is_no_cache_hit_but_a_time_out(captured: Captured) -> None:
    service, begun = Service(), list[ModelCall]()
    await service.generate(200)
    with reamon.instrument(Agent):
        await Agent().process(service.give_up(begun))
    begun[0].requested(200)
    begun[0].end()
    call, agent = captured.named("give_up")[0], captured.named("conversation")[0]
    assert call.attributes == {"reamon.call": "logical", "reamon.requests": 1}
    assert (call.status, call.error and call.error.type) == ("degraded", "TimeoutError")
    assert (agent.status, agent.error and agent.error.type) == ("degraded", "TimeoutError")


async def test_an_answer_while_the_request_waits_in_a_queue_is_no_cache_hit(captured: Captured) -> None:
    class Queueing:
        requests: asyncio.Queue[int] = asyncio.Queue()

        async def generate(self, question: str) -> str:
            if question != "cached":
                await self.requests.put(200)
            if question == "patient":
                ask(await self.requests.get())
                self.requests.task_done()
            return "I see."

    with (
        reamon.instrument(Queueing.requests),
        reamon.instrument(Queueing, methods={"generate": "llm"}),
        reamon.trace_agent("conversation"),
    ):
        for question in ("patient", "hasty", "cached"):
            await Queueing().generate(question)
    assert [call.attributes.get("reamon.cache_hit") for call in logical(captured)] == [None, None, True]


async def test_a_call_that_is_cancelled_counts_the_request_that_it_waited_for(captured: Captured) -> None:
    async def cancelled() -> None:
        ModelCall.begin(REQUEST)
        raise asyncio.CancelledError

    class Waiting:
        async def generate(self) -> None:
            await cancelled()

    with reamon.instrument(Waiting, methods={"generate": "llm"}), pytest.raises(asyncio.CancelledError):
        await Waiting().generate()
    (call,) = logical(captured)
    assert (call.status, call.attributes["reamon.requests"]) == ("cancelled", 1)


async def test_what_comes_after_the_time_out_does_not_make_it_good(captured: Captured) -> None:
    service, begun = Service(), list[ModelCall]()

    async def give_up_and_wait() -> str:
        answer = await service.give_up(begun)
        begun[0].requested(200)
        begun[0].end()
        return answer

    with reamon.instrument(Agent):
        await Agent().process(give_up_and_wait())
    assert captured.named("conversation")[0].status == "degraded"
