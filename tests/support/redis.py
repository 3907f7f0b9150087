"""A real Redis for tests: where it is, and keys that no other test has."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

URL = os.environ.get("REAMON_TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


def require() -> Any:
    """A client of the server; the test is skipped where none answers."""
    redis = pytest.importorskip("redis")
    client = redis.Redis.from_url(URL, socket_timeout=5, decode_responses=True)
    try:
        client.ping()
    except redis.RedisError as error:
        pytest.skip(f"no Redis answers at REAMON_TEST_REDIS_URL ({URL}): {error}")
    return client


@contextmanager
def keys_of_our_own() -> Iterator[str]:
    """A prefix for keys; those that begin with it are deleted afterwards."""
    client = require()
    prefix = f"{{reamon-test-{uuid.uuid4().hex}}}:"
    try:
        yield prefix
    finally:
        forget(prefix)
        client.close()


def forget(prefix: str) -> None:
    """Delete the keys that begin with `prefix`: what a flush or a restart without a disk does to all."""
    client = require()
    for key in client.scan_iter(match=f"{prefix}*", count=1_000):
        client.delete(key)
    client.close()
