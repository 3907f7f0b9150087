"""`instrument("ollama")`: its client, and its HTTP API called by hand; logical and physical calls told apart."""

import asyncio
import gc
import inspect
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import httpx
import ollama
import pytest

import reamon
from reamon.testing import Captured, capture_spans
from support.model_calls import MESSAGES, asked, model_calls, output, the_call, tree, usage
from support.model_servers import OllamaServer

HELLO = {"role": "assistant", "content": "Hello from the model"}
ASKED: Any = {"model": "llama", "messages": MESSAGES}
COUNTED = {"provider": "ollama", "model": "llama", "input_tokens": 20, "output_tokens": 7, "requests": 1}
BOTH = [(0, "llm", "chat", "logical"), (1, "llm", "chat", "physical")]


@pytest.fixture
def server() -> Iterator[OllamaServer]:
    with OllamaServer() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def client(server: OllamaServer) -> ollama.Client:
    return ollama.Client(host=server.url, verify=False)  # reading certificates takes longer than the test


@pytest.fixture
def captured(client: ollama.Client) -> Iterator[Captured]:
    """Instrumented after the client was made."""
    with reamon.instrument("ollama"), capture_spans() as captured:
        yield captured


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


# -- its client --------------------------------------------------------------------------------------------------------


def test_a_chat_is_a_logical_call_with_its_request_below_it(client: ollama.Client, captured: Captured) -> None:
    answer = client.chat(**ASKED, options={"temperature": 0.5, "num_predict": 9, "stop": ["END"]})
    assert type(answer) is ollama.ChatResponse
    logical, physical = model_calls(captured)
    assert tree([logical, physical]) == BOTH
    for call in (logical, physical):
        assert (asked(call), output(call), call.status) == ({"messages": MESSAGES}, HELLO, "ok")
        assert call.attributes["gen_ai.request.max_tokens"] == 9
        assert call.attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert logical.usage == ()
    assert usage(physical) == COUNTED


def test_a_stream_is_a_generator_and_ends_with_it(client: ollama.Client, captured: Captured) -> None:
    with reamon.trace_agent("writer") as agent:
        stream = client.chat(**ASKED, stream=True)
        assert inspect.isgenerator(stream)
        for _ in stream:
            assert reamon.current_span() is agent
    logical, physical = model_calls(captured)
    assert (logical.parent_id, physical.parent_id) == (agent.span_id, logical.span_id)
    assert [output(call) for call in (logical, physical)] == [HELLO, HELLO]
    assert logical.first_token_ns is not None
    assert physical.first_token_ns is not None
    assert (logical.usage, usage(physical)) == ((), COUNTED)


async def test_the_asynchronous_client_is_recorded_alike(server: OllamaServer, captured: Captured) -> None:
    client = ollama.AsyncClient(host=server.url)
    await client.chat(**ASKED)
    stream = await client.chat(**ASKED, stream=True)
    assert inspect.isasyncgen(stream)
    assert len([part async for part in stream]) == 6
    assert tree(model_calls(captured)) == BOTH * 2
    assert [output(call) for call in model_calls(captured)] == [HELLO] * 4


def test_generate_tools_and_embeddings_are_recorded(client: ollama.Client, captured: Captured) -> None:
    client.generate(model="llama", prompt="hi", system="be brief")
    client.chat(**ASKED, tools=[{"type": "function", "function": {"name": "book", "parameters": {}}}])
    client.embed(model="llama", input=["a", "b"])
    client.embeddings(model="llama", prompt="a")
    generated, _, called, _, embedded, _, older, _ = model_calls(captured)
    assert (asked(generated), output(generated)) == ({"system": "be brief", "prompt": "hi"}, "Hello from the model")
    assert output(called)["tool_calls"][0]["function"] == {"name": "book", "arguments": {"slot": "Monday"}}
    assert output(embedded) == {"embeddings": 2, "dimensions": 3}
    assert output(older) == {"embeddings": 1, "dimensions": 3}


def test_an_abandoned_stream_ends_both_calls(server: OllamaServer, client: ollama.Client, captured: Captured) -> None:
    server.hold_after = 2
    for part in client.chat(**ASKED, stream=True):
        if part["message"]["content"]:
            break
    gc.collect()
    logical, physical = model_calls(captured)
    assert [(call.status, output(call)["content"]) for call in (logical, physical)] == [("ok", "Hello")] * 2
    assert (logical.usage, physical.usage) == ((), ())


