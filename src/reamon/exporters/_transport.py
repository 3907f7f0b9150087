"""Transport: the HTTP session beneath the SDKs of others, in which every exchange ends.

A timeout of `requests` is for a single read or write, so a server that sends a byte a second is waited for without end.
Here an exchange as a whole has a deadline, from the first byte that is sent to the last that is read, and an answer has
a greatest length. Redirects are answers like others: following one would send spans, and the key, to who knows where.
"""

import io
import socket
import threading
import time
from copy import copy
from http.client import HTTPResponse
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager, ProxyManager
from urllib3.connection import HTTPConnection, HTTPSConnection

LONGEST_ANSWER: Final = 64 * 1024 * 1024
"""Bytes; a page of runs that somebody reads back may be large."""

_LONGEST_REFUSAL: Final = 64 * 1024  # more of an error is not worth reading
_TEMPLATE_OPTIONS: Final = frozenset(("headers", "data", "timeout", "stream"))
_CHUNK: Final = 64 * 1024
_SLOWEST_LINE: Final = 64 * 1024  # bytes a second: what is larger may take longer to send

_exchange: Final = threading.local()
"""Of this thread's exchange: `deadline`, by `time.monotonic()`, and `patience`, the seconds for all but the upload."""


class BoundedSession(requests.Session):
    """A session whose requests end in time, and which remembers what came of the last one of each thread.

    It remembers because the SDK turns answers into exceptions, and some exceptions into others that do not say what
    went wrong.
    """

    def __init__(self) -> None:
        super().__init__()
        self._seen = threading.local()
        self._template: tuple[tuple[str, ...], requests.PreparedRequest] | None = None

    def bind(self, endpoint: str) -> None:
        """Be for one endpoint: with adapters that keep the deadline, in the place of those that the SDK has mounted.

        Proxies and certificates are taken from the environment here, once: to look them up costs as much as a request.
        """
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())
        found = self.merge_environment_settings(endpoint, {}, None, None, None)
        self.proxies, self.verify = found["proxies"], found["verify"]
        self.trust_env = False

    def take_seen(self) -> requests.Response | Exception | None:
        """What this thread's last request came to; None: it was not sent. Forgotten afterwards."""
        seen: requests.Response | Exception | None = self._seen.__dict__.pop("last", None)
        return seen

    def request(self, method: str, url: Any, *args: Any, **options: Any) -> requests.Response:
        """Like that of `requests`, but what is sent to the same address again is not prepared from scratch.

        That takes 250 of the 600 microseconds of a request, and its outcome differs in the body and some headers only.
        """
        if args or options.keys() - _TEMPLATE_OPTIONS or not isinstance(options.get("data"), bytes):
            return super().request(method, url, *args, **options)
        prepared = self._prepared(method, url, options["headers"], options["data"])
        return self.send(prepared, timeout=options["timeout"])

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send `request`, read all of the answer, or raise what went wrong.

        No redirect is followed, no cookie kept, no hook called.
        """
        try:
            response = self._send(request, **options)
        except Exception as error:
            self._seen.last = error
            raise
        self._seen.last = response
        return response

    def _prepared(self, method: str, url: str, headers: dict[str, str], body: bytes) -> requests.PreparedRequest:
        kind = (method, url, *headers)
        known = self._template  # may be another one a moment later: threads share the session
        if known is None or known[0] != kind:
            known = kind, self.prepare_request(requests.Request(method, url, headers=headers, data=b"-"))
            self._template = known
        prepared = copy(known[1])
        prepared.headers = CaseInsensitiveDict(known[1].headers)
        prepared.headers.update(headers)
        prepared.headers["Content-Length"] = str(len(body))
        prepared.body = body
        return prepared

    def _send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        connect_timeout, read_timeout = options["timeout"]
        _exchange.patience = connect_timeout + read_timeout
        _exchange.deadline = time.monotonic() + _exchange.patience
        if isinstance(request.body, bytes):
            _exchange.deadline += len(request.body) / _SLOWEST_LINE
            request.body = _Upload(request.body)
        how = {name: options.get(name, getattr(self, name)) for name in ("verify", "cert", "proxies")}
        response = self.get_adapter(request.url or "").send(request, stream=True, timeout=options["timeout"], **how)
        response.raw = io.BytesIO(_whole_body(response))
        return response


class _Upload(io.BytesIO):
    """A body that is sent chunk by chunk, each with a timeout of its own, until the deadline."""

    def read(self, size: int | None = -1, /) -> bytes:
        _seconds_left()
        chunk = super().read(size)
        if not chunk:  # what was allowed for the upload is not meant for the answer
            _exchange.deadline = min(_exchange.deadline, time.monotonic() + _exchange.patience)
        return chunk


class _Download(io.RawIOBase):
    """What a server sends, until the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._patience = sock.gettimeout()
        self._stream = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        left = _seconds_left()
        self._socket.settimeout(left if self._patience is None else min(left, self._patience))
        return self._stream.readinto(buffer)

    def close(self) -> None:
        self._stream.close()
        super().close()


class _Response(HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_Download(sock))


class _Connection(HTTPConnection):
    response_class = _Response


class _TLSConnection(HTTPSConnection):
    response_class = _Response


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _TLSConnection


_POOLS: Final = {"http": _Pool, "https": _TLSPool}


class _Adapter(HTTPAdapter):
    """Makes connections that keep the deadline, and tries nothing twice."""

    poolmanager: PoolManager

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **options)
        if not proxy.lower().startswith("socks"):  # which needs connections of its own
            manager.pool_classes_by_scheme = _POOLS
        return manager


def _whole_body(response: requests.Response) -> bytes:
    is_refusal = response.status_code >= 400
    longest = _LONGEST_REFUSAL if is_refusal else LONGEST_ANSWER
    body = bytearray()
    try:
        for chunk in response.raw.stream(_CHUNK, decode_content=True):
            body += chunk
            if len(body) > longest:
                break
    except BaseException:
        response.close()
        raise
    if len(body) <= longest:
        response.raw.release_conn()
        return bytes(body)
    response.close()
    if not is_refusal:
        raise ValueError(f"the answer is longer than {longest} bytes")
    return bytes(body[:longest])


def _seconds_left() -> float:
    left: float = _exchange.deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the exchange took too long")
    return left
