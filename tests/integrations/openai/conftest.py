"""A server of OpenAI's shape, a client of it, and what is recorded of that client."""

import importlib.util
from collections.abc import Iterator

import openai
import pytest

import reamon
from reamon.testing import Captured, capture_spans
from support.model_servers import OpenAIServer

collect_ignore = [] if hasattr(openai.OpenAI, "responses") else ["test_responses.py"]
"""Versions before 1.66 have no Responses API."""

if importlib.util.find_spec("langchain_openai") is None:
    collect_ignore.append("test_langchain.py")


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server
        assert server.violations == []


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[openai.OpenAI]:
    http = openai.DefaultHttpxClient(verify=False)  # reading certificates takes longer than the test
    with openai.OpenAI(base_url=server.base_url, api_key="test", http_client=http) as client:
        yield client


@pytest.fixture
def captured(server: OpenAIServer, client: openai.OpenAI) -> Iterator[Captured]:
    """Instrumented after the client was made."""
    with reamon.instrument("openai", providers={server.address: "vllm"}), capture_spans() as captured:
        yield captured
