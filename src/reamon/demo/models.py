"""The models: every request to a language model goes through here, and is recorded with what it consumed."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from openai import AsyncOpenAI
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletionMessageParam

import reamon

Messages: TypeAlias = list[ChatCompletionMessageParam]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Model:
    """A model and who bills it."""

    provider: str
    name: str


LOCAL = Model("ollama", "llama3.1")
STANDARD = Model("openai", "gpt-3.5-turbo")
STRONG = Model("openai", "gpt-4")

RETRIES = 2
TIMEOUT_SECONDS = 10.0


class Models:
    """Asks language models through the OpenAI protocol.

    An agent that runs out of time stops waiting; its request goes on, because it is billed in any case. reamon records
    it as what it is: a late child of an agent that has ended.

    Args:
        base_url: Where they answer.
    """

    def __init__(self, base_url: str) -> None:
        self._client = AsyncOpenAI(
            base_url=base_url, api_key="not-needed-on-loopback", max_retries=RETRIES, timeout=TIMEOUT_SECONDS
        )
        self._completions = self._client.chat.completions.with_raw_response
        self._requests: set[asyncio.Task[Any]] = set()

    async def decide(self, model: Model, messages: Messages) -> dict[str, Any]:
        """The model's answer as a JSON object."""
        return await self._send(self._decide(model, messages))

    async def speak(self, model: Model, messages: Messages) -> str:
        """The model's answer as text."""
        return await self._send(self._speak(model, messages))

    async def close(self) -> None:
        """Wait for the requests that are still under way, then close the connections."""
        await asyncio.gather(*self._requests, return_exceptions=True)
        await self._client.close()

    @reamon.trace_llm("decide")
    async def _decide(self, model: Model, messages: Messages) -> dict[str, Any]:
        _say_who_is_asked(model)
        response = await self._completions.create(
            model=model.name, messages=messages, response_format={"type": "json_object"}
        )
        completion = response.parse()
        _record_usage(model, completion.usage, response.retries_taken)
        decision: dict[str, Any] = json.loads(completion.choices[0].message.content or "{}")
        return decision

    async def _speak(self, model: Model, messages: Messages) -> str:
        return "".join([piece async for piece in self._stream(model, messages)])

    @reamon.trace_llm("speak", reduce="".join)
    async def _stream(self, model: Model, messages: Messages) -> AsyncIterator[str]:
        """The answer, piece by piece; reamon takes the time to the first one by itself."""
        _say_who_is_asked(model)
        response = await self._completions.create(
            model=model.name, messages=messages, stream=True, stream_options={"include_usage": True}
        )
        async for chunk in response.parse():
            if chunk.usage:
                _record_usage(model, chunk.usage, response.retries_taken)
            for choice in chunk.choices:
                if choice.delta.content:
                    yield choice.delta.content

    def _send(self, request: Coroutine[Any, Any, T]) -> Awaitable[T]:
        task = asyncio.create_task(request)
        self._requests.add(task)
        task.add_done_callback(self._requests.discard)
        return asyncio.shield(task)


def _say_who_is_asked(model: Model) -> None:
    """Before the request, so that it is known of one that fails as well."""
    reamon.current_span().set_attributes({"gen_ai.provider.name": model.provider, "gen_ai.request.model": model.name})


def _record_usage(model: Model, usage: CompletionUsage | None, retries: int) -> None:
    if usage is None:
        return
    reamon.current_span().record_usage(
        provider=model.provider,
        model=model.name,
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        requests=1 + retries,
    )
