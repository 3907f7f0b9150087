"""The connection: one attempt for each request, an answer or none, and no secret in either."""

import gc
import json
import logging
import multiprocessing
import os
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reamon.errors import ConfigurationError
from reamon.exporters import _transport
from reamon.exporters.langsmith import _sdk
from reamon.exporters.langsmith.connection import Answer, Connection, NoAnswer, connect
from support.langsmith_server import Fault, LangSmithServer
from support.talking import receive, reply, speaking

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


# -- answers ---------------------------------------------------------------------------------------------------------


def test_an_answer_is_given_back_as_it_came(server: LangSmithServer) -> None:
    answer = post(connected(server))
    assert answer.status == 202
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"message": "Runs batch ingested"}


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.ERROR_500, 500),
        (Fault.UNAVAILABLE, 503),
        (Fault.RATE_LIMITED, 429),
        (Fault.RATE_LIMITED_SILENT, 429),
        (Fault.UNAUTHORIZED, 401),
        (Fault.FORBIDDEN, 403),
        (Fault.NOT_FOUND, 404),
        (Fault.REQUEST_TIMEOUT, 408),
        (Fault.TOO_LARGE, 413),
        (Fault.INVALID, 422),
        (Fault.GARBAGE, 200),
        (Fault.REDIRECT, 302),
        (Fault.PARTIAL_CONFLICT, 409),
    ],
)
def test_a_refusal_is_an_answer_and_is_asked_for_once(server: LangSmithServer, fault: Fault, status: int) -> None:
    server.fault = fault
    assert post(connected(server)).status == status
    assert len(server.requests) == 1


@pytest.mark.parametrize("body", [b"[]", b"null", b"{", b"\xff\xfe"])
def test_a_refusal_may_say_anything(body: bytes) -> None:
    with speaking(reply("403 Forbidden", body)) as url:
        assert post(Connection(url, KEY)) == Answer(403, {"content-length": str(len(body))}, body)


def test_the_text_of_an_answer_is_one_short_line() -> None:
    answer = Answer(500, {}, b" Internal\r\n\tserver\x1b[31m error " + b"x" * 10_000)
    assert answer.text.startswith("Internal server[31m error xxx")
    assert len(answer.text) == 300


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"\xff", b"[" * 100_000])
def test_what_is_not_json_is_none(body: bytes) -> None:
    assert Answer(200, {}, body).json is None


def test_a_long_refusal_is_cut() -> None:
    with speaking(reply("500 Oh no", b"x" * 1_000_000)) as url:
        assert len(post(Connection(url, KEY)).body) == 65_536


def test_an_answer_without_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "LONGEST_ANSWER", 1000)
    with speaking(reply("200 OK", b"x" * 1001)) as url, pytest.raises(NoAnswer):
        Connection(url, KEY).request("GET", "/sessions")
    with speaking(reply("200 OK", b"x" * 1000)) as url:
        assert len(Connection(url, KEY).request("GET", "/sessions").body) == 1000


def test_connections_are_kept_and_used_again() -> None:
    accepted = []
    with speaking(lambda peer: (accepted.append(1), [reply("202 Accepted", b"{}")(peer) for _ in range(3)])) as url:
        connection = Connection(url, KEY)
        for _ in range(3):
            assert post(connection).status == 202
    assert len(accepted) == 1


def test_threads_share_a_connection(server: LangSmithServer) -> None:
    connection, statuses = connected(server, read_timeout=5.0), []
    threads = [threading.Thread(target=lambda: statuses.append(post(connection).status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [202] * 8


def test_what_one_request_says_is_not_said_by_the_next() -> None:
    heads: list[bytes] = []

    def talk(peer: socket.socket) -> None:
        for _ in range(4):
            head, _, rest = peer.recv(65536).partition(b"\r\n\r\n")
            heads.append(head.lower() + b"\r\n" + (rest or peer.recv(65536)))
            peer.sendall(b"HTTP/1.1 202 Accepted\r\nSet-Cookie: seen=1\r\nContent-Length: 2\r\n\r\n{}")

    with speaking(talk) as url:
        connection = Connection(url, KEY)
        connection.request("POST", "/runs", data=b"squeezed", headers={"Content-Encoding": "zstd", "X-Size": "30"})
        connection.request("POST", "/runs", data=b"again", headers={"Content-Encoding": "zstd", "X-Size": "31"})
        connection.request("POST", "/runs", data=b"plain")
        connection.request("PATCH", "/runs/1", data=b"other")

    assert [head.splitlines()[-1] for head in heads] == [b"squeezed", b"again", b"plain", b"other"]
    assert [b"content-length: %d" % size in head for size, head in zip((8, 5, 5, 5), heads, strict=True)] == [True] * 4
    assert [b"content-encoding: zstd" in head for head in heads] == [True, True, False, False]
    assert [b"x-size: 31" in head for head in heads] == [False, True, False, False]
    assert all(b"x-api-key: " + KEY.encode() in head for head in heads)
    assert not any(b"cookie" in head for head in heads)
    assert heads[3].startswith(b"patch /runs/1 ")


# -- who asks --------------------------------------------------------------------------------------------------------


def test_the_workspace_goes_with_each_request(server: LangSmithServer) -> None:
    server.workspaces = {"w-1"}
    assert post(connected(server, workspace_id="w-1")).status == 202
    assert post(connected(server)).status == 403


def test_neither_the_environment_nor_a_profile_change_who_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    profile = {"api_url": "http://127.0.0.1:9", "api_key": "other", "workspace_id": "w-profile"}
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"current_profile": "default", "profiles": {"default": profile}}))
    for name, value in {
        "CONFIG_FILE": str(config),
        "API_KEY": "another",
        "WORKSPACE_ID": "w-environment",
        "RUNS_ENDPOINTS": '{"http://127.0.0.1:9": "other"}',
        "TRACING_SAMPLING_RATE": "7",
        "TRACING_MODE": "nonsense",
        "TRACING": "true",
    }.items():
        monkeypatch.setenv(f"LANGSMITH_{name}", value)
    headers: list[bytes] = []

    def talk(peer: socket.socket) -> None:
        headers.append(receive(peer).lower())
        peer.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n")

    with speaking(talk) as url:
        assert post(Connection(url, KEY)).status == 202
        assert post(Connection(url, None)).status == 202
    assert f"x-api-key: {KEY}\r\n".encode() in headers[0]
    assert b"x-api-key" not in headers[1]
    assert b"x-tenant-id" not in headers[0] + headers[1]


