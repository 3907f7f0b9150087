"""The local LangSmith server as clients meet it: the SDK, every fault, a port that closes, a process of its own."""

import http.client
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from threading import Thread
from typing import Any
from urllib.error import URLError

import langsmith
import pytest

from support.langsmith_requests import KEY, ask, run, send_batch
from support.langsmith_server import Fault, LangSmithServer, Request, ServerProcess

CONNECTION_FAULTS = (URLError, ConnectionError, http.client.HTTPException)


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(KEY) as server:
        yield server


@pytest.fixture
def sdk(server: LangSmithServer) -> Iterator[Callable[[], langsmith.Client]]:
    """Makes the SDK's client, which asks for `/info` when it is first used."""
    clients: list[langsmith.Client] = []

    def make() -> langsmith.Client:
        clients.append(langsmith.Client(server.url, api_key=KEY))
        return clients[-1]

    yield make
    for client in clients:
        client.cleanup()


def calls(client: langsmith.Client, count: int) -> None:
    """Run a program of three functions `count` times, traced by the SDK."""

    @langsmith.traceable(run_type="llm")
    def model(question: str) -> dict[str, Any]:
        return {"text": question, "usage_metadata": {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}}

    @langsmith.traceable(run_type="tool", tags=["calendar"])
    def tool(question: str, *, strict: bool = True) -> list[str]:
        if question == "1":
            raise LookupError(question)
        return [question]

    @langsmith.traceable(metadata={"thread_id": "call-1"})
    def agent(question: str) -> str:
        model(question)
        try:
            tool(question)
        except LookupError:
            return "sorry"
        return "done"

    with langsmith.tracing_context(enabled=True, client=client, project_name="voice"):
        for number in range(count):
            agent(str(number))


@pytest.mark.current_sdk
@pytest.mark.parametrize(
    ("multipart", "zstd", "path", "encoding"),
    [
        (True, True, "/runs/multipart", "zstd"),
        (True, False, "/runs/multipart", None),
        (False, False, "/runs/batch", None),
    ],
)
def test_the_sdk_breaks_no_rule(
    server: LangSmithServer,
    sdk: Callable[[], langsmith.Client],
    multipart: bool,
    zstd: bool,
    path: str,
    encoding: str | None,
) -> None:
    server.info["batch_ingest_config"]["use_multipart_endpoint"] = multipart
    server.info["instance_flags"]["zstd_compression_enabled"] = zstd
    server.enforce_size_limit = not zstd  # which the SDK does not keep to when it compresses
    client = sdk()
    assert _eventually(lambda: (client.compressed_traces is not None) == zstd)  # a thread of the SDK's asks `/info`
    calls(client, 60)
    client.flush()
    assert server.wait_for(180)
    assert server.violations == []
    assert set(server.writes.values()) == {1}
    assert server.orphans == {}
    written = [request for request in server.requests if request.writes]
    assert {(request.path, request.headers.get("content-encoding")) for request in written} == {(path, encoding)}
    assert {made["session_name"] for made in server.runs.values()} == {"voice"}
    assert sum(made.get("error") is not None for made in server.runs.values()) == 1


@pytest.mark.current_sdk
def test_runs_that_the_sdk_creates_and_updates_are_merged(
    server: LangSmithServer, sdk: Callable[[], langsmith.Client]
) -> None:
    posted = run()
    client = sdk()
    client.create_run(
        "step",
        {"question": "when?"},
        "chain",
        id=posted["id"],
        trace_id=posted["trace_id"],
        dotted_order=posted["dotted_order"],
        start_time=datetime.fromisoformat(posted["start_time"]),
        project_name="voice",
    )
    client.flush()
    assert server.wait_for(1)
    client.update_run(
        posted["id"],
        trace_id=posted["trace_id"],
        dotted_order=posted["dotted_order"],
        end_time=datetime.fromisoformat(posted["end_time"]),
        outputs={"answer": "now"},
    )
    client.flush()
    assert _eventually(lambda: server.patches == {posted["id"]: 1})
    assert server.violations == []
    assert server.runs[posted["id"]]["outputs"] == {"answer": "now"}


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
    ],
)
def test_a_fault_with_a_status_stores_nothing_and_spares_reads(
    server: LangSmithServer, fault: Fault, status: int
) -> None:
    server.fault = fault
    assert send_batch(server.url, run()) == status
    assert ask(server.url, "/info")[0] == 200
    assert ask(server.url, "/sessions") == (200, [])
    server.fault_info = True
    assert ask(server.url, "/info")[0] == status
    server.fault = Fault.NONE
    assert server.runs == {}
    assert send_batch(server.url, run()) == 202


