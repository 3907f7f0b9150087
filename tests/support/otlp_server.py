"""An OTLP receiver on 127.0.0.1 that decodes what it gets, as a collector does, and notes every violation."""

import gzip
import socket
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

PATH = "/v1/traces"
FORM = "application/x-protobuf"
HANG, DROP, NOT_HTTP, LOSE_ANSWER = "hang", "drop", "not http", "lose answer"

Reply = tuple[int, bytes, dict[str, str]]
Fault = str | Reply
"""What happens to the connection, or an answer in the place of the usual one; nothing is stored but by LOSE_ANSWER."""


class Received:
    """One span as it arrived.

    Attributes:
        proto: The message.
        resource: The attributes of its resource.
        scope: The name of its scope.
        attributes: Its attributes.
    """

    def __init__(self, proto: Span, resource: dict[str, Any], scope: str) -> None:
        self.proto = proto
        self.resource = resource
        self.scope = scope
        self.attributes = _plain(proto.attributes)
        self.name = proto.name
        self.trace_id = proto.trace_id.hex()
        self.span_id = proto.span_id.hex()
        self.parent_id = proto.parent_span_id.hex() or None
        self.our_id = self.attributes.get("reamon.span_id")
        self.events = [(event.name, event.time_unix_nano, _plain(event.attributes)) for event in proto.events]
        self.links = [(link.trace_id.hex(), link.span_id.hex(), _plain(link.attributes)) for link in proto.links]
        self.status = Status.StatusCode.Name(proto.status.code).removeprefix("STATUS_CODE_")
        self.kind = Span.SpanKind.Name(proto.kind).removeprefix("SPAN_KIND_")


class OTLPServer:
    """Used with `with`.

    Args:
        headers: What each request has to carry.
        port: 0: any that is free.

    Attributes:
        faults: What the next requests meet, one each; None: nothing.
        always: What all requests meet after these.
        poison: Says whether a span makes its whole request a bad one (400).
        unwanted: Says whether a span is rejected, and the others of its request are not (partial success).
        received: All spans that were stored, in order, repeated ones included.
        violations: All that was wrong, and refused with 400.
        requests: Path, headers and number of spans of each request.
    """

    def __init__(self, headers: dict[str, str] | None = None, *, port: int = 0) -> None:
        self.headers = headers or {}
        self.faults: Iterator[Fault | None] = iter(())
        self.always: Fault | None = None
        self.poison: Callable[[Received], bool] = lambda span: False
        self.unwanted: Callable[[Received], bool] = lambda span: False
        self.received: list[Received] = []
        self.violations: list[str] = []
        self.requests: list[tuple[str, dict[str, str], int]] = []
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._http = _Listener(("127.0.0.1", port), self)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, stack: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def base(self) -> str:
        """Its address without a path."""
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def url(self) -> str:
        """The address that takes traces."""
        return self.base + PATH

    @property
    def ids(self) -> list[str]:
        """The ids, as we know them, of all that was stored."""
        return [str(span.our_id) for span in self.received]

    @property
    def spans(self) -> dict[str, Received]:
        """What was stored, by name."""
        return {span.name: span for span in self.received}

    @property
    def counts(self) -> "Counter[str]":
        """How often each span arrived."""
        return Counter(self.ids)

    def meet(self, *faults: Fault | None) -> None:
        """Let the next requests meet these."""
        self.faults = iter(faults)

    def answer(self, path: str, headers: dict[str, str], body: bytes) -> Fault:
        """What becomes of a request."""
        try:
            spans = list(self._decoded(path, headers, body))
        except ValueError as error:
            with self._lock:
                self.violations.append(str(error))
                self.requests.append((path, headers, 0))
            return 400, str(error).encode(), {"Content-Type": "text/plain"}
        with self._lock:
            self.requests.append((path, headers, len(spans)))
            fault = next(self.faults, None) or self.always
        if fault == LOSE_ANSWER:
            self._store(spans)
        if fault is not None:
            return fault
        if any(self.poison(span) for span in spans):
            return 400, b"bad span", {"Content-Type": "text/plain"}
        said = ExportTraceServiceResponse()
        unwanted = [span for span in spans if self.unwanted(span)]
        if unwanted:
            said.partial_success.rejected_spans = len(unwanted)
            said.partial_success.error_message = "not wanted here"
        self._store([span for span in spans if span not in unwanted])
        return 200, said.SerializeToString(), {"Content-Type": FORM}

    def hang(self) -> None:
        """Wait until the server closes."""
        self._closing.wait(60)

    def _store(self, spans: Iterable[Received]) -> None:
        with self._lock:
            self.received += spans

    def _decoded(self, path: str, headers: dict[str, str], body: bytes) -> Iterator[Received]:
        if path != PATH:
            raise ValueError(f"path {path}")
        if headers.get("content-type") != FORM:
            raise ValueError(f"content type {headers.get('content-type')}")
        for name, value in self.headers.items():
            if headers.get(name) != value:
                raise ValueError(f"header {name} is {headers.get(name)!r}")
        try:
            request = ExportTraceServiceRequest.FromString(_inflated(headers, body))
        except (DecodeError, OSError, zlib.error) as error:
            raise ValueError(f"body: {error}") from error
        if not request.resource_spans:
            raise ValueError("no spans")
        for group in request.resource_spans:
            resource = _plain(group.resource.attributes)
            if not resource.get("service.name"):
                raise ValueError("a resource without service.name")
            for scope in group.scope_spans:
                if not scope.scope.name:
                    raise ValueError("a scope without a name")
                for span in scope.spans:
                    _check(span)
                    yield Received(span, resource, scope.scope.name)


