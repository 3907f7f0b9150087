"""The server in a process of its own, for tests that kill theirs, and the way to talk to it from outside.

It prints one line of JSON, `{"url": ..., "control": ...}`, and runs until its standard input closes. The control
address is a port of its own, so that it is there while the server refuses connections:

* `GET /_control/state`: `count`, `writes`, `patches`, `orphans`, `violations`, `requests` (a count)
* `GET /_control/runs`: the stored runs by id
* `POST /_control/fault`: `{"fault": "UNAVAILABLE"}`
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.request import Request as HTTPRequest
from urllib.request import urlopen

from .faults import Fault
from .server import LangSmithServer
from .traffic import Answer, Request
from .wire import Listener


class ServerProcess:
    """Runs the server in another process, from construction until `close`.

    Args:
        api_key: What `x-api-key` must be; None: anything goes.
        port: 0: any that is free.
        keep: `ids` forgets what is in the runs.
    """

    def __init__(self, api_key: str | None = None, *, port: int = 0, keep: str = "runs") -> None:
        command = [sys.executable, "-m", "support.langsmith_server", "--port", str(port), "--keep", keep]
        if api_key is not None:
            command += ["--api-key", api_key]
        tests = str(Path(__file__).parents[2])
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": tests},
        )
        assert self._process.stdout is not None
        addresses = json.loads(self._process.stdout.readline())
        self.url: str = addresses["url"]
        self.control: str = addresses["control"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def state(self) -> dict[str, Any]:
        """Counts and ids of what is stored."""
        return dict(self._ask("/_control/state"))

    @property
    def runs(self) -> dict[str, dict[str, Any]]:
        """The runs that are stored, by id."""
        return dict(self._ask("/_control/runs"))

    @property
    def writes(self) -> dict[str, int]:
        """How often each run was stored."""
        return dict(self.state["writes"])

    @property
    def fault(self) -> Fault:
        """What requests meet from now on."""
        return Fault[self.state["fault"]]

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._ask("/_control/fault", {"fault": fault.name})

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until `count` runs are stored. Returns False if they are not within `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while self.state["count"] < count:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _ask(self, path: str, value: Any = None) -> Any:
        data = None if value is None else json.dumps(value).encode()
        with urlopen(HTTPRequest(self.control + path, data), timeout=10) as answer:
            return json.load(answer)


def main() -> None:
    """Serve until standard input closes."""
    parser = argparse.ArgumentParser(prog="python -m support.langsmith_server")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--api-key")
    parser.add_argument("--keep", choices=("runs", "ids"), default="runs")
    parser.add_argument("--any-size", action="store_true", help="take requests with any number of runs, as the SDK's")
    arguments = parser.parse_args()
    with LangSmithServer(arguments.api_key, port=arguments.port, keep=arguments.keep) as server:
        server.enforce_size_limit = not arguments.any_size
        control = Listener(0, lambda request: (_control(server, request), Fault.NONE))
        print(json.dumps({"url": server.url, "control": f"http://127.0.0.1:{control.port}"}), flush=True)
        sys.stdin.read()
        control.close()


def _control(server: LangSmithServer, request: Request) -> Answer:
    if request.path == "/_control/runs":
        with server.state.changed:
            return Answer.of(200, server.runs)
    if request.path == "/_control/fault":
        server.fault = Fault[request.json["fault"]]
    elif request.path != "/_control/state":
        return Answer.of(404, {"detail": "Not Found"})
    with server.state.changed:
        return Answer.of(200, _state(server))


def _state(server: LangSmithServer) -> dict[str, Any]:
    return {
        "count": len(server.writes),
        "writes": server.writes,
        "patches": server.patches,
        "orphans": server.orphans,
        "violations": [dataclasses.asdict(violation) for violation in server.violations],
        "requests": len(server.requests),
        "fault": server.fault.name if isinstance(server.fault, Fault) else None,
    }
