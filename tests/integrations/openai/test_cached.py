"""Answers out of a cache of the HTTP client's: marked, and not billed."""

import importlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest

import reamon
from reamon.testing import Captured
from support.model_calls import MESSAGES, output, the_call, usage
from support.model_servers import OpenAIServer

HTTP: Any = importlib.import_module(openai.DefaultHttpxClient.__mro__[-3].__module__.partition(".")[0])


class Cache(HTTP.BaseTransport):  # type: ignore[misc]
    """Repeats the first answer."""

    def __init__(self) -> None:
        self._inner = HTTP.HTTPTransport(verify=False)
        self._kept: bytes | None = None

    def handle_request(self, request: Any) -> Any:
        if self._kept is not None:
            headers = {"content-type": "application/json"}
            return HTTP.Response(200, headers=headers, content=self._kept, extensions={"from_cache": True})
        response = self._inner.handle_request(request)
        self._kept = response.read()
        return response


@pytest.fixture
def caching(server: OpenAIServer) -> Iterator[openai.OpenAI]:
    http = HTTP.Client(transport=Cache())
    with openai.OpenAI(base_url=server.base_url, api_key="test", http_client=http) as client:
        yield client


def test_an_answer_out_of_a_cache_is_marked_and_not_billed(
    server: OpenAIServer, caching: openai.OpenAI, captured: Captured
) -> None:
    with reamon.suppress():
        caching.chat.completions.create(model="gpt-x", messages=MESSAGES)
    caching.chat.completions.create(model="gpt-x", messages=MESSAGES)
    call = the_call(captured)
    assert len(server.requests) == 1
    assert output(call) == {"role": "assistant", "content": "Hello from the model"}
    assert (call.attributes["reamon.cache_hit"], call.usage) == (True, ())
    assert call.attributes["gen_ai.usage.input_tokens"] == 20


class OwnWay(HTTP.Client):  # type: ignore[misc]
    """An HTTP client that does not send as httpx does."""

    def send(self, request: Any, **_: Any) -> Any:
        content = b'{"id": "1", "model": "m", "choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1}}'
        return HTTP.Response(200, headers={"content-type": "application/json"}, content=content, request=request)


def test_an_answer_whose_request_was_not_seen_is_billed_all_the_same(captured: Captured) -> None:
    with openai.OpenAI(base_url="http://own.example", api_key="test", http_client=OwnWay(verify=False)) as client:
        client.chat.completions.create(model="gpt-x", messages=MESSAGES)
    assert usage(the_call(captured)) == {"provider": "own.example", "model": "m", "input_tokens": 5, "output_tokens": 1}
    assert "reamon.cache_hit" not in the_call(captured).attributes
