"""Providers: who runs the model, which is whose price counts, read off the address that a client talks to."""

from collections.abc import Mapping
from typing import Any, Final

from reamon.errors import ConfigurationError

_BY_DOMAIN: Final = {
    "openai.com": "openai",
    "anthropic.com": "anthropic",
    "claude.com": "anthropic",
    "openai.azure.com": "azure.ai.openai",
    "cognitiveservices.azure.com": "azure.ai.openai",
    "services.ai.azure.com": "azure.ai.inference",
    "models.ai.azure.com": "azure.ai.inference",
    "models.inference.ai.azure.com": "azure.ai.inference",
    "aiplatform.googleapis.com": "gcp.vertex_ai",
    "generativelanguage.googleapis.com": "gcp.gemini",
    "groq.com": "groq",
    "deepseek.com": "deepseek",
    "mistral.ai": "mistral_ai",
    "x.ai": "x_ai",
    "perplexity.ai": "perplexity",
    "cohere.com": "cohere",
    "cohere.ai": "cohere",
    "openrouter.ai": "openrouter",
    "together.xyz": "together_ai",
    "together.ai": "together_ai",
    "fireworks.ai": "fireworks_ai",
    "cerebras.ai": "cerebras",
    "moonshot.ai": "moonshot_ai",
    "voyageai.com": "voyage_ai",
    "novita.ai": "novita",
    "z.ai": "zai",
    "ollama.com": "ollama",
}
"""OpenTelemetry's names, where it has one."""

_AMAZON: Final = (".amazonaws.com", ".api.aws")
"""Where Bedrock is, and whatever anybody runs on a machine of Amazon's."""

_OLLAMA_PORT: Final = 11434


def known_providers(given: object) -> dict[str, str]:
    """The option `providers=` of an instrumentor, checked: names by host, or by host and port.

    Raises:
        ConfigurationError: It is something else.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(part, str) for pair in given.items() for part in pair):
        raise ConfigurationError(f'providers={given!r}: give names by host, as in {{"llm.example.com:8000": "vllm"}}')
    return {host.lower(): name for host, name in given.items()}


def provider_of(url: Any, known: Mapping[str, str]) -> str | None:
    """Who runs the model behind an address.

    An address that nobody knows is its own provider: what it costs is then unknown, and not another one's price.

    Args:
        url: Where the client sends its requests: an object with `host` and `port`, as httpx and yarl have.
        known: What the user calls hosts.

    Example:
        >>> class Url:
        ...     host, port = "llm.example.com", 8000
        >>> provider_of(Url, {}), provider_of(Url, {"llm.example.com": "vllm"})
        ('llm.example.com:8000', 'vllm')
    """
    host, port = str(url.host or "").lower().rstrip("."), url.port
    address = f"{host}:{port}" if port not in (None, 80, 443) else host
    name = known.get(address) or known.get(host) or _by_domain(host)
    if name is None and port == _OLLAMA_PORT:
        return "ollama"
    return name or address or None


def _by_domain(host: str) -> str | None:
    if host.endswith(_AMAZON):
        return "aws.bedrock" if any(label.startswith("bedrock") for label in host.split(".")) else None
    domain = host
    while domain:
        name = _BY_DOMAIN.get(domain)
        if name is not None:
            return name
        if domain.endswith("-aiplatform.googleapis.com"):
            return "gcp.vertex_ai"
        domain = domain.partition(".")[2]
    return None
