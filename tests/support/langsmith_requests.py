"""Runs for the local LangSmith server, as a client that does everything right would send them."""

import os
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import orjson

Run = dict[str, Any]

KEY = "lsv2_pt_test"
BOUNDARY = "a-boundary"


def uuid7() -> str:
    """A new id whose order is that of time."""
    moment = time.time_ns() // 1_000_000
    bits = int.from_bytes(os.urandom(10), "big") & ~(0xF << 76) & ~(0x3 << 62) | (0x7 << 76) | (0x2 << 62)
    return str(uuid.UUID(int=moment << 80 | bits))


def run(parent: Run | None = None, *, start: datetime | None = None, **fields: Any) -> Run:
    """A finished run that is right in every way, but for what `fields` say otherwise."""
    start = start or datetime.now(UTC)
    run_id = uuid7()
    segment = start.strftime("%Y%m%dT%H%M%S%fZ") + run_id
    made: Run = {
        "id": run_id,
        "trace_id": parent["trace_id"] if parent else run_id,
        "dotted_order": f"{parent['dotted_order']}.{segment}" if parent else segment,
        "name": "step",
        "run_type": "chain",
        "start_time": start.isoformat(),
        "end_time": (start + timedelta(seconds=1)).isoformat(),
        "session_name": "voice",
        "inputs": {"question": "when?"},
        "outputs": {"answer": "now"},
    }
    if parent:
        made["parent_run_id"] = parent["id"]
    return made | fields


def patch_of(posted: Run, **fields: Any) -> Run:
    """A patch of a run."""
    return {field: posted[field] for field in ("id", "trace_id", "dotted_order")} | fields


def part(name: str, content: Any, **headers: str) -> bytes:
    """One part of a multipart request; a header that is given as "" is left out."""
    raw = content if isinstance(content, bytes) else orjson.dumps(content)
    given = {"Content-Type": "application/json", "Content-Length": str(len(raw))}
    given |= {header.replace("_", "-"): value for header, value in headers.items()}
    lines = [f"--{BOUNDARY}", f'Content-Disposition: form-data; name="{name}"']
    lines += [f"{header}: {value}" for header, value in given.items() if value]
    return "\r\n".join([*lines, "", ""]).encode() + raw + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    """A whole multipart request."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def post_parts(posted: Run) -> bytes:
    """A run as parts: what it was given and gave back in parts of their own."""
    fields = {field: value for field, value in posted.items() if field not in ("inputs", "outputs")}
    apart = [part(f"post.{posted['id']}.{field}", posted[field]) for field in ("inputs", "outputs") if field in posted]
    return part(f"post.{posted['id']}", fields) + b"".join(apart)


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_opener = build_opener(_NoRedirects)


def ask(
    url: str, path: str, data: bytes | None = None, headers: Mapping[str, str] | None = None, **options: Any
) -> tuple[int, Any]:
    """Send one request with the right key; returns the status and the answer, decoded if it is JSON."""
    request = Request(url + path, data, {"x-api-key": KEY, **(headers or {})}, **options)
    try:
        answer = _opener.open(request, timeout=10)
    except HTTPError as error:
        answer = error
    with answer:
        content = answer.read()
    try:
        return answer.status, orjson.loads(content)
    except orjson.JSONDecodeError:
        return answer.status, content


def send_batch(url: str, *posts: Run, patches: tuple[Run, ...] = ()) -> int:
    """Post and patch runs in JSON; returns the status."""
    body = orjson.dumps({"post": posts, "patch": patches})
    return ask(url, "/runs/batch", body, {"Content-Type": "application/json"})[0]


def send_multipart(url: str, body: bytes, **headers: str) -> int:
    """Send a multipart request; returns the status."""
    given = {header.replace("_", "-"): value for header, value in headers.items()}
    return ask(url, "/runs/multipart", body, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **given})[0]
