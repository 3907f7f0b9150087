"""Tests of OpenTelemetry: a provider of the test's own, and a global one that nobody else sees."""

import importlib.util
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Tracer
from opentelemetry.util._once import Once

import reamon

if importlib.util.find_spec("openinference") is None:  # `nox -s lowest` goes without
    collect_ignore = ["test_real_instrumentations.py"]


@pytest.fixture(autouse=True)
def no_global_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process in which nobody has set one yet."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
    monkeypatch.setattr(trace, "_TRACER_PROVIDER_SET_ONCE", Once())


@pytest.fixture
def provider() -> TracerProvider:
    """A provider that is not the global one."""
    return TracerProvider(shutdown_on_exit=False)


@pytest.fixture
def tracer(provider: TracerProvider) -> Iterator[Tracer]:
    """A tracer of that provider, whose spans are taken."""
    with reamon.instrument("opentelemetry", provider=provider):
        yield provider.get_tracer("test")
