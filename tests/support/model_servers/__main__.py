"""A model server in a process of its own: prints `{"url": ...}`, and serves until its standard input closes."""

import json
import sys

from . import AnthropicServer, OllamaServer, OpenAIServer

SERVERS = {"anthropic": AnthropicServer, "ollama": OllamaServer, "openai": OpenAIServer}

with SERVERS[sys.argv[1]]() as server:
    print(json.dumps({"url": server.url}), flush=True)
    sys.stdin.read()
