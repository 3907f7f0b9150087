"""Instrumenting a client: what is refused, what is passed through, and that nothing of ours reaches the application."""

import asyncio
import sys
from typing import Any

import openai
import pytest

import reamon
import reamon.guard
from reamon.errors import MissingExtraError
from reamon.integrations.openai.answers import ChatReader
from reamon.testing import capture_spans
from support.model_calls import MESSAGES, model_calls, the_call
from support.model_servers import OpenAIServer


@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_a_client_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=rf"needs the extra '{name}'.*reamon\[{name}\]"):
        reamon.instrument(name)


def test_ollama_can_be_watched_without_its_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ollama", None)
    with reamon.instrument("ollama"):
        pass
    for name in ("httpx", "httpx2", "aiohttp"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match="'ollama'"):
        reamon.instrument("ollama")


def test_nothing_happens_where_nothing_is_configured() -> None:
    with OpenAIServer() as server, reamon.instrument("openai"):
        client = openai.OpenAI(base_url=server.base_url, api_key="test")
        assert client.chat.completions.create(model="gpt-x", messages=MESSAGES).id == "chatcmpl-1"
        stream = client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True)
        assert "Observed" not in type(stream.response.stream).__name__


@pytest.mark.parametrize("broken", ["__init__", "whole", "piece", "answer"])
def test_an_error_of_ours_never_reaches_the_application(monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("ours")

    monkeypatch.setattr(ChatReader, broken, fail)
    with OpenAIServer() as server, reamon.instrument("openai"), capture_spans(strict=False) as captured:
        client = openai.OpenAI(base_url=server.base_url, api_key="test")
        assert client.chat.completions.create(model="gpt-x", messages=MESSAGES).id == "chatcmpl-1"
        assert len(list(client.chat.completions.create(model="gpt-x", messages=MESSAGES, stream=True))) == 6
        assert broken == "__init__" or {call.status for call in model_calls(captured)} == {"ok"}
        assert reamon.stats().internal_errors


async def test_a_call_that_is_cancelled_before_its_answer_is_cancelled() -> None:
    with OpenAIServer() as server, reamon.instrument("openai"), capture_spans() as captured:
        server.slow_down()
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="test") as client:
            task = asyncio.create_task(client.chat.completions.create(model="gpt-x", messages=MESSAGES))
            await asyncio.to_thread(server.asked.wait, 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert the_call(captured).status == "cancelled"


async def test_calls_side_by_side_have_their_own_parents() -> None:
    async def agent(client: openai.AsyncOpenAI, name: str) -> None:
        async with reamon.trace_agent(name):
            await client.chat.completions.create(model=name, messages=MESSAGES)

    with OpenAIServer() as server, reamon.instrument("openai"), capture_spans() as captured:
        async with openai.AsyncOpenAI(base_url=server.base_url, api_key="test") as client:
            await asyncio.gather(*(agent(client, f"model-{number}") for number in range(8)))
        names = {span.span_id: span.name for span in captured.spans}
        calls = model_calls(captured)
        assert len(calls) == 8
        assert all(names[call.parent_id or ""] == call.attributes["gen_ai.request.model"] for call in calls)
