"""Model servers on 127.0.0.1, shaped like OpenAI's, Anthropic's and Ollama's, and strict: what is malformed is refused.

    with OpenAIServer() as server:
        client = openai.OpenAI(base_url=server.base_url, api_key="test")
        server.fail(2, status=503)  # the next two requests
        server.cut_after = 3  # pieces of each stream, then the connection is closed
        server.hold_after = 3  # pieces of each stream, then it waits for server.go_on()
        server.says_usage = False
    assert server.violations == []

What was asked is in `requests`, what each was answered with in `statuses`.
"""

from .anthropic_server import AnthropicServer
from .base import ModelServer
from .ollama_server import OllamaServer
from .openai_server import OpenAIServer

__all__ = ["AnthropicServer", "ModelServer", "OllamaServer", "OpenAIServer"]
