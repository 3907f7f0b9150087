"""Middleware of the anthropic client: one that answers out of a cache makes no request, and costs nothing."""

from typing import Any

import anthropic

import reamon
from reamon.testing import capture_spans
from support.model_calls import MESSAGES, model_calls, output, usage
from support.model_servers import AnthropicServer


def test_an_answer_out_of_a_cache_is_marked_and_not_billed() -> None:
    kept: list[Any] = []

    def cache(request: Any, call_next: Any) -> Any:
        if not kept:
            kept.append(call_next(request).parse())
        return kept[0]

    asked: Any = {"model": "claude-x", "max_tokens": 9, "messages": MESSAGES}
    with AnthropicServer() as server, reamon.instrument("anthropic"), capture_spans() as captured:
        client = anthropic.Anthropic(base_url=server.url, api_key="test", middleware=[cache])
        first, second = client.messages.create(**asked), client.messages.create(**asked)
        made, repeated = model_calls(captured)
    assert second is first
    assert len(server.requests) == 1
    assert output(made) == output(repeated)
    assert usage(made)["input_tokens"] == 20
    assert (repeated.usage, repeated.attributes["reamon.cache_hit"]) == ((), True)
