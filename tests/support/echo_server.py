"""A server that says what it was sent: as an origin, and as the proxy in front of every host that there is."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

OURS = ("traceparent", "tracestate", "baggage", "langsmith-trace")


@dataclass
class Received:
    """One request."""

    method: str
    host: str
    path: str
    headers: dict[str, str]

    @property
    def ours(self) -> set[str]:
        """Which of our headers it had."""
        return {name for name in OURS if name in self.headers}


@dataclass
class EchoServer:
    """What it received, and where it is."""

    port: int
    received: list[Received] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address as an origin, and as a proxy."""
        return f"http://127.0.0.1:{self.port}"

    def at(self, path: str) -> Received:
        """The only request to this path."""
        (found,) = [request for request in self.received if request.path == path]
        return found


class Handler(BaseHTTPRequestHandler):
    """Answers: `/redirect?to=<url>`, `/status/<number>`, `/stream` in two parts, `/slow`, `/cut` not at all."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers.get("content-length", 0)))
        split = urlsplit(self.path)
        server: EchoServer = self.server.echo  # type: ignore[attr-defined]
        headers = {name.lower(): value for name, value in self.headers.items()}
        server.received.append(Received(self.command, headers["host"].partition(":")[0], split.path, headers))
        if split.path == "/redirect":
            self._answer(302, location=parse_qs(split.query)["to"][0])
        elif split.path.startswith("/status/"):
            self._answer(int(split.path.removeprefix("/status/")))
        elif split.path == "/cut":
            self.close_connection = True
        else:
            if split.path == "/slow":
                time.sleep(0.5)
            self._answer(200, b"one two")

    do_POST = do_GET  # noqa: N815 - the base class names it

    def _answer(self, status: int, body: bytes = b"", **headers: Any) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": len(body)}.items():
            self.send_header(name, str(value))
        with suppress(OSError):  # nobody waits for it any more
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def echo_server() -> Iterator[EchoServer]:
    """Serve on a free port of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        echo = EchoServer(server.server_port)
        server.echo = echo  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield echo
        server.shutdown()
        thread.join()
