"""What the mapping to LangSmith's runs has made, as the service would read it."""

from typing import Any

import orjson

from reamon.exporters.langsmith.bodies import Body, batch_body
from reamon.exporters.langsmith.runs import Run
from support.langsmith_server.ingest import Write, read
from support.langsmith_server.rules import moment, problems
from support.langsmith_server.traffic import Request


def decoded(run: Run) -> dict[str, Any]:
    """The run as one object."""
    said: dict[str, Any] = orjson.loads(run.fields)
    return said | {name: orjson.loads(part) for name, part in run.parts if part is not None}


def metadata(run: Run) -> dict[str, Any]:
    """The run's metadata."""
    said: dict[str, Any] = decoded(run)["extra"]["metadata"]
    return said


def written(body: Body, path: str) -> list[Write]:
    """What a request with this body writes, as the strict server reads it."""
    headers = {name.lower(): value for name, value in body.headers.items()}
    return read(Request("POST", path, {}, headers, body.content, 0.0)).writes


def refusals(run: Run) -> list[tuple[str, str]]:
    """Why the strict server would refuse the run, were it sent when it began; empty if it would not."""
    (write,) = written(batch_body([run]), "/runs/batch")
    began = moment(write.run["start_time"])
    assert began is not None
    return list(problems(write, began))
