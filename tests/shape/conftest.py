"""A LangSmith and a PostgreSQL for the pages and the examples that speak to one."""

from collections.abc import Iterator

import pytest

import reamon
from support.langsmith_server import LangSmithServer
from support.postgres import postgres_schema

KEY = "lsv2_pt_documentation"


@pytest.fixture
def langsmith(isolated: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[LangSmithServer]:
    """One that the environment names, as a user's does. It finds nothing wrong with what it is sent."""
    with LangSmithServer(api_key=KEY) as server:
        monkeypatch.setenv("LANGSMITH_ENDPOINT", server.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
        yield server
        reamon.shutdown()
        assert (server.violations, server.orphans) == ([], {})


@pytest.fixture
def postgres(isolated: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A schema that the environment names, as a user's does."""
    with postgres_schema() as url:
        monkeypatch.setenv("REAMON_POSTGRES__URL", url)
        yield url
        reamon.shutdown()