def test_only_one_of_the_rate_limits_says_when_to_come_back(server: LangSmithServer) -> None:
    def retry_after() -> str | None:
        connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
        connection.request("POST", "/runs/batch", b"{}")
        answer = connection.getresponse()
        connection.close()
        return answer.getheader("Retry-After")

    server.fault = [Fault.RATE_LIMITED, Fault.RATE_LIMITED_SILENT]
    assert [retry_after(), retry_after()] == ["1", None]


@pytest.mark.parametrize("fault", [Fault.DROP, Fault.NOT_HTTP, Fault.REFUSE])
def test_a_connection_that_ends_early_stores_nothing(server: LangSmithServer, fault: Fault) -> None:
    server.fault = fault
    for path in ("/info", "/runs/batch"):
        with pytest.raises(CONNECTION_FAULTS):
            ask(server.url, path, b"{}")
    assert server.runs == {}


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.CUT_OFF])
def test_an_answer_that_is_lost_is_that_of_a_run_that_is_stored(server: LangSmithServer, fault: Fault) -> None:
    posted = run()
    server.fault = fault
    with pytest.raises(CONNECTION_FAULTS):
        send_batch(server.url, posted)
    server.fault = Fault.NONE
    assert list(server.runs) == [posted["id"]]
    assert send_batch(server.url, posted) == 409


@pytest.mark.parametrize("mixed", ["reject_all", "ignore_old"])
def test_a_partial_conflict_stores_the_first_half(mixed: Any) -> None:
    with LangSmithServer(KEY, mixed_conflict=mixed) as server:
        runs = [run() for _ in range(4)]
        server.fault = Fault.PARTIAL_CONFLICT
        assert send_batch(server.url, *runs) == 409
        assert list(server.runs) == [made["id"] for made in runs[:2]]
        assert send_batch(server.url, runs[2]) == 409
        assert list(server.runs) == [made["id"] for made in runs[:3]]


def test_a_server_that_hangs_answers_nobody_until_it_closes(server: LangSmithServer) -> None:
    outcomes: list[object] = []

    def send() -> None:
        try:
            outcomes.append(send_batch(server.url, run()))
        except CONNECTION_FAULTS as error:
            outcomes.append(type(error))

    server.fault = Fault.HANG
    client = Thread(target=send)
    client.start()
    assert _eventually(lambda: len(server.requests) == 1)
    client.join(0.1)
    assert client.is_alive()
    server.close()
    client.join(5)
    assert outcomes
    assert outcomes != [202]
    assert server.runs == {}


def test_a_slow_server_takes_its_time_and_then_answers(server: LangSmithServer) -> None:
    server.fault, server.slow_seconds = Fault.SLOW, 0.2
    began = time.monotonic()
    assert send_batch(server.url, run()) == 202
    assert time.monotonic() - began >= 0.2


def test_an_answer_may_come_a_byte_at_a_time(server: LangSmithServer) -> None:
    server.fault = Fault.DRIP
    began = time.monotonic()
    assert ask(server.url, "/sessions") == (200, [])
    assert time.monotonic() - began >= 1.0


def test_a_series_of_faults_is_met_by_one_write_each(server: LangSmithServer) -> None:
    server.fault = [Fault.UNAVAILABLE, Fault.NONE, Fault.INVALID]
    assert ask(server.url, "/info")[0] == 200
    assert [send_batch(server.url, run()) for _ in range(4)] == [503, 202, 422, 202]


def test_a_function_decides_which_fault_a_request_meets(server: LangSmithServer) -> None:
    def large(request: Request) -> Fault:
        return Fault.TOO_LARGE if len(request.run_ids) > 2 else Fault.NONE

    server.fault = large
    assert send_batch(server.url, run(), run(), run()) == 413
    assert send_batch(server.url, run(), run()) == 202


