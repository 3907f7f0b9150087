"""httpx: the trace goes on in services of one's own, and strangers learn nothing of it."""

import asyncio
import importlib.util
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

import reamon
from reamon.errors import ConfigurationError
from reamon.integrations.httpx_client import instrument_httpx, request_hook
from reamon.testing import Captured
from support.echo_server import OURS, EchoServer, echo_server
from support.nested import nested

Instrument = Callable[..., Callable[[], None]]
STRANGER = "http://api.openai.com"
MINE = "http://crm.example.com"
ALL = set(OURS)


@pytest.fixture
def server() -> Iterator[EchoServer]:
    """A server, and the proxy in front of all others."""
    with echo_server() as echo:
        yield echo


@pytest.fixture
def instrument() -> Iterator[Instrument]:
    """`instrument_httpx`, undone after the test."""
    undos: list[Callable[[], None]] = []

    def install(**options: Any) -> Callable[[], None]:
        undos.append(instrument_httpx(**options))
        return undos[-1]

    yield install
    for undo in reversed(undos):
        undo()


@pytest.fixture(params=["sync", "async"])
def get(request: pytest.FixtureRequest, server: EchoServer) -> Callable[..., httpx.Response]:
    """Gets a URL, with a client of either kind, through the proxy if it is not the server's own."""

    def sync_get(url: str, **options: Any) -> httpx.Response:
        proxy = None if url.startswith(server.url) and "to=" not in url else server.url
        with httpx.Client(proxy=proxy, follow_redirects=True, **options) as client:
            return client.get(url)

    def async_get(url: str, **options: Any) -> httpx.Response:
        async def inside() -> httpx.Response:
            proxy = None if url.startswith(server.url) and "to=" not in url else server.url
            async with httpx.AsyncClient(proxy=proxy, follow_redirects=True, **options) as client:
                return await client.get(url)

        return asyncio.run(inside())

    return sync_get if request.param == "sync" else async_get


Get = Callable[..., httpx.Response]


def test_without_instrumentation_nothing_goes_along(captured: Captured, server: EchoServer, get: Get) -> None:
    with reamon.trace_workflow("turn", call_id="c-1"):
        get(server.url + "/a")
    assert server.at("/a").ours == set()


def test_a_request_to_a_service_of_ones_own_carries_the_span(
    captured: Captured, server: EchoServer, instrument: Instrument, get: Get
) -> None:
    instrument()
    with reamon.trace_workflow("turn", call_id="c-1") as turn:
        response = get(server.url + "/a", headers={"tracestate": "other=1", "x-mine": "1"})
    with reamon.extract(server.at("/a").headers), reamon.trace_step("there"):
        pass
    there = captured.one("there")
    assert (there.parent_id, there.call_id) == (turn.span_id, "c-1")
    assert server.at("/a").headers["tracestate"].endswith(",other=1")
    assert set(OURS) & set(response.request.headers) == {"tracestate"}  # what the application sees is as it was
    assert response.request.headers["tracestate"] == "other=1"


def test_a_stranger_learns_nothing(captured: Captured, server: EchoServer, instrument: Instrument, get: Get) -> None:
    instrument(hosts=["crm.example.com"])
    with reamon.trace_workflow("turn", call_id="c-1"):
        get(STRANGER + "/v1", headers={"traceparent": "the application's own"})
        get(MINE + "/leads")
    assert server.at("/v1").headers["traceparent"] == "the application's own"
    assert server.at("/v1").ours == {"traceparent"}
    assert server.at("/leads").ours == ALL


def test_a_redirect_to_a_stranger_loses_the_headers_and_one_back_gets_them_again(
    captured: Captured, server: EchoServer, instrument: Instrument, get: Get
) -> None:
    instrument()
    with reamon.trace_workflow("turn", call_id="c-1"):
        get(f"{server.url}/redirect?to={STRANGER}/redirect%3Fto={server.url}/back", headers={"baggage": "a=b"})
    own, strange, back = server.received
    assert (own.host, strange.host, back.host) == ("127.0.0.1", "api.openai.com", "127.0.0.1")
    assert (own.ours, strange.ours, back.ours) == (ALL, {"baggage"}, ALL)
    assert strange.headers["baggage"] == "a=b"


def test_where_nothing_runs_nothing_is_written(
    captured: Captured, server: EchoServer, instrument: Instrument, get: Get
) -> None:
    instrument(trace=True)
    get(server.url + "/outside")
    with reamon.suppress():
        get(server.url + "/suppressed")
    reamon.shutdown()
    with reamon.trace_workflow("turn"):
        get(server.url + "/unconfigured")
    assert [request.ours for request in server.received] == [set(), set(), set()]
    assert captured.spans == []


