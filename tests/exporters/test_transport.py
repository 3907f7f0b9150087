"""Every exchange ends, and where it ends without an answer it is said why."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

from reamon.exporters import _transport
from reamon.exporters.langsmith.connection import Answer, Connection, NoAnswer
from support.langsmith_server import Fault, LangSmithServer
from support.talking import drip, speaking

KEY = "lsv2_pt_0123456789abcdef"
BODY = b'{"post":[],"patch":[]}'


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(api_key=KEY) as server:
        yield server


def connected(server: LangSmithServer, **options: Any) -> Connection:
    return Connection(server.url, KEY, **{"connect_timeout": 10.0, "read_timeout": 10.0, **options})


def post(connection: Connection, body: bytes = BODY) -> Answer:
    return connection.request("POST", "/runs/batch", data=body)


@pytest.mark.parametrize(
    ("fault", "says", "cause"),
    [
        (Fault.REFUSE, "refused", ConnectionRefusedError),
        (Fault.HANG, "took too long", TimeoutError),
        (Fault.DROP, "closed in the middle", ConnectionError),
        (Fault.LOSE_ANSWER, "closed in the middle", ConnectionError),
        (Fault.NOT_HTTP, "not HTTP", Exception),
        (Fault.CUT_OFF, "only a part", Exception),
    ],
)
def test_where_there_is_no_answer_it_is_said_why(
    server: LangSmithServer, fault: Fault, says: str, cause: type[Exception]
) -> None:
    server.fault = fault
    with pytest.raises(NoAnswer, match=says) as caught:
        post(connected(server, read_timeout=0.3 if fault is Fault.HANG else 10.0))
    assert isinstance(caught.value.__cause__, cause)
    assert server.url.removeprefix("http://") in str(caught.value)


def test_a_host_that_nobody_knows_is_said_to_be_that() -> None:
    with pytest.raises(NoAnswer, match=r"from langsmith\.invalid: the name of the host is not known") as caught:
        post(Connection("http://langsmith.invalid", KEY))
    assert isinstance(caught.value.__cause__, socket.gaierror)


def test_a_server_without_tls_is_said_to_have_none(server: LangSmithServer) -> None:
    with pytest.raises(NoAnswer, match="TLS failed"):
        post(Connection(server.url.replace("http:", "https:"), KEY, connect_timeout=1.0))


@pytest.mark.parametrize("size", [10, 5_000_000])
@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 202 OK\r\n", b"HTTP/1.1 202 OK\r\n\r\n"])
def test_a_server_that_drips_is_not_listened_to_for_ever(beginning: bytes, size: int) -> None:
    with speaking(drip(beginning)) as url:
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="took too long"):
            post(Connection(url, KEY, connect_timeout=0.2, read_timeout=0.2), b"x" * size)
        assert time.monotonic() - began < 3.0


def test_a_body_that_drips_is_not_listened_to_for_ever(server: LangSmithServer) -> None:
    server.fault = Fault.DRIP
    with pytest.raises(NoAnswer, match="took too long"):
        post(connected(server, connect_timeout=0.1, read_timeout=0.1))


def test_a_server_that_reads_slowly_is_not_fed_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "_SLOWEST_LINE", 10**9)

    def read_slowly(peer: socket.socket) -> None:
        while peer.recv(16_384):
            time.sleep(0.05)

    with speaking(read_slowly) as url:
        began = time.monotonic()
        with pytest.raises(NoAnswer, match="took too long"):
            post(Connection(url, KEY, connect_timeout=0.3, read_timeout=0.2), b"x" * 50_000_000)
        assert time.monotonic() - began < 3.0


def test_a_large_body_may_take_longer_to_send_than_to_connect() -> None:
    def read_all_slowly(peer: socket.socket) -> None:
        left = 8_000_000
        while left > 0:
            left -= len(peer.recv(200_000))
            time.sleep(0.01)
        peer.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    with speaking(read_all_slowly) as url:
        assert post(Connection(url, KEY, connect_timeout=0.2, read_timeout=1.0), b"x" * 8_000_000).status == 202


def test_after_an_outage_the_same_connection_works(server: LangSmithServer) -> None:
    connection = connected(server)
    assert post(connection).status == 202
    server.stop()
    with pytest.raises(NoAnswer):
        post(connection)
    server.start()
    assert post(connection).status == 202


def test_a_password_in_the_address_does_not_show() -> None:
    with pytest.raises(NoAnswer) as caught:
        post(Connection("http://somebody:hunter2@127.0.0.1:9", KEY))
    assert str(caught.value) == "no answer from 127.0.0.1:9: the connection was refused"
    assert "hunter2" not in repr(caught.value.__cause__)
