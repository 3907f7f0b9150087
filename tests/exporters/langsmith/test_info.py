"""What a server can do: asked for once an hour, and guessed where it does not say."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from reamon.exporters.langsmith import connection as connections
from reamon.exporters.langsmith.connection import Connection, NoAnswer, ServerInfo
from support.langsmith_server import Fault, LangSmithServer
from support.talking import reply, speaking

KEY = "lsv2_pt_0123456789abcdef"
OLD = ServerInfo()


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(api_key=KEY) as server:
        yield server


def connected(server: LangSmithServer, **options: Any) -> Connection:
    return Connection(server.url, KEY, **{"connect_timeout": 10.0, "read_timeout": 10.0, **options})


def test_the_server_says_what_it_can_do(server: LangSmithServer) -> None:
    assert connected(server).info() == ServerInfo(version="0.18.2", use_multipart=True, zstd=True)


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        ({}, OLD),
        ({"version": "0.9"}, ServerInfo(version="0.9")),
        ({"batch_ingest_config": None, "instance_flags": None, "version": None}, OLD),
        ({"batch_ingest_config": {"size_limit": 7, "size_limit_bytes": 1000}}, ServerInfo(max_runs=7, max_bytes=1000)),
        ({"batch_ingest_config": {"use_multipart_endpoint": True, "scale_up": 1}}, ServerInfo(use_multipart=True)),
        ({"batch_ingest_config": {"size_limit": 0}}, OLD),
        ({"batch_ingest_config": {"size_limit": "many"}}, OLD),
        ({"instance_flags": {"zstd_compression_enabled": True, "new": {}}}, ServerInfo(zstd=True)),
    ],
)
def test_what_it_does_not_say_is_as_with_old_servers(said: dict[str, Any], understood: ServerInfo) -> None:
    with speaking(reply("200 OK", json.dumps(said).encode())) as url:
        assert Connection(url, KEY).info() == understood


def test_it_is_asked_once(server: LangSmithServer) -> None:
    connection = connected(server)
    assert connection.info() is connection.info()
    assert len(server.requests) == 1
    connection.info(refresh=True)
    assert len(server.requests) == 2


def test_it_is_asked_again_after_an_hour(server: LangSmithServer, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connected(server)
    before = connection.info()
    server.info["instance_flags"]["zstd_compression_enabled"] = False
    now = time.monotonic()
    monkeypatch.setattr(connections.time, "monotonic", lambda: now + 3599)  # type: ignore[attr-defined]
    assert connection.info() == before
    monkeypatch.setattr(connections.time, "monotonic", lambda: now + 3601)  # type: ignore[attr-defined]
    assert not connection.info().zstd


def test_a_server_without_info_is_an_old_one_and_is_not_asked_again(server: LangSmithServer) -> None:
    server.info_status = 404
    connection = connected(server)
    assert connection.info() == connection.info() == OLD
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", [Fault.ERROR_500, Fault.RATE_LIMITED, Fault.GARBAGE, Fault.UNAUTHORIZED])
def test_a_server_in_trouble_is_asked_again(server: LangSmithServer, fault: Fault) -> None:
    server.fault_info = True
    server.fault = fault
    connection = connected(server)
    assert connection.info() == OLD
    server.fault = Fault.NONE
    assert connection.info().use_multipart


def test_a_server_that_does_not_answer_says_nothing(server: LangSmithServer) -> None:
    server.stop()
    with pytest.raises(NoAnswer):
        connected(server).info()


def test_multipart_can_be_given_up(server: LangSmithServer) -> None:
    connection = connected(server)
    assert connection.info().use_multipart
    connection.give_up_multipart()
    assert not connection.info().use_multipart
    assert connection.info().version == "0.18.2"
