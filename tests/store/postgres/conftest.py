"""A schema of PostgreSQL for each test."""

from collections.abc import Iterator

import pytest

from reamon.store.postgres.connection import BoundedConnection
from support.postgres import connected, make_tables, postgres_schema


@pytest.fixture
def empty_url() -> Iterator[str]:
    """The URL of a schema that is not there yet."""
    with postgres_schema() as url:
        yield url


@pytest.fixture
def url(empty_url: str) -> str:
    """The URL of a schema with the store's tables."""
    make_tables(empty_url)
    return empty_url


@pytest.fixture
def connection(url: str) -> Iterator[BoundedConnection]:
    """A connection to that schema."""
    with connected(url) as connection:
        yield connection


@pytest.fixture
def schema(empty_url: str) -> str:
    """The name of that schema."""
    return empty_url.rpartition("=")[2]
