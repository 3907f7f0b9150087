"""The connection to LangSmith: one for each process and account, one attempt for each request.

It goes through the SDK's client, which knows the addresses and the headers, but not through the SDK's queue and
retries: whether a request was answered, and how, is what the lane has to know.
"""

import os
import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from reamon.exporters._answer import Answer
from reamon.exporters._no_answer import NoAnswer, no_answer
from reamon.exporters.langsmith import _sdk
from reamon.exporters.langsmith._info import ServerInfo, server_info
from reamon.processes import abandon
from reamon.settings import LangSmithSettings

if TYPE_CHECKING:
    import requests

__all__ = ["Answer", "Connection", "Method", "NoAnswer", "ServerInfo", "connect", "connection_of"]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_INFO_KEPT: Final = 3600.0  # seconds
_SHORTEST_SECRET: Final = 8  # what is shorter stands in any text by chance
_HIDDEN: Final = "(the API key)"


class Connection:
    """LangSmith, reached as one account. Any number of threads may use it; get it with `connect`.

    The SDK is imported at the first request, because that takes half a second.

    Args:
        endpoint: The address of the API.
        api_key: The key; None where the server wants none.
        workspace_id: The workspace, for keys that are valid in several.
        connect_timeout: Seconds to wait for a connection, and for each part of a request to be sent.
        read_timeout: Seconds to wait for each part of an answer. The whole may take the sum of both, and a second more
            for each 64 KiB that are sent.

    Raises:
        ConfigurationError: The environment is such that the SDK refuses to work.
    """

    def __init__(
        self,
        endpoint: str,
        api_key: str | None,
        *,
        workspace_id: str | None = None,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
    ) -> None:
        _sdk.check_environment()
        self.endpoint = endpoint
        self.timeouts = (connect_timeout, read_timeout)
        self._api_key = api_key
        self._workspace_id = workspace_id
        self._lock = threading.Lock()
        self._made: _sdk.Client | None = None
        self._info: ServerInfo | None = None
        self._info_until = 0.0

    def __repr__(self) -> str:
        return f"Connection({self.endpoint!r})"

    def request(
        self,
        method: Method,
        path: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Send one request, once. Redirects are not followed.

        Args:
            method: The HTTP method.
            path: What is asked for, below the endpoint.
            data: The body.
            headers: What to say about the body; JSON unless it says otherwise.
            timeout: Seconds to wait for each part of the answer; default `read_timeout`.

        Raises:
            NoAnswer: There was none.
        """
        client, session = self._client()
        connect_timeout, read_timeout = self.timeouts
        options: dict[str, Any] = {
            "headers": {**self._identity(), **(headers or {})},
            "timeout": (connect_timeout, timeout or read_timeout),
        }
        if data is not None:
            options["data"] = data
        session.take_seen()
        seen: requests.Response | Exception | None
        try:
            seen = client.request_with_retries(method, path, request_kwargs=options)
        except Exception as error:
            # The SDK raises for many an answer, and hides what went wrong where there was none.
            seen = session.take_seen()
            seen = error if seen is None else seen
        if isinstance(seen, Exception):
            raise no_answer(seen, self.endpoint)
        return self._answer(seen)

    def info(self, *, refresh: bool = False) -> ServerInfo:
        """What the server can do, asked for once an hour.

        Args:
            refresh: Ask now.

        Raises:
            NoAnswer: There was none.
        """
        if self._info is not None and not refresh and time.monotonic() < self._info_until:
            return self._info
        answer = self.request("GET", "/info")
        info = server_info(answer.body) if answer.status == 200 else None
        if info is not None or answer.status == 404:
            self._keep(info or ServerInfo())
        return info or ServerInfo()

    def give_up_multipart(self) -> None:
        """Treat the server as one without the multipart form for an hour, whatever it says."""
        self._keep(msgspec.structs.replace(self._info or ServerInfo(), use_multipart=False))

    def _keep(self, info: ServerInfo) -> None:
        self._info, self._info_until = info, time.monotonic() + _INFO_KEPT

    def _identity(self) -> dict[str, str]:
        """Older versions of the SDK know of no workspaces."""
        return {"X-Tenant-Id": self._workspace_id} if self._workspace_id else {}

    def _client(self) -> "_sdk.Client":
        with self._lock:
            if self._made is None:
                self._made = _sdk.make_client(self.endpoint, self._api_key)
            return self._made

    def _answer(self, response: "requests.Response") -> Answer:
        headers = {name.lower(): self._blotted(value) for name, value in response.headers.items()}
        body = response.content
        key = (self._api_key or "").encode()
        if len(key) >= _SHORTEST_SECRET and key in body:
            body = body.replace(key, _HIDDEN.encode())
        return Answer(response.status_code, headers, body)

    def _blotted(self, text: str) -> str:
        key = self._api_key or ""
        return text.replace(key, _HIDDEN) if len(key) >= _SHORTEST_SECRET else text


class _Pool:
    """The connections of this process."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.connections: dict[tuple[Any, ...], Connection] = {}


_pool = _Pool()


def _begin_anew() -> None:
    global _pool  # noqa: PLW0603 - one process, one pool
    abandon(_pool)
    _pool = _Pool()


os.register_at_fork(after_in_child=_begin_anew)


def connect(
    endpoint: str,
    api_key: str | None,
    *,
    workspace_id: str | None = None,
    connect_timeout: float = 5.0,
    read_timeout: float = 10.0,
) -> Connection:
    """The connection of this process for these arguments, which are those of `Connection`.

    Ask for it each time: a forked child gets another one, since its parent goes on using that which it inherited.

    Raises:
        ConfigurationError: The environment is such that the SDK refuses to work.

    Example:
        >>> connect("https://langsmith.example", None) is connect("https://langsmith.example", None)
        True
    """
    arguments = (endpoint, api_key, workspace_id, connect_timeout, read_timeout)
    with _pool.lock:
        if arguments not in _pool.connections:
            _pool.connections[arguments] = Connection(
                endpoint,
                api_key,
                workspace_id=workspace_id,
                connect_timeout=connect_timeout,
                read_timeout=read_timeout,
            )
        return _pool.connections[arguments]


def connection_of(settings: LangSmithSettings) -> Connection:
    """The connection of this process for these settings; ask for it each time, as with `connect`.

    Raises:
        ConfigurationError: The environment is such that the SDK refuses to work.
    """
    key = settings.api_key
    return connect(
        settings.endpoint,
        None if key is None else key.get_secret_value(),
        workspace_id=settings.workspace_id,
        connect_timeout=settings.connect_timeout,
        read_timeout=settings.read_timeout,
    )