def test_the_caller_of_another_system_is_passed_on(
    captured: Captured, server: EchoServer, instrument: Instrument, get: Get
) -> None:
    instrument()
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with reamon.extract({"traceparent": caller}):
        get(server.url + "/a")
    assert server.at("/a").headers["traceparent"] == caller


def test_each_request_may_be_a_step(captured: Captured, server: EchoServer, instrument: Instrument, get: Get) -> None:
    instrument(trace=True)
    with reamon.trace_workflow("turn"):
        get(f"{server.url}/redirect?to={STRANGER}/v1?key%3Dsecret")
        get(server.url + "/status/503")
    reamon.flush()
    here = f"http://127.0.0.1:{server.port}"

    def seen(host: str, url: str, status: int) -> dict[str, Any]:
        return {
            "http.request.method": "GET",
            "url.full": url,
            "server.address": host,
            "http.response.status_code": status,
        }

    assert nested(captured) == [
        (
            "turn",
            [
                ("GET 127.0.0.1", seen("127.0.0.1", f"{here}/redirect?to=…", 302), []),
                ("GET api.openai.com", seen("api.openai.com", f"{STRANGER}/v1?key=…", 200), []),
                ("GET 127.0.0.1", seen("127.0.0.1", f"{here}/status/503", 503), []),
            ],
        )
    ]
    assert [(span.status, span.status_reason) for span in captured.named("GET 127.0.0.1")] == [
        ("ok", None),
        ("error", "HTTP 503"),
    ]
    assert "secret" not in repr(captured.spans)
    with reamon.extract(server.received[0].headers) as parent:
        assert parent.span_id == captured.named("GET 127.0.0.1")[0].span_id


def test_a_request_that_fails_raises_as_ever_and_says_so(
    captured: Captured, server: EchoServer, instrument: Instrument, get: Get
) -> None:
    instrument(trace=True)
    with reamon.trace_workflow("turn"), pytest.raises(httpx.RemoteProtocolError):
        get(server.url + "/cut")
    step = captured.one("GET 127.0.0.1")
    assert (step.status, step.error and step.error.type) == ("error", "httpx.RemoteProtocolError")


async def test_a_request_that_is_cancelled_is(captured: Captured, server: EchoServer, instrument: Instrument) -> None:
    instrument(trace=True)
    async with httpx.AsyncClient() as client:
        with reamon.trace_workflow("turn"), pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get(server.url + "/slow"), 0.05)
    assert captured.one("GET 127.0.0.1").status == "cancelled"


def test_a_request_that_is_sent_again_is_counted(
    captured: Captured, server: EchoServer, instrument: Instrument
) -> None:
    class Stubborn(httpx.BaseTransport):
        def __init__(self) -> None:
            self.inner = httpx.HTTPTransport()

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            for _ in range(2):
                self.inner.handle_request(request).close()
            return self.inner.handle_request(request)

    instrument(trace=True)
    with httpx.Client(transport=Stubborn()) as client, reamon.trace_workflow("turn"):
        client.get(server.url + "/a")
    counts = [span.attributes.get("http.request.resend_count") for span in captured.named("GET 127.0.0.1")]
    assert counts == [None, 1, 2]


async def test_a_stream_is_the_applications_as_ever(
    captured: Captured, server: EchoServer, instrument: Instrument
) -> None:
    instrument(trace=True)
    async with httpx.AsyncClient() as client:
        with reamon.trace_workflow("turn", call_id="c-1"):
            async with client.stream("POST", server.url + "/stream", content=b"body") as response:
                assert b"".join([part async for part in response.aiter_bytes()]) == b"one two"
            async with client.stream("GET", server.url + "/stream"):
                pass  # abandoned
    assert [span.status for span in captured.spans] == ["ok", "ok", "ok"]
    assert [request.ours for request in server.received] == [ALL, ALL]


async def test_requests_at_once_each_carry_their_own_span(
    captured: Captured, server: EchoServer, instrument: Instrument
) -> None:
    instrument()
    turns = {}
    async with httpx.AsyncClient() as client:

        async def turn(number: int) -> None:
            with reamon.trace_workflow("turn", call_id="c-1") as span:
                turns[f"/{number}"] = span.span_id
                await client.get(f"{server.url}/{number}")

        await asyncio.gather(*(turn(number) for number in range(10)))
    for path, span_id in turns.items():
        with reamon.extract(server.at(path).headers) as parent:
            assert parent.span_id == span_id


async def test_an_application_served_in_process_goes_on_with_the_trace(
    captured: Captured, instrument: Instrument
) -> None:
    seen = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.update(scope["headers"])
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    instrument()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
        with reamon.trace_workflow("turn", call_id="c-1"):
            assert (await client.get("http://app/")).status_code == 204
    assert b"traceparent" in seen


