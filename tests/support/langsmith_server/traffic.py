"""One request and one answer, as the server keeps them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import orjson

WRITE_PATHS = ("/runs/batch", "/runs/multipart")


@dataclasses.dataclass
class Request:
    """A request that arrived.

    Attributes:
        method: As sent.
        path: Without the query and without `/api/v1`.
        query: The parameters behind the path, each with all of its values.
        headers: Names in lower case.
        body: As sent; emptied once the request is dealt with.
        time: When it arrived, in seconds since 1970.
        size: Of the body as it was sent, in bytes.
        run_ids: What it wrote about, posts first.
        status: What it was answered; None: not yet, or nothing.
    """

    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    time: float
    size: int = 0
    run_ids: tuple[str, ...] = ()
    status: int | None = None

    @property
    def writes(self) -> bool:
        """Whether it is one of the two ways to send runs."""
        return self.method == "POST" and self.path in WRITE_PATHS

    @property
    def json(self) -> Any:
        """The body decoded; an empty one is an empty object."""
        return orjson.loads(self.body) if self.body else {}


@dataclasses.dataclass(frozen=True)
class Answer:
    """What a request is told."""

    status: int
    content: bytes = b""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, status: int, value: Any, headers: Mapping[str, str] | None = None) -> "Answer":
        """An answer in JSON."""
        content = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)
        return cls(status, content, {"Content-Type": "application/json", **(headers or {})})