@pytest.mark.parametrize("name", ["LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"])
def test_variables_that_the_sdk_does_not_bear_are_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("LANGSMITH_RUNS_ENDPOINTS", "{}")
    with pytest.raises(ConfigurationError, match=f"{name} and LANGSMITH_RUNS_ENDPOINTS .* unset one of them"):
        connect("http://127.0.0.1:9", KEY)


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def talk(peer: socket.socket) -> None:
        asked.append(receive(peer).splitlines()[0])
        peer.sendall(b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}")

    with speaking(talk) as proxy:
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("no_proxy", "")
        assert post(Connection("http://langsmith.invalid", KEY)).status == 202
    assert asked == [b"POST http://langsmith.invalid/runs/batch HTTP/1.1"]


# -- secrets ---------------------------------------------------------------------------------------------------------


def secrets_in(text: str) -> bool:
    """The key, or the SDK's way to show it masked."""
    return KEY in text or KEY[:5] in text


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault not in {Fault.NONE, Fault.SLOW, Fault.DRIP}])
def test_the_key_shows_nowhere(server: LangSmithServer, caplog: pytest.LogCaptureFixture, fault: Fault) -> None:
    caplog.set_level(logging.DEBUG)
    server.fault = fault
    connection = connected(server, read_timeout=0.3 if fault is Fault.HANG else 10.0)
    said = [repr(connection)]
    try:
        said.append(repr(post(connection)))
    except NoAnswer as error:
        said += traceback.format_exception(error)
    assert not secrets_in("".join(said) + caplog.text)


def test_a_key_that_is_sent_back_is_blotted_out() -> None:
    with speaking(reply(f"401 Unauthorized\r\nX-You-Sent: {KEY}", f'{{"detail": "bad key {KEY}"}}'.encode())) as url:
        answer = post(Connection(url, KEY))
    assert answer.json == {"detail": "bad key (the API key)"}
    assert answer.headers["x-you-sent"] == "(the API key)"


# -- one for each process --------------------------------------------------------------------------------------------


def test_the_same_arguments_share_a_connection() -> None:
    first = connect("http://127.0.0.1:9", KEY, workspace_id="w")
    assert connect("http://127.0.0.1:9", KEY, workspace_id="w") is first
    assert connect("http://127.0.0.1:9", KEY) is not first
    assert connect("http://127.0.0.1:9", "other", workspace_id="w") is not first
    assert connect("http://127.0.0.1:9", KEY, workspace_id="w", read_timeout=1.0) is not first


def in_child(work: Callable[[], object]) -> object:
    """What `work` gives in a forked child."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        try:
            sender.send(work())
        finally:
            os._exit(0)
    try:
        assert receiver.poll(20), "the child does not say anything"
        return receiver.recv()
    finally:
        os.waitpid(child, 0)


def test_a_forked_child_has_a_connection_of_its_own(server: LangSmithServer) -> None:
    inherited = connect(server.url, KEY)
    assert post(inherited).status == 202

    def ask() -> tuple[bool, int]:
        own = connect(server.url, KEY)
        status = post(own).status
        gc.collect()
        return own is inherited, status

    assert in_child(ask) == (False, 202)
    assert post(inherited).status == 202


def test_a_child_that_is_forked_while_the_sdk_is_imported_does_not_wait_for_ever(server: LangSmithServer) -> None:
    imported = threading.Event()

    def import_slowly() -> None:
        with _sdk._importing:
            imported.set()
            time.sleep(0.2)

    thread = threading.Thread(target=import_slowly)
    thread.start()
    imported.wait()
    assert in_child(lambda: post(connect(server.url, KEY)).status) == 202
    thread.join()
