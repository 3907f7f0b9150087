"""aiohttp: the trace goes on in services of one's own, and strangers learn nothing of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

import reamon
from reamon.errors import ConfigurationError
from reamon.integrations.aiohttp_client import instrument_aiohttp, trace_config
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
    """`instrument_aiohttp`, undone after the test."""
    undos: list[Callable[[], None]] = []

    def install(**options: Any) -> Callable[[], None]:
        undos.append(instrument_aiohttp(**options))
        return undos[-1]

    yield install
    for undo in reversed(undos):
        undo()


async def get(session: aiohttp.ClientSession, url: str, **options: Any) -> aiohttp.ClientResponse:
    """Get a URL and read it to its end."""
    async with session.get(url, **options) as response:
        await response.read()
        return response


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    """A session that is made before anything is instrumented."""
    async with aiohttp.ClientSession() as made:
        yield made


async def test_without_instrumentation_nothing_goes_along(
    captured: Captured, server: EchoServer, session: aiohttp.ClientSession
) -> None:
    with reamon.trace_workflow("turn", call_id="c-1"):
        await get(session, server.url + "/a")
    assert server.at("/a").ours == set()


async def test_a_request_to_a_service_of_ones_own_carries_the_span(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument()
    mine = {"tracestate": "other=1"}
    async with aiohttp.ClientSession() as made_after:
        for number, client in enumerate((session, session, made_after)):
            with reamon.trace_workflow("turn", call_id="c-1") as turn:
                await get(client, f"{server.url}/{number}", headers=mine)
            with reamon.extract(server.at(f"/{number}").headers) as parent:
                assert (parent.span_id, parent.call_id) == (turn.span_id, "c-1")
    assert mine == {"tracestate": "other=1"}
    assert server.at("/2").headers["tracestate"].endswith(",other=1")


async def test_a_stranger_learns_nothing(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument(hosts=["crm.example.com"])
    with reamon.trace_workflow("turn", call_id="c-1"):
        await get(session, STRANGER + "/v1", proxy=server.url, headers={"traceparent": "the application's own"})
        await get(session, MINE + "/leads", proxy=server.url)
    assert server.at("/v1").headers["traceparent"] == "the application's own"
    assert server.at("/v1").ours == {"traceparent"}
    assert server.at("/leads").ours == ALL


async def test_a_redirect_to_a_stranger_loses_the_headers_and_one_back_gets_them_again(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument()
    url = f"{server.url}/redirect?to={STRANGER}/redirect%3Fto={server.url}/back"
    with reamon.trace_workflow("turn", call_id="c-1"):
        await get(session, url, proxy=server.url, headers={"baggage": "a=b"})
    own, strange, back = server.received
    assert (own.host, strange.host, back.host) == ("127.0.0.1", "api.openai.com", "127.0.0.1")
    assert (own.ours, strange.ours, back.ours) == (ALL, {"baggage"}, ALL)
    assert strange.headers["baggage"] == "a=b"


async def test_a_redirect_within_ones_own_is_followed_with_them(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument()
    with reamon.trace_workflow("turn", call_id="c-1"):
        await get(session, f"{server.url}/redirect?to=/next")
    assert server.at("/next").ours == ALL


async def test_where_nothing_runs_nothing_is_written(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument(trace=True)
    await get(session, f"{server.url}/redirect?to=/outside")
    with reamon.suppress():
        await get(session, server.url + "/suppressed")
    reamon.shutdown()
    with reamon.trace_workflow("turn"):
        await get(session, server.url + "/unconfigured")
    assert {len(request.ours) for request in server.received} == {0}
    assert captured.spans == []


async def test_each_request_may_be_a_step(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument(trace=True)
    with reamon.trace_workflow("turn"):
        await get(session, f"{server.url}/redirect?to=/v1%3Fkey=secret")
        await get(session, server.url + "/status/404")
    here = f"http://127.0.0.1:{server.port}"

    def seen(url: str, status: int) -> dict[str, Any]:
        return {
            "http.request.method": "GET",
            "url.full": url,
            "server.address": "127.0.0.1",
            "http.response.status_code": status,
        }

    assert nested(captured) == [
        (
            "turn",
            [
                ("GET 127.0.0.1", seen(f"{here}/redirect?to=…", 200), []),
                ("GET 127.0.0.1", seen(f"{here}/status/404", 404), []),
            ],
        )
    ]
    redirected, refused = captured.named("GET 127.0.0.1")
    assert [(event.name, event.attributes) for event in redirected.events] == [
        ("redirect", {"url": f"{here}/v1?key=…"})
    ]
    assert (redirected.status, refused.status, refused.status_reason) == ("ok", "error", "HTTP 404")
    assert "secret" not in repr(captured.spans)
    for request in server.received[:2]:
        with reamon.extract(request.headers) as parent:
            assert parent.span_id == redirected.span_id


async def test_a_request_that_fails_raises_as_ever_and_says_so(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument(trace=True)
    with reamon.trace_workflow("turn"), pytest.raises(aiohttp.ServerDisconnectedError):
        await session.post(server.url + "/cut")
    step = captured.one("POST 127.0.0.1")
    assert (step.status, step.error and step.error.type.rpartition(".")[2]) == ("error", "ServerDisconnectedError")


async def test_a_request_that_the_session_sends_again_is_counted(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument(trace=True)
    with reamon.trace_workflow("turn"):
        await get(session, server.url + "/a")
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await session.get(server.url + "/cut")  # on a connection that was open: it may have been closed meanwhile
    assert [span.attributes.get("http.request.resend_count") for span in captured.named("GET 127.0.0.1")] == [None, 1]


async def test_a_request_that_is_cancelled_is(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument(trace=True)
    with reamon.trace_workflow("turn"), pytest.raises(TimeoutError):
        await asyncio.wait_for(session.get(server.url + "/slow"), 0.05)
    assert captured.one("GET 127.0.0.1").status == "cancelled"


async def test_requests_at_once_each_carry_their_own_span(
    captured: Captured, server: EchoServer, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    instrument()
    turns = {}

    async def turn(number: int) -> None:
        with reamon.trace_workflow("turn") as span:
            turns[f"/{number}"] = span.span_id
            await get(session, f"{server.url}/{number}")

    await asyncio.gather(*(turn(number) for number in range(10)))
    for path, span_id in turns.items():
        with reamon.extract(server.at(path).headers) as parent:
            assert parent.span_id == span_id


async def test_a_websocket_carries_it_too(
    captured: Captured, instrument: Instrument, session: aiohttp.ClientSession
) -> None:
    seen: dict[str, str] = {}

    async def talk(request: web.Request) -> web.WebSocketResponse:
        seen.update({name.lower(): value for name, value in request.headers.items()})
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_str(await socket.receive_str())
        return socket

    app = web.Application()
    app.router.add_get("/talk", talk)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    instrument(trace=True)
    with reamon.trace_workflow("turn") as turn:
        async with session.ws_connect(f"http://127.0.0.1:{port}/talk") as socket:
            await socket.send_str("hello")
            assert await socket.receive_str() == "hello"
    await runner.cleanup()
    with reamon.extract(seen) as parent:
        step = captured.one("GET 127.0.0.1")
        assert (parent.span_id, step.parent_id) == (step.span_id, turn.span_id)
    assert step.attributes["http.response.status_code"] == 101


async def test_undone_everything_is_as_it_was(
    captured: Captured, server: EchoServer, session: aiohttp.ClientSession
) -> None:
    before = vars(aiohttp.ClientSession)["_request"]
    undo = instrument_aiohttp()
    with reamon.trace_workflow("turn", call_id="c-1"):
        await get(session, server.url + "/instrumented")
        undo()
        undo()
        await get(session, server.url + "/undone")
    assert (server.at("/instrumented").ours, server.at("/undone").ours) == (ALL, set())
    assert vars(aiohttp.ClientSession)["_request"] is before
    assert session.trace_configs == []


@pytest.mark.parametrize("options", [{"hosts": "example.com"}, {"hosts": ["http://x"]}, {"trace": "yes"}])
def test_an_option_that_cannot_be_used_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"instrument\('aiohttp'\)"):
        instrument_aiohttp(**options)


async def test_a_trace_config_does_it_for_one_session(
    captured: Captured, server: EchoServer, session: aiohttp.ClientSession
) -> None:
    mine = trace_config(hosts=["crm.example.com"], trace=True)
    async with aiohttp.ClientSession(trace_configs=[mine]) as traced:
        with reamon.trace_workflow("turn", call_id="c-1"):
            await get(traced, MINE + "/leads", proxy=server.url)
            await get(session, server.url + "/other")
    assert (server.at("/leads").ours, server.at("/other").ours) == (ALL, set())
    assert [span.name for span in captured.spans] == ["GET crm.example.com", "turn"]


async def test_two_of_ours_do_it_once(captured: Captured, server: EchoServer, instrument: Instrument) -> None:
    instrument(trace=True)
    async with aiohttp.ClientSession(trace_configs=[trace_config(), trace_config(trace=True)]) as both:
        with reamon.trace_workflow("turn", call_id="c-1") as turn:
            await get(both, f"{server.url}/redirect?to={STRANGER}/v1", proxy=server.url)
    own, strange = server.received
    assert (own.ours, strange.ours) == (ALL, set())
    with reamon.extract(own.headers) as parent:
        assert parent.span_id == turn.span_id


@pytest.mark.parametrize("ours_first", [True, False])
@pytest.mark.parametrize("first_out", [0, 1])
async def test_beside_what_records_model_calls_in_any_order(
    captured: Captured, server: EchoServer, session: aiohttp.ClientSession, ours_first: bool, first_out: int
) -> None:
    before = vars(aiohttp.ClientSession)["_request"]
    names = ["aiohttp", "ollama"] if ours_first else ["ollama", "aiohttp"]
    handles = [reamon.instrument(name) for name in names]
    with reamon.trace_workflow("turn", call_id="c-1"):
        await get(session, server.url + "/both")
        gone = handles.pop(first_out)
        gone.uninstrument()
        await get(session, server.url + "/one")
        handles.pop().uninstrument()
        await get(session, server.url + "/none")
    left = set() if gone.target == "aiohttp" else ALL
    assert [request.ours for request in server.received] == [ALL, left, set()]
    assert vars(aiohttp.ClientSession)["_request"] is before
