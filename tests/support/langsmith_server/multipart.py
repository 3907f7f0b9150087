"""The parts of a multipart request, read as strictly as LangSmith reads them."""

import dataclasses
import re
from collections.abc import Iterator

from .violations import RefusedError, Violation

_BOUNDARY = re.compile(r'^multipart/form-data;\s*boundary="?([^";,]{1,70})"?\s*$', re.IGNORECASE)
_NAME = re.compile(r'^form-data;\s*name="([^"]+)"', re.IGNORECASE)
_LENGTH_IN_TYPE = re.compile(r";\s*length=(\d+)\s*$")


@dataclasses.dataclass(frozen=True)
class Part:
    """One part: its name, what it says it holds, and what it holds."""

    name: str
    content_type: str
    content: bytes


def parts_of(content_type: str, body: bytes) -> Iterator[Part]:
    """The parts of a request, in order.

    Raises:
        RefusedError: It is no multipart, or a part lacks what it must have.
    """
    matched = _BOUNDARY.match(content_type)
    if matched is None:
        raise RefusedError(
            422, Violation("Content-Type", f"{content_type!r} is no multipart/form-data with a boundary")
        )
    delimiter = b"--" + matched[1].encode()
    if not body.startswith(delimiter):
        raise RefusedError(422, Violation("body", "does not start with the boundary"))
    position = len(delimiter)
    while body[position : position + 2] == b"\r\n":
        end = body.find(b"\r\n" + delimiter, position)
        if end < 0:
            raise RefusedError(422, Violation("body", "ends without the closing boundary"))
        yield _part(body[position + 2 : end])
        position = end + 2 + len(delimiter)
    if body[position : position + 2] != b"--" or body[position + 2 :].strip():
        raise RefusedError(422, Violation("body", "does not end with the closing boundary"))


def _part(raw: bytes) -> Part:
    head, separator, content = raw.partition(b"\r\n\r\n")
    if not separator:
        raise RefusedError(422, Violation("part", "has no empty line after its headers"))
    headers = dict(_header(line) for line in head.decode("latin-1").split("\r\n"))
    named = _NAME.match(headers.get("content-disposition", ""))
    if named is None:
        raise RefusedError(422, Violation("Content-Disposition", "a part without a name"))
    name = named[1]
    content_type = headers.get("content-type", "")
    if not content_type:
        raise RefusedError(422, Violation(name, "the part has no Content-Type"))
    if "content-encoding" in headers:
        raise RefusedError(422, Violation(name, "a part must not have a Content-Encoding"))
    _check_length(name, headers, content)
    return Part(name, content_type, content)


def _header(line: str) -> tuple[str, str]:
    name, separator, value = line.partition(":")
    if not separator:
        raise RefusedError(422, Violation("part", f"{line!r} is no header"))
    return name.strip().lower(), value.strip()


def _check_length(name: str, headers: dict[str, str], content: bytes) -> None:
    in_type = _LENGTH_IN_TYPE.search(headers["content-type"])  # how the SDK tells the size of a file
    told = headers.get("content-length") or (in_type[1] if in_type else None)
    if told is None:
        raise RefusedError(422, Violation(name, "the part has no Content-Length"))
    if not told.isdecimal() or int(told) != len(content):
        raise RefusedError(422, Violation(name, f"Content-Length is {told}, the part has {len(content)} bytes"))
