"""Undoing: after `uninstrument`, in whatever order, every class is byte for byte what it was."""

import inspect
import itertools

import aiohttp
import anthropic
import httpx
import ollama
import openai
import pytest

import reamon
from reamon.integrations.clients.httpx_responses import httpx_modules
from reamon.testing import capture_spans
from support.model_calls import MESSAGES
from support.model_servers import OpenAIServer

NAMES = ("openai", "anthropic", "ollama")


class Same:
    """A value that equals itself alone; a wrapper equals what it wraps."""

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.value is other.value

    __hash__ = None  # type: ignore[assignment]


def state() -> dict[type, dict[str, Same]]:
    """The attributes of every class that is patched, and of their bases."""
    classes: list[type] = [
        *openai.OpenAI.__mro__,
        *openai.AsyncOpenAI.__mro__,
        *anthropic.Anthropic.__mro__,
        *anthropic.AsyncAnthropic.__mro__,
        *(openai.Stream, openai.AsyncStream, anthropic.Stream, anthropic.AsyncStream),
        *(ollama.Client, ollama.AsyncClient, aiohttp.ClientSession, aiohttp.ClientResponse),
    ]
    for module in httpx_modules():
        classes += [module.Client, module.AsyncClient, module.Response]
    return {kind: {name: Same(value) for name, value in vars(kind).items() if name != "_abc_impl"} for kind in classes}


@pytest.mark.parametrize("order", list(itertools.permutations(NAMES)), ids="-".join)
def test_everything_is_as_it_was_whatever_the_order(order: tuple[str, ...]) -> None:
    before = state()
    for name in NAMES:
        reamon.instrument(name)
        reamon.instrument(name)
    assert state() != before
    for name in order:
        reamon.uninstrument(name)
    assert state() == before


def test_undoing_all_at_once_undoes_all() -> None:
    before = state()
    for name in NAMES:
        reamon.instrument(name)
    reamon.uninstrument()
    assert state() == before


def test_a_client_made_while_instrumented_works_without() -> None:
    with OpenAIServer() as server, capture_spans() as captured:
        reamon.instrument("openai")
        client = openai.OpenAI(base_url=server.base_url, api_key="test")
        assert client.chat.completions
        reamon.uninstrument("openai")
        with client:
            assert client.chat.completions.create(model="gpt-x", messages=MESSAGES).id == "chatcmpl-1"
        assert captured.spans == []


def test_signatures_and_names_stay() -> None:
    before = [inspect.signature(openai.OpenAI.request), inspect.iscoroutinefunction(openai.AsyncOpenAI.request)]
    with reamon.instrument("openai"):
        assert [
            inspect.signature(openai.OpenAI.request),
            inspect.iscoroutinefunction(openai.AsyncOpenAI.request),
        ] == before
        assert httpx.Client.send.__name__ == "send"
