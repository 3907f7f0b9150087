"""Who runs a model is read off the address that the client talks to."""

import httpx
import pytest

from reamon.errors import ConfigurationError
from reamon.integrations.clients.providers import known_providers, provider_of


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://eu.api.openai.com/v1", "openai"),
        ("https://API.Anthropic.com", "anthropic"),
        ("https://mine.openai.azure.com/openai", "azure.ai.openai"),
        ("https://bedrock-runtime.us-east-1.amazonaws.com", "aws.bedrock"),
        ("https://bedrock-mantle.us-east-1.api.aws/anthropic", "aws.bedrock"),
        ("https://vpce-1.bedrock-runtime.us-east-1.vpce.amazonaws.com", "aws.bedrock"),
        ("http://ec2-203-0-113-7.compute-1.amazonaws.com:8000/v1", "ec2-203-0-113-7.compute-1.amazonaws.com:8000"),
        ("http://mine-1.eu-west-1.elb.amazonaws.com/v1", "mine-1.eu-west-1.elb.amazonaws.com"),
        ("https://us-east5-aiplatform.googleapis.com/v1", "gcp.vertex_ai"),
        ("https://api.groq.com/openai/v1", "groq"),
        ("https://api.cerebras.ai/v1", "cerebras"),
        ("https://api.moonshot.ai/v1", "moonshot_ai"),
        ("https://api.voyageai.com/v1", "voyage_ai"),
        ("https://api.z.ai/api/paas/v4", "zai"),
        ("http://localhost:11434/v1", "ollama"),
        ("http://localhost:8000/v1", "localhost:8000"),
        ("https://llm.example.com/v1", "llm.example.com"),
        ("https://notopenai.com/v1", "notopenai.com"),
        ("https://openai.com.example.org", "openai.com.example.org"),
    ],
)
def test_an_address_has_a_provider(url: str, provider: str) -> None:
    assert provider_of(httpx.URL(url), {}) == provider


def test_what_the_user_calls_an_address_counts_first() -> None:
    known = known_providers({"LLM.example.com": "vllm", "localhost:8000": "sglang"})
    assert provider_of(httpx.URL("https://llm.example.com:9000"), known) == "vllm"
    assert provider_of(httpx.URL("http://localhost:8000"), known) == "sglang"
    assert provider_of(httpx.URL("http://localhost:8001"), known) == "localhost:8001"


@pytest.mark.parametrize("given", ["vllm", {"host": 1}, {1: "vllm"}])
def test_other_things_than_names_by_host_are_refused(given: object) -> None:
    with pytest.raises(ConfigurationError, match="providers="):
        known_providers(given)