def test_errors_are_recorded_and_passed_through(
    server: OllamaServer, client: ollama.Client, captured: Captured
) -> None:
    server.fail(1, status=500)
    with pytest.raises(ollama.ResponseError, match="failed on demand"):
        client.chat(**ASKED)
    server.error_after = 2
    with pytest.raises(ollama.ResponseError, match="failed on demand"):
        list(client.chat(**ASKED, stream=True))
    refused, request, broken, body = model_calls(captured)
    assert [call.status for call in (refused, request, broken, body)] == ["error"] * 4
    assert request.attributes["error.type"] == "500"
    assert refused.error is not None
    assert refused.error.type.endswith("ResponseError")
    assert output(broken)["content"] == "Hello"


def test_a_client_that_cannot_connect_is_an_error(captured: Captured) -> None:
    with pytest.raises((ConnectionError, httpx.ConnectError)):  # today's client, and older ones
        ollama.Client(host="http://127.0.0.1:9").chat(**ASKED)
    logical, physical = model_calls(captured)
    assert (logical.status, physical.status) == ("error", "error")
    assert physical.error is not None
    assert physical.error.type.endswith("ConnectError")


# -- by hand, with httpx -----------------------------------------------------------------------------------------------


def test_a_request_by_httpx_is_a_physical_call(server: OllamaServer, captured: Captured) -> None:
    response = httpx.post(f"{server.url}/api/chat", json={**ASKED, "stream": False})
    assert response.json()["message"] == HELLO
    call = the_call(captured)
    assert tree([call]) == [(0, "llm", "chat", "physical")]
    assert (asked(call), output(call), usage(call)) == ({"messages": MESSAGES}, HELLO, COUNTED)


def test_a_stream_by_httpx_is_read_by_the_application_and_recorded(server: OllamaServer, captured: Captured) -> None:
    with httpx.stream("POST", f"{server.url}/api/chat", json=ASKED) as response:
        lines = [json.loads(line) for line in response.iter_lines()]
    assert [line["message"]["content"] for line in lines] == ["", "Hello", " from", " the", " model", ""]
    assert (output(the_call(captured)), usage(the_call(captured))) == (HELLO, COUNTED)
    assert the_call(captured).first_token_ns is not None


async def test_asynchronous_httpx_is_recorded_alike(server: OllamaServer, captured: Captured) -> None:
    async with httpx.AsyncClient() as client:
        await client.post(f"{server.url}/api/generate", json={"model": "llama", "prompt": "hi", "stream": False})
        async with client.stream(
            "POST", f"{server.url}/api/generate", json={"model": "llama", "prompt": "hi"}
        ) as answer:
            assert len([line async for line in answer.aiter_lines()]) == 6
    assert [output(call) for call in model_calls(captured)] == ["Hello from the model"] * 2


def test_requests_that_only_look_alike_are_left_alone(server: OllamaServer, captured: Captured) -> None:
    assert httpx.post(f"{server.url}/other/api/chat", json={"message": "hello"}).json() == {"reply": "hello"}
    assert captured.spans == []


# -- by hand, with aiohttp ---------------------------------------------------------------------------------------------


async def test_a_request_by_aiohttp_is_a_physical_call(
    server: OllamaServer, session: aiohttp.ClientSession, captured: Captured
) -> None:
    async with session.post(f"{server.url}/api/chat", json={**ASKED, "stream": False}) as response:
        assert type(response) is aiohttp.ClientResponse
        assert (await response.json())["message"] == HELLO
    call = the_call(captured)
    assert tree([call]) == [(0, "llm", "chat", "physical")]
    assert (asked(call), output(call), usage(call)) == ({"messages": MESSAGES}, HELLO, COUNTED)


async def lines(content: aiohttp.StreamReader) -> bytes:
    return b"".join([line async for line in content])


async def chunks(content: aiohttp.StreamReader) -> bytes:
    return b"".join([chunk async for chunk, _ in content.iter_chunks()])


async def pieces(content: aiohttp.StreamReader) -> bytes:
    return b"".join([piece async for piece in content.iter_chunked(10)])


async def what_is_there(content: aiohttp.StreamReader) -> bytes:
    return b"".join([piece async for piece in content.iter_any()])


async def line_by_line(content: aiohttp.StreamReader) -> bytes:
    read = b""
    while not content.at_eof():
        read += await content.readline()
    return read


@pytest.mark.parametrize("reading", [lines, chunks, pieces, what_is_there, line_by_line])
async def test_a_stream_by_aiohttp_is_recorded_however_it_is_read(
    server: OllamaServer, session: aiohttp.ClientSession, captured: Captured, reading: Any
) -> None:
    async with session.post(
        f"{server.url}/api/chat", data=json.dumps(ASKED), headers={"Content-Type": "application/json"}
    ) as response:
        assert isinstance(response.content, aiohttp.StreamReader)
        raw = await reading(response.content)
    assert len(raw.splitlines()) == 6
    call = the_call(captured)
    assert (call.status, output(call), usage(call)) == ("ok", HELLO, COUNTED)
    assert call.first_token_ns is not None


