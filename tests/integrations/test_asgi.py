"""ASGI: the middleware in real applications, behind a real server."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn
import websockets
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.websockets import WebSocket

import reamon
from reamon.errors import ConfigurationError
from reamon.guard import guard
from reamon.integrations.asgi import ReamonMiddleware, from_private_network
from reamon.testing import Captured
from support.nested import nested

STRANGER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class RefusedError(Exception):
    """An error of the application."""


@reamon.trace_step
async def step() -> str:
    """What the application does, as it is traced without a middleware."""
    return reamon.current_span().trace_id


async def plain(request: Request) -> Response:
    return JSONResponse({"enabled": reamon.enabled(), "trace_id": await step() if reamon.enabled() else ""})


async def workflow(request: Request) -> Response:
    with reamon.trace_workflow("turn"):
        return PlainTextResponse("done")


async def fail(request: Request) -> Response:
    raise RefusedError("no budget")


async def refuse(request: Request) -> Response:
    return PlainTextResponse("no", status_code=int(request.path_params["status"]))


async def stream(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(3):
            with reamon.trace_step("part"):
                await asyncio.sleep(0)
            yield b"part "

    return StreamingResponse(parts())


async def endless(request: Request) -> Response:
    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield b"part " * 1000
            await asyncio.sleep(0.001)

    return StreamingResponse(parts())


async def background(request: Request) -> Response:
    return PlainTextResponse("accepted", background=BackgroundTask(step))


async def talk(ws: WebSocket) -> None:
    await ws.accept()
    await ws.send_text(await ws.receive_text())
    await step()
    await ws.close(4001)


def application(outside: bool = False, **options: Any) -> Any:
    """A Starlette application with the middleware inside, or around it."""
    events: list[str] = []

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        events.append("up")
        yield
        events.append("down")

    app = Starlette(
        routes=[
            Route("/plain", plain),
            Route("/health", plain),
            Route("/internal/{name}", plain),
            Route("/workflow", workflow),
            Route("/fail", fail),
            Route("/refuse/{status}", refuse),
            Route("/stream", stream),
            Route("/endless", endless),
            Route("/background", background),
            Mount("/calls/{call_id}", routes=[Route("/turns/{turn:int}", plain, methods=["POST"])]),
            WebSocketRoute("/talk/{call_id}", talk),
        ],
        lifespan=lifespan,
    )
    app.state.events = events
    if outside:
        return ReamonMiddleware(app, **options)
    app.add_middleware(ReamonMiddleware, **options)
    return app


@asynccontextmanager
async def serving(app: Any) -> AsyncIterator[str]:
    """The address of a real server."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="on"))
    task = asyncio.create_task(server.serve([listening]))
    while not server.started:  # noqa: ASYNC110 - it offers nothing else
        await asyncio.sleep(0.001)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def client_of(app: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an application in this process."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, **options)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        yield client


def sent() -> dict[str, str]:
    """The headers of a request from here."""
    headers: dict[str, str] = {}
    reamon.inject(headers)
    return headers


# -- whose trace it is -------------------------------------------------------------------------------------------------


async def test_without_the_middleware_the_callers_trace_does_not_go_on(captured: Captured) -> None:
    app = Starlette(routes=[Route("/plain", plain)])
    async with client_of(app) as client:
        with reamon.trace_workflow("turn"):
            headers = sent()
        await client.get("/plain", headers=headers)
    assert captured.one("step").is_root


@pytest.mark.parametrize("outside", [False, True])
async def test_what_a_request_starts_is_below_the_caller(captured: Captured, outside: bool) -> None:
    async with serving(application(outside)) as url, httpx.AsyncClient() as client:
        with reamon.trace_workflow("turn", call_id="c-1"):
            response = await client.get(f"{url}/plain", headers=sent())
    reamon.flush()
    assert nested(captured) == [("turn", [("step", [])])]
    assert (captured.one("step").call_id, response.json()["trace_id"]) == ("c-1", captured.one("turn").trace_id)


async def test_by_default_a_request_is_no_span_and_what_it_starts_is_a_trace_of_its_own(captured: Captured) -> None:
    async with client_of(application()) as client:
        await client.get("/plain")
        await client.get("/workflow", headers={"traceparent": STRANGER})
    assert nested(captured) == [("step", []), ("turn", [])]
    assert [link.relation for link in captured.one("turn").links] == ["remote_parent"]


@pytest.mark.parametrize(
    ("trust", "client", "headers", "is_believed"),
    [
        (None, ("127.0.0.1", 1), {}, True),
        (None, ("10.0.0.7", 1), {}, True),
        (None, ("8.8.8.8", 1), {}, False),
        (None, ("10.0.0.7", 1), {"x-forwarded-for": "8.8.8.8"}, False),
        (None, ("10.0.0.7", 1), {"Forwarded": "for=8.8.8.8"}, False),
        (True, ("8.8.8.8", 1), {"x-forwarded-for": "8.8.8.8"}, True),
        (False, ("127.0.0.1", 1), {}, False),
        (lambda scope: dict(scope["headers"]).get(b"x-key") == b"k", ("8.8.8.8", 1), {"x-key": "k"}, True),
        (lambda scope: dict(scope["headers"]).get(b"x-key") == b"k", ("127.0.0.1", 1), {}, False),
    ],
)
async def test_whom_to_believe(
    captured: Captured, trust: Any, client: tuple[str, int], headers: dict[str, str], is_believed: bool
) -> None:
    app = application(**({} if trust is None else {"trust": trust}))
    async with client_of(app, client=client) as http:
        with reamon.trace_workflow("turn"):
            headers = {**headers, **sent()}
        await http.get("/plain", headers=headers)
    assert captured.one("step").is_root != is_believed


def test_a_client_that_is_unknown_is_not_believed() -> None:
    assert not from_private_network({"type": "http", "headers": [], "client": None})


async def test_a_predicate_that_fails_believes_nobody_and_serves(captured: Captured) -> None:
    def broken(scope: Any) -> bool:
        raise KeyError("x-key")

    async with client_of(application(trust=broken, trace=True, name=broken, call_id=broken)) as client:
        with guard.relaxed():
            assert (await client.get("/plain", headers={"traceparent": STRANGER})).status_code == 200
    assert captured.one("step").links == ()


# -- requests as spans -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outside", [False, True])
async def test_a_request_is_a_workflow_that_is_named_by_its_route(captured: Captured, outside: bool) -> None:
    async with client_of(application(outside, trace=True)) as client:
        await client.post("/calls/c-7/turns/3?key=secret")
        await client.get("/nowhere")
    turn, lost = ("POST /calls/{call_id}/turns/{turn:int}", "GET")
    assert nested(captured, without_attributes=True) == [(turn, [("step", [])]), (lost, [])]
    workflow = captured.one(turn)
    assert (workflow.kind, workflow.call_id, captured.one("step").call_id) == ("workflow", "c-7", "c-7")
    assert workflow.attributes == {
        "http.request.method": "POST",
        "url.path": "/calls/c-7/turns/3",
        "http.route": "/calls/{call_id}/turns/{turn:int}",
        "http.response.status_code": 200,
    }
    assert captured.one(lost).attributes["http.response.status_code"] == 404


async def test_below_a_caller_that_is_believed_it_is_a_step(captured: Captured) -> None:
    async with client_of(application(trace=True)) as client:
        with reamon.trace_workflow("turn", call_id="c-1"):
            headers = sent()
        await client.post("/calls/c-7/turns/3", headers=headers)
    assert nested(captured, without_attributes=True) == [
        ("turn", [("POST /calls/{call_id}/turns/{turn:int}", [("step", [])])])
    ]
    assert {span.call_id for span in captured.spans} == {"c-1"}


async def test_below_a_caller_of_another_system_it_is_a_workflow_linked_to_it(captured: Captured) -> None:
    async with client_of(application(trace=True)) as client:
        await client.get("/plain", headers={"traceparent": STRANGER})
    request = captured.one("GET /plain")
    assert (request.kind, [link.relation for link in request.links]) == ("workflow", ["remote_parent"])


@pytest.mark.parametrize(
    ("call_id", "path", "expected"),
    [
        ("x-call", "/plain", "from the header"),
        ("name", "/internal/lead", "lead"),
        (lambda scope: scope["path"].upper(), "/plain", "/PLAIN"),
        (lambda scope: None, "/plain", None),
        ("x-other", "/plain", None),
        (None, "/plain", None),
    ],
)
async def test_where_the_conversation_is_found(
    captured: Captured, call_id: Any, path: str, expected: str | None
) -> None:
    async with client_of(application(trace=True, call_id=call_id)) as client:
        await client.get(path, headers={"X-Call": "from the header"})
    assert captured.one("step").call_id == expected


async def test_one_may_name_requests_oneself(captured: Captured) -> None:
    async with client_of(application(trace=True, name=lambda scope: f"web {scope['path']}")) as client:
        await client.get("/plain")
    assert captured.one("web /plain").kind == "workflow"


@pytest.mark.parametrize("outside", [False, True])
async def test_an_exception_passes_and_is_recorded(captured: Captured, outside: bool) -> None:
    app = application(outside, trace=True)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
        with pytest.raises(RefusedError, match="no budget"):
            await client.get("/fail")
    request = captured.one("GET /fail")
    assert (request.status, request.error and request.error.message) == ("error", "no budget")


@pytest.mark.parametrize(("status", "expected"), [(404, ("ok", None)), (503, ("error", "HTTP 503"))])
async def test_an_answer_that_says_it_failed(captured: Captured, status: int, expected: tuple[str, str | None]) -> None:
    async with client_of(application(trace=True)) as client:
        assert (await client.get(f"/refuse/{status}")).status_code == status
    request = captured.one("GET /refuse/{status}")
    assert (request.status, request.status_reason) == expected


async def test_a_stream_arrives_as_it_is_and_its_parts_are_inside(captured: Captured) -> None:
    async with serving(application(trace=True)) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/stream")).content == b"part part part "
    assert nested(captured, without_attributes=True) == [("GET /stream", [("part", [])] * 3)]


async def test_a_client_that_goes_away_cancels_the_request(captured: Captured) -> None:
    async with serving(application(trace=True)) as url, httpx.AsyncClient() as client:
        async with client.stream("GET", f"{url}/endless") as response:
            await anext(response.aiter_bytes())
        await client.get(f"{url}/plain")
    assert captured.one("GET /endless").status == "cancelled"


async def test_what_runs_after_the_answer_is_a_late_child(captured: Captured) -> None:
    async with serving(application(trace=True)) as url, httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/background")).text == "accepted"
    request, late = captured.one("GET /background"), captured.one("step")
    assert (late.parent_id, late.attributes) == (request.span_id, {"reamon.late": True})
    assert request.end_ns is not None
    assert request.end_ns < late.start_ns


async def test_a_web_socket_is_one_span_from_its_opening_to_its_end(captured: Captured) -> None:
    async with serving(application(trace=True)) as url:
        with reamon.trace_workflow("turn"):
            headers = sent()
        address = url.replace("http", "ws") + "/talk/c-1"
        async with websockets.connect(address, additional_headers=headers) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
            with contextlib.suppress(websockets.ConnectionClosed):
                await ws.recv()
        assert ws.close_code == 4001
    assert nested(captured, without_attributes=True) == [("turn", [("WEBSOCKET /talk/{call_id}", [("step", [])])])]
    attributes = captured.one("WEBSOCKET /talk/{call_id}").attributes
    assert (attributes["http.response.status_code"], attributes["websocket.close_code"]) == (101, 4001)


# -- what it leaves alone ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/health", "/internal/probe"])
async def test_in_paths_that_are_skipped_nothing_is_recorded(captured: Captured, path: str) -> None:
    async with client_of(application(trace=True, skip=["/health", "/internal/*"])) as client:
        assert (await client.get(path)).json() == {"enabled": False, "trace_id": ""}
        assert (await client.get("/plain")).json()["enabled"]
    assert len(captured.named("step")) == 1


async def test_the_applications_life_goes_on_as_ever(captured: Captured) -> None:
    app = application(trace=True)
    async with serving(app) as url, httpx.AsyncClient() as client:
        await client.get(f"{url}/plain")
    assert app.state.events == ["up", "down"]


async def test_twice_is_once(captured: Captured) -> None:
    async with client_of(ReamonMiddleware(application(trace=True), trace=True)) as client:
        await client.get("/plain")
    assert nested(captured, without_attributes=True) == [("GET /plain", [("step", [])])]


async def test_while_nothing_is_configured_scope_receive_and_send_are_passed_on_themselves() -> None:
    passed: list[Any] = []

    async def app(*arguments: Any) -> None:
        passed.extend(arguments)

    arguments: list[Any] = [{"type": "http", "path": "/", "headers": []}, object(), object()]
    await ReamonMiddleware(app, trace=True)(*arguments)
    assert [a is b for a, b in zip(passed, arguments, strict=True)] == [True] * 3
    assert arguments[0] == {"type": "http", "path": "/", "headers": []}


async def test_requests_at_once_do_not_meet(captured: Captured) -> None:
    async with client_of(application(trace=True)) as client:
        await asyncio.gather(*(client.post(f"/calls/{number}/turns/1") for number in range(20)))
    assert sorted(span.call_id or "" for span in captured.named("step")) == sorted(str(n) for n in range(20))
    assert reamon.current_trace_id() == ""


async def test_a_fastapi_application_names_included_and_mounted_routes(captured: Captured) -> None:
    fastapi = pytest.importorskip("fastapi")
    router, app, mounted = fastapi.APIRouter(prefix="/calls"), fastapi.FastAPI(), fastapi.FastAPI()

    @router.get("/{call_id}")
    async def included(call_id: str) -> str:
        return await step()

    @mounted.get("/deep/{name}")
    async def deep(name: str) -> str:
        return name

    app.include_router(router, prefix="/v1")
    app.mount("/sub", mounted)
    app.add_middleware(ReamonMiddleware, trace=True)
    async with client_of(app) as client:
        for path in ("/v1/calls/c-1", "/sub/deep/x"):
            assert (await client.get(path)).status_code == 200
    assert [span.name for span in captured.spans] == ["step", "GET /v1/calls/{call_id}", "GET /sub/deep/{name}"]
    assert captured.one("step").call_id == "c-1"


OPTIONS: list[dict[str, Any]] = [
    {"trust": "private"}, {"trace": 1}, {"name": "x"}, {"call_id": 5}, {"skip": "/health"}, {"skip": 5},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_an_option_that_cannot_be_used_is_refused(options: dict[str, Any]) -> None:
    async def app(*arguments: Any) -> None: ...

    make: Callable[..., Any] = ReamonMiddleware
    with pytest.raises(ConfigurationError, match=f"ReamonMiddleware: {next(iter(options))}"):
        make(app, **options)
