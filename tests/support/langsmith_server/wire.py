"""HTTP on a port of 127.0.0.1 that can close and come back, and connections that can be broken in every way."""

import contextlib
import socket
import socketserver
import struct
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from threading import Event, Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .faults import Fault
from .traffic import Answer, Request

Respond = Callable[[Request], tuple[Answer | None, Fault]]
"""Deals with a request: the answer, and what is to befall it. No answer: the connection is closed without one."""

DRIP_SECONDS = 0.02
"""Between two bytes of an answer that comes a byte at a time."""


class Listener(socketserver.ThreadingTCPServer):
    """Listens, one thread for each connection, and keeps hold of the connections so that it can end them.

    Args:
        port: 0: any that is free.
        respond: Deals with a request.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, port: int, respond: Respond) -> None:
        super().__init__(("127.0.0.1", port), Connection)
        self.port: int = self.server_address[1]
        self.respond = respond
        self.closing = Event()
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        Thread(target=self.serve_forever, args=(0.02,), name="langsmith-server", daemon=True).start()

    def close(self) -> None:
        """Stop listening and end every connection, those that hang included."""
        self.closing.set()
        self.shutdown()
        _shut(self.socket)  # ends the listening even where a forked child has a copy of the socket
        self.server_close()
        with self._lock:
            for connection in self._open:
                _shut(connection)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket) -> None:  # type: ignore[override]
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show what went wrong, unless it is that the client went away, which is what this server is for."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Connection(BaseHTTPRequestHandler):
    """One connection; it may carry many requests."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: Listener

    def handle_one_request(self) -> None:
        """Read a request, have it dealt with, answer it."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.wfile.flush()
        request = self._request()
        answer, fault = self.server.respond(request)
        request.body = b""
        self._send(request, answer, fault)

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `requests`, not a log."""

    def _request(self) -> Request:
        url = urlsplit(self.path)
        body = self._body()
        return Request(
            method=self.command,
            path=url.path.removeprefix("/api/v1") or "/",
            query=parse_qs(url.query),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            time=time.time(),
            size=len(body),
        )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self._read(int(self.headers.get("Content-Length") or 0))
        chunks = []
        while size := int(self._line().split(b";")[0], 16):
            chunks.append(self._read(size))
            self._line()
        self._line()
        return b"".join(chunks)

    def _read(self, size: int) -> bytes:
        """Exactly so many bytes: half a request is none."""
        content = self.rfile.read(size)
        if len(content) < size:
            raise ConnectionAbortedError("the client went away in the middle of a request")
        return content

    def _line(self) -> bytes:
        line = self.rfile.readline()
        if not line.endswith(b"\n"):
            raise ConnectionAbortedError("the client went away in the middle of a request")
        return line

    def _send(self, request: Request, answer: Answer | None, fault: Fault) -> None:
        if fault is Fault.HANG:
            self.server.closing.wait()
        if fault is Fault.REFUSE:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        if fault is Fault.NOT_HTTP:
            self.wfile.write(b"220 mail.example.com ESMTP\r\n")
        if answer is None or self.server.closing.is_set():
            self.close_connection = True
            return
        raw = _encoded(answer)
        if fault is Fault.CUT_OFF:
            self.wfile.write(raw[: len(raw) - len(answer.content) // 2 - 1])
            self.close_connection = True
            return
        request.status = answer.status
        if fault is Fault.DRIP:
            self._drip(raw)
        else:
            self.wfile.write(raw)
            self.wfile.flush()

    def _drip(self, raw: bytes) -> None:
        for position in range(len(raw)):
            self.wfile.write(raw[position : position + 1])
            self.wfile.flush()
            self.server.closing.wait(DRIP_SECONDS)


_RESET = struct.pack("ii", 1, 0)
"""Lingering for 0 seconds: closing the connection resets it."""


def _encoded(answer: Answer) -> bytes:
    headers = dict(answer.headers)
    if answer.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(answer.content))
    lines = [f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + answer.content


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may be gone
        connection.shutdown(socket.SHUT_RDWR)
