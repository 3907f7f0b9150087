"""What the model servers share: HTTP, failures on demand, streams that stall or are cut."""

import gzip
import json
import threading
import zlib
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Self

WAIT = 10.0


class MalformedError(Exception):
    """A request that the real service would refuse."""


class ModelServer:
    """One server; subclasses say what it serves."""

    stream_type: ClassVar[str]

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.statuses: list[int] = []
        self.violations: list[str] = []
        self.says_usage = True
        self.cut_after: int | None = None
        self.hold_after: int | None = None
        self.encoding: str | None = None
        self.asked = threading.Event()
        self._failures: list[int | None] = []
        self._gate = threading.Event()
        self._is_slow = False
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    # -- for tests ---------------------------------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{self.address}"

    def fail(self, times: int, status: int | None = 500) -> None:
        """Refuse so many requests with `status`; None closes the connection without an answer."""
        self._failures += [status] * times

    def slow_down(self) -> None:
        """Answer nothing before `go_on`."""
        self._is_slow = True

    def go_on(self) -> None:
        """Let the streams that wait go on."""
        self._gate.set()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.go_on()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(WAIT)

    # -- for subclasses ----------------------------------------------------------------------------------------------

    def answer(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> Any:
        """The document that answers a request, or an iterator over the pieces of a stream.

        Raises:
            MalformedError: The request is.
        """
        raise NotImplementedError

    def error(self, status: int) -> dict[str, Any]:
        """The document of a failure."""
        raise NotImplementedError

    def encode(self, piece: Any) -> bytes:
        """One piece of a stream on the wire."""
        raise NotImplementedError

    def headers_of_failure(self) -> dict[str, str]:
        """How soon to come again: at once, for the sake of the tests."""
        return {"retry-after-ms": "1"}

    def wait_if_slow(self) -> None:
        """Wait for `go_on`, where that is asked for."""
        if self._is_slow:
            self._gate.wait(WAIT)

    def take_failure(self) -> tuple[bool, int | None]:
        """Whether the next request fails, and how."""
        return (True, self._failures.pop(0)) if self._failures else (False, None)

    def pieces(self, stream: Iterable[Any]) -> Iterator[bytes]:
        """The pieces as they are sent.

        Raises:
            ConnectionAbortedError: The stream is to be cut here.
        """
        for number, piece in enumerate(stream):
            if number == self.cut_after:
                raise ConnectionAbortedError
            if number == self.hold_after:
                self._gate.wait(WAIT)
            yield self.encode(piece)


def require(condition: object, what: str) -> None:
    """Refuse the request unless `condition` holds."""
    if not condition:
        raise MalformedError(what)


def require_fields(body: dict[str, Any], allowed: Iterable[str], required: Iterable[str]) -> None:
    """Refuse what the API does not know, and what lacks what it needs."""
    unknown = set(body) - set(allowed) - set(required)
    require(not unknown, f"unknown fields: {sorted(unknown)}")
    missing = [name for name in required if name not in body]
    require(not missing, f"missing fields: {missing}")


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is nothing to talk about."""


def _handler(server: ModelServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            fails, status = server.take_failure()
            if fails:
                self._fail(status)
                return
            try:
                require("json" in headers.get("content-type", ""), "the content type is not JSON")
                body = json.loads(raw)
                server.requests.append(body)
                server.headers.append(headers)
                server.asked.set()
                server.wait_if_slow()
                answer = server.answer(self.path.partition("?")[0], body, headers)
            except MalformedError as refusal:
                server.violations.append(str(refusal))
                self._send(400, json.dumps({**server.error(400), "why": str(refusal)}).encode())
                return
            if isinstance(answer, dict):
                self._send(200, json.dumps(answer).encode())
            else:
                self._stream(answer)

        def _fail(self, status: int | None) -> None:
            if status is None:
                server.statuses.append(0)
                self.close_connection = True
                return
            self._send(status, json.dumps(server.error(status)).encode(), server.headers_of_failure())

        def _send(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
            server.statuses.append(status)
            if server.encoding == "gzip":
                body, more = gzip.compress(body), {**(more or {}), "Content-Encoding": "gzip"}
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(more or {})}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _stream(self, stream: Iterable[Any]) -> None:
            server.statuses.append(200)
            self.send_response(200)
            self.send_header("Content-Type", server.stream_type)
            self.send_header("Transfer-Encoding", "chunked")
            if server.encoding:
                self.send_header("Content-Encoding", server.encoding)
            self.end_headers()
            zipped = zlib.compressobj(wbits=zlib.MAX_WBITS | 16) if server.encoding == "gzip" else None
            try:
                for piece in server.pieces(stream):
                    self._chunk(piece if zipped is None else zipped.compress(piece) + zipped.flush(zlib.Z_SYNC_FLUSH))
                if zipped is not None:
                    self._chunk(zipped.flush())
                self.wfile.write(b"0\r\n\r\n")
            except OSError:  # it is to be cut here, or the client has had enough
                self.close_connection = True

        def _chunk(self, data: bytes) -> None:
            if data:
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                self.wfile.flush()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    return Handler
