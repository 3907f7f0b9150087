"""LangChain's ChatOpenAI around an instrumented client: one answer is billed once, at the inner call."""

import langchain_openai
import pytest

from reamon.integrations.model_call import ModelAnswer, ModelCall, ModelRequest
from reamon.testing import Captured
from support.model_calls import model_calls, output, tree, usage
from support.model_servers import OpenAIServer


@pytest.mark.parametrize("is_streamed", [False, True])
def test_the_usage_is_billed_at_the_client_s_call(server: OpenAIServer, captured: Captured, is_streamed: bool) -> None:
    model = langchain_openai.ChatOpenAI(
        model="gpt-x", base_url=server.base_url, api_key="test", streaming=is_streamed, stream_usage=True
    )
    outer = ModelCall.begin(ModelRequest(operation="chat", provider="openai", model="gpt-x", name="ChatOpenAI"))
    assert outer is not None
    with outer.inside():
        message = model.invoke("hi")
    counted = message.usage_metadata
    outer.answer(ModelAnswer(output=message.content, usage={"input_tokens": counted["input_tokens"]}))
    outer.end()
    around, inner = model_calls(captured)
    assert tree([around, inner]) == [(0, "llm", "ChatOpenAI", "logical"), (1, "llm", "chat", "logical")]
    assert output(inner) == {"role": "assistant", "content": "Hello from the model"}
    assert around.usage == ()
    assert around.attributes["gen_ai.usage.input_tokens"] == 20
    assert usage(inner)["input_tokens"] == 20
    assert (inner.first_token_ns is not None) is is_streamed