def _inflated(headers: dict[str, str], body: bytes) -> bytes:
    match headers.get("content-encoding"):
        case "gzip":
            return gzip.decompress(body)
        case "deflate":
            return zlib.decompress(body)
        case None:
            return body
    raise ValueError(f"content encoding {headers['content-encoding']}")


def _check(span: Span) -> None:
    """What the protocol demands of a span."""
    _check_ids(span.trace_id, span.span_id)
    if span.parent_span_id:
        _check_ids(span.trace_id, span.parent_span_id)
    if span.parent_span_id == span.span_id:
        raise ValueError(f"{span.name!r} is its own parent")
    if not span.name:
        raise ValueError("a span without a name")
    if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano:
        raise ValueError(f"{span.name!r} ends before it starts")
    if span.kind == Span.SPAN_KIND_UNSPECIFIED:
        raise ValueError(f"{span.name!r} has no kind")
    if span.status.message and span.status.code != Status.STATUS_CODE_ERROR:
        raise ValueError(f"{span.name!r} has a status message, but no error")
    for link in span.links:
        _check_ids(link.trace_id, link.span_id)
    for event in span.events:
        if not event.name or not event.time_unix_nano:
            raise ValueError(f"{span.name!r} has an event without a name or a time")
    for attributes in (span.attributes, *(event.attributes for event in span.events)):
        _plain(attributes)


def _check_ids(trace_id: bytes, span_id: bytes) -> None:
    if len(trace_id) != 16 or not any(trace_id) or len(span_id) != 8 or not any(span_id):
        raise ValueError(f"ids {trace_id.hex()} {span_id.hex()}")


def _plain(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for attribute in attributes:
        if attribute.key in plain:
            raise ValueError(f"attribute {attribute.key!r} twice")
        plain[attribute.key] = _value(attribute.key, attribute.value)
    return plain


def _value(key: str, value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        raise ValueError(f"attribute {key!r} has no value")
    if kind == "array_value":
        items = [_value(key, item) for item in value.array_value.values]
        if len({type(item) for item in items}) > 1:
            raise ValueError(f"attribute {key!r} mixes types")
        return items
    if kind in {"kvlist_value", "bytes_value"}:
        raise ValueError(f"attribute {key!r} is a {kind}, which few backends take")
    return getattr(value, kind)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], owner: OTLPServer) -> None:
        self.owner = owner
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_POST(self) -> None:
        """Take one request."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        reply = self.server.owner.answer(self.path, headers, body)
        if isinstance(reply, str):
            self._misbehave(reply)
            return
        status, content, fields = reply
        self.send_response(status)
        for name, value in {**fields, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _misbehave(self, fault: str) -> None:
        self.close_connection = True
        if fault == HANG:
            self.server.owner.hang()
        if fault == NOT_HTTP:
            self.wfile.write(b"220 smtp ready\r\n")
        if fault in (DROP, LOSE_ANSWER):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.connection.close()

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until it is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)