def test_undone_everything_is_as_it_was_and_clients_made_meanwhile_work(captured: Captured, server: EchoServer) -> None:
    before = [httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request]
    with httpx.Client() as client:
        undo = instrument_httpx()
        with reamon.trace_workflow("turn", call_id="c-1"):
            client.get(server.url + "/instrumented")
            undo()
            undo()
            client.get(server.url + "/undone")
    assert (server.at("/instrumented").ours, server.at("/undone").ours) == (ALL, set())
    assert [httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request] == before


@pytest.mark.parametrize("first_out", [0, 1])
def test_two_instrumentations_come_off_in_any_order(captured: Captured, server: EchoServer, first_out: int) -> None:
    before = httpx.HTTPTransport.handle_request
    undos = [instrument_httpx(), instrument_httpx(trace=True)]
    with reamon.trace_workflow("turn", call_id="c-1"):
        httpx.get(server.url + "/both")
        undos.pop(first_out)()
        httpx.get(server.url + "/one")
        undos.pop()()
        httpx.get(server.url + "/none")
    assert [request.ours for request in server.received] == [ALL, ALL, set()]
    assert httpx.HTTPTransport.handle_request is before


@pytest.mark.parametrize("options", [{"hosts": "example.com"}, {"hosts": ["http://x"]}, {"trace": "yes"}])
def test_an_option_that_cannot_be_used_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"instrument\('httpx'\)"):
        instrument_httpx(**options)


# -- the hook ----------------------------------------------------------------------------------------------------------


def test_a_hook_does_it_for_one_client(captured: Captured, server: EchoServer, get: Get) -> None:
    with reamon.trace_workflow("turn", call_id="c-1") as turn:
        get(server.url + "/a", event_hooks={"request": [request_hook()]})
        get(server.url + "/b")
    with reamon.extract(server.at("/a").headers) as parent:
        assert parent.span_id == turn.span_id
    assert server.at("/b").ours == set()


def test_a_hook_takes_the_headers_out_where_a_stranger_is_next(
    captured: Captured, server: EchoServer, get: Get
) -> None:
    hooks = {"request": [request_hook()]}
    with reamon.trace_workflow("turn", call_id="c-1"):
        url = f"{server.url}/redirect?to={STRANGER}/redirect%3Fto={server.url}/back"
        get(url, headers={"baggage": "a=b"}, event_hooks=hooks)
    assert [request.ours for request in server.received] == [ALL, {"baggage"}, ALL]
    assert server.received[1].headers["baggage"] == "a=b"


def test_a_hook_works_beside_the_instrumentation_and_in_threads(
    captured: Captured, server: EchoServer, instrument: Instrument
) -> None:
    instrument()
    with httpx.Client(event_hooks={"request": [request_hook()]}) as client:

        def turn(number: int) -> None:
            with reamon.trace_workflow("turn", call_id=str(number)):
                client.get(f"{server.url}/{number}")

        threads = [threading.Thread(target=turn, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    for number in range(8):
        with reamon.extract(server.at(f"/{number}").headers) as parent:
            assert parent.call_id == str(number)


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("first_out", [0, 1])
def test_beside_what_records_model_calls_in_any_order(
    captured: Captured, server: EchoServer, ours_first: bool, first_out: int
) -> None:
    methods = [(httpx.HTTPTransport, "handle_request"), (httpx.Client, "send")]
    before = [vars(owner)[name] for owner, name in methods]
    names = ["httpx", "ollama"] if ours_first else ["ollama", "httpx"]
    handles = [reamon.instrument(name) for name in names]
    with httpx.Client() as client, reamon.trace_workflow("turn", call_id="c-1"):
        client.get(server.url + "/both")
        gone = handles.pop(first_out)
        gone.uninstrument()
        client.get(server.url + "/one")
        handles.pop().uninstrument()
        client.get(server.url + "/none")
    left = set() if gone.target == "httpx" else ALL
    assert [request.ours for request in server.received] == [ALL, left, set()]
    assert [vars(owner)[name] for owner, name in methods] == before


@pytest.mark.parametrize("name", ["httpx", "httpx2"])
def test_it_is_the_same_for_the_next_generation(
    captured: Captured, server: EchoServer, instrument: Instrument, name: str
) -> None:
    module = importlib.import_module(name) if importlib.util.find_spec(name) else httpx
    instrument()
    with reamon.trace_workflow("turn", call_id="c-1"):
        module.get(server.url + "/a")
    assert server.at("/a").ours == ALL