def test_what_arrives_is_written_down(server: LangSmithServer) -> None:
    posted, patched = run(), run()
    server.fault = [Fault.UNAVAILABLE]
    send_batch(server.url, posted)
    send_batch(server.url, posted, patches=(patched,))
    first, second = server.requests
    assert (first.method, first.path, first.status) == ("POST", "/runs/batch", 503)
    assert (second.run_ids, second.status) == ((posted["id"], patched["id"]), 202)
    assert second.headers["x-api-key"] == KEY
    assert second.size == int(second.headers["content-length"])
    assert first.time <= second.time


def test_a_server_that_is_stopped_refuses_and_comes_back_where_it_was(server: LangSmithServer) -> None:
    url, posted = server.url, run()
    kept = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    kept.request("GET", "/info")
    kept.getresponse().read()
    send_batch(url, posted)
    server.stop()
    with pytest.raises(URLError, match="refused"):
        send_batch(url, run())
    kept.sock.settimeout(5)
    assert kept.sock.recv(1) == b""
    kept.close()
    server.start()
    assert send_batch(url, posted) == 409


def test_a_server_that_refuses_is_healed(server: LangSmithServer) -> None:
    server.fault = Fault.REFUSE
    with pytest.raises(URLError, match="refused"):
        ask(server.url, "/info")
    server.fault = Fault.NONE
    assert ask(server.url, "/info")[0] == 200


def test_half_a_request_stores_nothing(server: LangSmithServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    connection.putrequest("POST", "/runs/batch")
    connection.putheader("Content-Length", "1000")
    connection.endheaders(b'{"post": []}')
    connection.close()
    assert send_batch(server.url, run()) == 202
    assert len(server.requests) == 1


def test_a_body_may_come_in_chunks(server: LangSmithServer) -> None:
    connection = http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)
    headers = {"x-api-key": KEY, "Content-Type": "application/json"}
    connection.request("POST", "/runs/batch", iter([b'{"post": ', b"[]}"]), headers, encode_chunked=True)
    assert connection.getresponse().status == 202
    connection.close()


def test_waiting_for_runs_gives_up_in_time(server: LangSmithServer) -> None:
    send_batch(server.url, run())
    assert server.wait_for(1, timeout=0)
    assert not server.wait_for(2, timeout=0.01)


def test_a_server_may_be_too_old_for_info(server: LangSmithServer) -> None:
    server.info_status = 404
    assert ask(server.url, "/info") == (404, {"detail": "Not Found"})


def test_a_server_may_keep_ids_only() -> None:
    posted = run()
    with LangSmithServer(KEY, keep="ids") as server:
        assert send_batch(server.url, posted) == 202
        assert send_batch(server.url, posted) == 409
        assert server.wait_for(1)
        assert (server.runs, server.writes) == ({}, {posted["id"]: 1})


def test_a_server_runs_in_a_process_of_its_own() -> None:
    posted = run()
    with ServerProcess(KEY) as server:
        server.fault = Fault.UNAVAILABLE
        assert send_batch(server.url, posted) == 503
        server.fault = Fault.REFUSE
        assert server.fault is Fault.REFUSE
        with pytest.raises(URLError, match="refused"):
            send_batch(server.url, posted)
        server.fault = Fault.NONE
        assert send_batch(server.url, posted) == 202
        assert server.wait_for(1)
        assert send_batch(server.url, run(run_type="agent")) == 422
        assert server.writes == {posted["id"]: 1}
        assert server.runs[posted["id"]]["name"] == "step"
        assert [violation["field"] for violation in server.state["violations"]] == ["run_type"]
    with pytest.raises(URLError, match="refused"):
        ask(server.url, "/info")


@pytest.mark.slow
def test_a_hundred_thousand_runs_take_well_under_a_minute() -> None:
    with ServerProcess(KEY, keep="ids") as server:
        payload = {"text": "a" * 1000}
        began = time.monotonic()
        for _ in range(1000):
            assert send_batch(server.url, *(run(inputs=payload) for _ in range(100))) == 202
        assert server.state["count"] == 100_000
        assert time.monotonic() - began < 60


def _eventually(holds: Callable[[], bool], timeout: float = 5.0) -> bool:
    deadline = time.monotonic() + timeout
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
