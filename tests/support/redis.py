"""A real Redis for tests: where it is, keys that no other test has, and a whole server for those that trouble it."""

import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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


@contextmanager
def redis_server(directory: Path, *arguments: str) -> Iterator[tuple[str, Any]]:
    """A Redis that is this test's alone: its address, and a client of it. Skips the test where there is no program."""
    redis = pytest.importorskip("redis")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("there is no redis-server on the path")
    place = directory / "redis.sock"
    own = ("--port", "0", "--unixsocket", str(place), "--save", "", "--dir", str(directory), *arguments)
    process = subprocess.Popen([program, *own], stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(place))
    try:
        deadline = time.monotonic() + 20
        while not _answers(client) and time.monotonic() < deadline:
            time.sleep(0.01)
        yield f"unix://{place}", client
    finally:
        client.close()
        process.terminate()
        process.wait(20)


def _answers(client: Any) -> bool:
    import redis

    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
