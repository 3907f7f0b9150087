"""What a request wants to write: decompressed, split into posts and patches, not yet checked run by run."""

import dataclasses
import zlib
from typing import Any, Literal

import orjson
import zstandard

from .multipart import Part, parts_of
from .traffic import Request
from .violations import RefusedError, Violation

MAX_BYTES = 20_971_520
"""What a request may hold, decompressed."""

_RUN_PARTS = ("inputs", "outputs", "events", "extra", "error", "serialized")


@dataclasses.dataclass
class Write:
    """A post or a patch of one run."""

    kind: Literal["post", "patch"]
    run: dict[str, Any]

    @property
    def id(self) -> str:
        """The run's id, as far as there is one."""
        return str(self.run.get("id"))


@dataclasses.dataclass
class Ingest:
    """All that one request wants to write."""

    writes: list[Write] = dataclasses.field(default_factory=list)
    feedback: dict[str, Any] = dataclasses.field(default_factory=dict)
    attachments: dict[str, dict[str, bytes]] = dataclasses.field(default_factory=dict)


def read(request: Request, *, max_bytes: int = MAX_BYTES) -> Ingest:
    """What `request` wants to write.

    Raises:
        RefusedError: It is too large, or nothing that can be read.
    """
    body = _decompressed(request, max_bytes)
    if request.path == "/runs/batch":
        return _batch(request, body)
    return _multipart(request, body)


def _decompressed(request: Request, max_bytes: int) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").lower()
    if len(request.body) > max_bytes:
        raise RefusedError(413, Violation("body", f"{len(request.body)} bytes are more than {max_bytes}"))
    try:
        body = _decode(encoding, request.body, max_bytes)
    except (zlib.error, zstandard.ZstdError) as error:
        raise RefusedError(422, Violation("Content-Encoding", f"the body is no {encoding}: {error}")) from error
    if len(body) > max_bytes:
        raise RefusedError(413, Violation("body", f"more than {max_bytes} bytes when decompressed"))
    told = request.headers.get("x-post-compressed-size")
    if told is not None and told != str(len(request.body)):
        raise RefusedError(
            422, Violation("X-Post-Compressed-Size", f"says {told}, the body has {len(request.body)} bytes")
        )
    return body


def _decode(encoding: str, body: bytes, max_bytes: int) -> bytes:
    """At most a byte more than `max_bytes` of the decoded body, so that a bomb stays small."""
    if encoding == "identity":
        return body
    if encoding == "gzip":
        return zlib.decompressobj(wbits=31).decompress(body, max_bytes + 1)
    if encoding == "zstd":
        with zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True) as reader:
            return bytes(reader.read(max_bytes + 1))
    raise RefusedError(415, Violation("Content-Encoding", f"{encoding!r} is not supported"))


def _batch(request: Request, body: bytes) -> Ingest:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise RefusedError(422, Violation("Content-Type", "a batch is application/json"))
    value = _json("body", body)
    if not isinstance(value, dict) or not set(value) <= {"post", "patch"}:
        raise RefusedError(422, Violation("body", 'is not {"post": [...], "patch": [...]}'))
    ingest = Ingest()
    for kind in ("post", "patch"):
        runs = value.get(kind) or []
        if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
            raise RefusedError(422, Violation(kind, "is no list of objects"))
        ingest.writes += [Write(kind, run) for run in runs]
    return ingest


def _multipart(request: Request, body: bytes) -> Ingest:
    parts = list(parts_of(request.headers.get("content-type", ""), body))
    _check_told_size(request, body, parts)
    ingest = Ingest()
    writes: dict[tuple[str, str], Write] = {}
    for part in sorted(parts, key=lambda part: part.name.count(".")):  # a run comes before what belongs to it
        kind, _, rest = part.name.partition(".")
        if kind in ("post", "patch"):
            _add_run_part(writes, kind, rest, part)
        elif kind == "feedback" and rest:
            ingest.feedback[rest] = _object(part)
        elif kind == "attachment" and rest.count(".") == 1:
            run_id, name = rest.split(".")
            ingest.attachments.setdefault(run_id, {})[name] = part.content
        else:
            raise RefusedError(422, Violation(part.name, "is no name of a part"))
    ingest.writes = sorted(writes.values(), key=lambda write: write.kind != "post")
    return ingest


def _add_run_part(writes: dict[tuple[str, str], Write], kind: str, rest: str, part: Part) -> None:
    run_id, _, field = rest.partition(".")
    if not part.content_type.startswith("application/json"):
        raise RefusedError(422, Violation(part.name, f"is {part.content_type}, must be application/json", run_id))
    if not field:
        run = _object(part)
        if run.get("id") != run_id:
            raise RefusedError(422, Violation("id", f"{run.get('id')!r} is not the id in the name of the part", run_id))
        if (kind, run_id) in writes:
            raise RefusedError(422, Violation(part.name, "comes twice", run_id))
        writes[kind, run_id] = Write("post" if kind == "post" else "patch", run)
        return
    if field not in _RUN_PARTS:
        raise RefusedError(422, Violation(part.name, "is no field that may be a part", run_id))
    if (kind, run_id) not in writes:
        raise RefusedError(422, Violation(part.name, "belongs to no run of this request", run_id))
    run = writes[kind, run_id].run
    if field in run:
        raise RefusedError(422, Violation(part.name, "the field comes twice", run_id))
    run[field] = _json(part.name, part.content, run_id)


def _check_told_size(request: Request, body: bytes, parts: list[Part]) -> None:
    """The SDK counts what the parts hold, others the whole body: both are right."""
    told = request.headers.get("x-pre-compressed-size")
    sizes = {str(len(body)), str(sum(len(part.content) for part in parts))}
    if told is not None and told not in sizes:
        raise RefusedError(422, Violation("X-Pre-Compressed-Size", f"says {told}, decompressed are {len(body)} bytes"))


def _object(part: Part) -> dict[str, Any]:
    value = _json(part.name, part.content)
    if not isinstance(value, dict):
        raise RefusedError(422, Violation(part.name, "is no object"))
    return value


def _json(name: str, content: bytes, run_id: str | None = None) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise RefusedError(422, Violation(name, f"is no valid JSON: {error}", run_id)) from error
