import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI

from reamon.demo import model_server
from reamon.demo.model_server import ModelServer
from reamon.demo.script import Script
from reamon.errors import ReamonError

SEED = 7


def body(said: str, **more: Any) -> dict[str, Any]:
    system = {"role": "system", "content": "You are the objection_handler agent."}
    return {"messages": [system, {"role": "user", "content": said}], "model": "gpt-4", **more}


def served(server: ModelServer) -> dict[str, int]:
    with urllib.request.urlopen(f"{server.origin}/served") as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


def body_with_fate(*statuses: int | None, **more: Any) -> dict[str, Any]:
    """A request on which the script fails with these statuses, attempt by attempt."""
    script = Script(SEED)
    return next(
        candidate
        for candidate in (body(str(number), **more) for number in range(10_000))
        if tuple(script.failure(candidate, attempt) for attempt in range(len(statuses))) == statuses
    )


@pytest.fixture
async def client(server: ModelServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=server.base_url, api_key="none", max_retries=2) as client:
        yield client


async def test_an_answer_comes_with_its_usage(client: AsyncOpenAI) -> None:
    question = body_with_fate(None)
    completion = await client.chat.completions.create(**question)
    expected = Script(SEED).complete(question)

    assert completion.choices[0].message.content == expected.text
    assert completion.usage is not None
    assert completion.usage.prompt_tokens == expected.input_tokens
    assert completion.usage.completion_tokens == expected.output_tokens


async def test_a_stream_says_the_answer_in_pieces_and_the_usage_at_the_end(client: AsyncOpenAI) -> None:
    question = body_with_fate(None, stream=True, stream_options={"include_usage": True})
    stream = await client.chat.completions.create(**question)
    chunks = [chunk async for chunk in stream]
    *pieces, stop, last = chunks

    assert len(pieces) > 1
    assert "".join(piece.choices[0].delta.content for piece in pieces) == Script(SEED).complete(question).text
    assert stop.choices[0].finish_reason == "stop"
    assert last.choices == []
    assert last.usage is not None
    assert all(chunk.usage is None for chunk in chunks[:-1])


async def test_the_pieces_of_a_stream_come_one_by_one(client: AsyncOpenAI) -> None:
    arrivals = []
    for _ in range(2):  # the second one on a connection that was used before
        stream = await client.chat.completions.create(**body_with_fate(None, stream=True))
        arrivals = [time.monotonic() async for chunk in stream if chunk.choices[0].delta.content]

    apart = model_server.SECONDS_BETWEEN_PIECES * (len(arrivals) - 1)
    assert arrivals[-1] - arrivals[0] > apart / 2


async def test_a_stream_says_no_usage_unasked(client: AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(**body_with_fate(None, stream=True))

    assert [chunk.usage async for chunk in stream if chunk.usage] == []


@pytest.mark.parametrize("status", [429, 500])
async def test_the_client_gets_over_a_failure_by_asking_again(client: AsyncOpenAI, status: int) -> None:
    response = await client.chat.completions.with_raw_response.create(**body_with_fate(status, None))

    assert response.retries_taken == 1
    assert response.parse().usage is not None


async def test_some_failures_are_for_good(client: AsyncOpenAI, server: ModelServer) -> None:
    before = served(server)["requests"]

    with pytest.raises(openai.InternalServerError, match="overloaded"):
        await client.chat.completions.create(**body_with_fate(500, 500, 500))

    assert served(server)["requests"] == before + 3


async def test_the_server_counts_what_a_provider_would_bill(client: AsyncOpenAI) -> None:
    with ModelServer(SEED) as server:
        own = client.with_options(base_url=server.base_url)
        whole = await own.chat.completions.create(**body_with_fate(None))
        stream = await own.chat.completions.create(**body_with_fate(429, None, stream=True))
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
        counts = served(server)

    assert text
    assert whole.usage is not None
    assert counts["requests"] == 3
    assert counts["answers"] == 2
    assert counts["status_429"] == 1
    assert counts["output_tokens"] > whole.usage.completion_tokens


def test_the_server_is_gone_after_its_block() -> None:
    with ModelServer(SEED) as server:
        address = ("127.0.0.1", int(server.origin.rpartition(":")[2]))
        socket.create_connection(address, timeout=5).close()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=5)


def test_the_server_does_not_outlive_an_application_that_is_killed() -> None:
    application = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "from reamon.demo.model_server import ModelServer\n"
            "with ModelServer(7) as server:\n"
            "    print(server.origin, flush=True)\n"
            "    time.sleep(60)\n",
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    with application:
        assert application.stdout
        address = ("127.0.0.1", int(application.stdout.readline().rpartition(":")[2]))
        os.kill(application.pid, signal.SIGKILL)

    deadline = time.monotonic() + 10
    while _accepts(address):
        assert time.monotonic() < deadline, "the server is still there"
        time.sleep(0.02)


def _accepts(address: tuple[str, int]) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


def test_a_server_that_cannot_start_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    with pytest.raises(ReamonError, match="did not start"), ModelServer(SEED):
        pass