async def test_an_abandoned_stream_by_aiohttp_ends_with_what_had_come(
    server: OllamaServer, session: aiohttp.ClientSession, captured: Captured
) -> None:
    server.hold_after = 2
    async with session.post(f"{server.url}/api/chat", json=ASKED) as response:
        async for line in response.content:
            if json.loads(line)["message"]["content"]:
                break
    assert (the_call(captured).status, output(the_call(captured))["content"]) == ("ok", "Hello")


async def test_a_time_out_by_aiohttp_is_an_error(
    server: OllamaServer, session: aiohttp.ClientSession, captured: Captured
) -> None:
    server.hold_after = 2
    with pytest.raises(asyncio.TimeoutError):
        async with session.post(
            f"{server.url}/api/chat", json=ASKED, timeout=aiohttp.ClientTimeout(total=0.2)
        ) as response:
            await response.read()
    assert the_call(captured).status == "error"


async def test_a_refusal_by_aiohttp_is_an_error_that_the_application_may_ignore(
    server: OllamaServer, session: aiohttp.ClientSession, captured: Captured
) -> None:
    server.fail(1, status=503)
    async with session.post(f"{server.url}/api/chat", json=ASKED) as response:
        assert response.status == 503
        assert (await response.json())["error"] == "failed on demand: 503"
    call = the_call(captured)
    assert (call.status, call.attributes["error.type"], call.usage) == ("error", "503", ())


async def test_requests_of_a_service_are_counted_at_its_call(
    server: OllamaServer, session: aiohttp.ClientSession, captured: Captured
) -> None:
    from reamon.integrations.model_call import ModelCall, ModelRequest

    server.fail(2, status=503)
    service = ModelCall.begin(ModelRequest(operation="chat", provider="ollama", model="llama", name="ask the model"))
    assert service is not None
    with service.inside():
        for _ in range(3):
            async with session.post(f"{server.url}/api/chat", json={**ASKED, "stream": False}) as response:
                await response.read()
    service.end()
    logical, *physical = model_calls(captured)
    assert [call.status for call in physical] == ["error", "error", "ok"]
    assert logical.attributes["reamon.retries"] == 2
    assert [event.attributes["after"] for event in logical.events] == [503, 503]
    assert [len(call.usage) for call in (logical, *physical)] == [0, 0, 0, 1]


def test_nothing_is_recorded_where_all_is_suppressed(
    server: OllamaServer, client: ollama.Client, captured: Captured
) -> None:
    with reamon.suppress():
        client.chat(**ASKED)
        list(client.chat(**ASKED, stream=True))
    assert captured.spans == []


class Worker:
    """Asks the model for those who put questions into its queue; started before any of them."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self.questions: asyncio.Queue[tuple[str, asyncio.Future[str]]] = asyncio.Queue()
        self.url = url
        self.session = session

    async def work(self) -> None:
        while True:
            _, answer = await self.questions.get()
            async with self.session.post(f"{self.url}/api/chat", json={**ASKED, "stream": False}) as response:
                said = await response.json()
            if not answer.done():  # whoever asked may have given up
                answer.set_result("I see." if response.status != 200 else said["message"]["content"])
            self.questions.task_done()


class Apologetic:
    """An agent that says something whatever the model does."""

    agent_type = "conversation"

    def __init__(self, worker: Worker) -> None:
        self.worker = worker

    async def process(self, state: dict[str, Any]) -> str:
        answer = asyncio.get_running_loop().create_future()
        await self.worker.questions.put(("Who is there?", answer))
        return await answer


async def test_a_refusal_that_a_worker_swallows_is_a_degraded_answer_of_the_agent_that_asked(
    server: OllamaServer, session: aiohttp.ClientSession, captured: Captured
) -> None:
    worker = Worker(server.url, session)
    working = asyncio.create_task(worker.work())
    await asyncio.sleep(0)
    server.fail(1, status=503)
    with reamon.instrument(worker.questions), reamon.instrument(Apologetic):
        for _ in range(2):
            await Apologetic(worker).process({})
    working.cancel()
    refused, answered = captured.named("conversation")
    assert (refused.status, refused.error and refused.error.message) == ("degraded", "HTTP 503")
    assert answered.status == "ok"
    assert [call.parent_id for call in model_calls(captured)] == [refused.span_id, answered.span_id]
