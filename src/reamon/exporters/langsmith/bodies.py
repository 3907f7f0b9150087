"""Bodies: runs as the content of one request.

LangSmith takes them as one JSON document or, where the server offers it, as a multipart form with a part for each piece
of a run. Both are joined from bytes that are there already.
"""

import secrets
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from reamon.exporters.langsmith.runs import PARTS, Run

_SAYS_JSON: Final = '"\r\nContent-Type: application/json\r\nContent-Length: '
_ZSTD_LEVEL: Final = 3  # zstandard's own default: four times smaller in the time that JSON takes to be written


class Body(msgspec.Struct, frozen=True):
    """What one request carries.

    Attributes:
        content: The bytes to send.
        headers: What they are: Content-Type and, where compressed, Content-Encoding and the sizes.
        size: How many bytes it is before compression; the server's limit is for these.
    """

    content: bytes
    headers: dict[str, str]
    size: int


def batch_body(posts: Sequence[Run], patches: Sequence[Run] = ()) -> Body:
    """The body for `POST /runs/batch`.

    Args:
        posts: Runs that are new.
        patches: Runs that LangSmith has a beginning of.
    """
    content = b'{"post":[%b],"patch":[%b]}' % (b",".join(map(_document, posts)), b",".join(map(_document, patches)))
    return Body(content, {"Content-Type": "application/json"}, len(content))


def multipart_body(
    posts: Sequence[Run], patches: Sequence[Run] = (), *, compress: bool = False, boundary: str | None = None
) -> Body:
    """The body for `POST /runs/multipart`.

    Args:
        posts: Runs that are new.
        patches: Runs that LangSmith has a beginning of.
        compress: Send it as zstd; for servers that say they can read that.
        boundary: What separates the parts. By default random, so that no payload can contain it.
    """
    separator = f"--{boundary or secrets.token_hex(16)}"
    begin = f'{separator}\r\nContent-Disposition: form-data; name="'
    pieces: list[bytes] = []
    payload_size = 0
    for name, data in _parts(posts, patches):
        pieces += (f"{begin}{name}{_SAYS_JSON}{len(data)}\r\n\r\n".encode(), data, b"\r\n")
        payload_size += len(data)
    pieces.append(f"{separator}--\r\n".encode())
    content = b"".join(pieces)
    headers = {"Content-Type": f"multipart/form-data; boundary={separator[2:]}"}
    if not compress:
        return Body(content, headers, len(content))
    compressed = _compressed(content)
    headers |= {
        "Content-Encoding": "zstd",
        "X-Pre-Compressed-Size": str(payload_size),  # as the SDK counts it: without what separates the parts
        "X-Post-Compressed-Size": str(len(compressed)),
    }
    return Body(compressed, headers, len(content))


def _document(run: Run) -> bytes:
    """The run as one JSON object: its parts spliced into its fields."""
    pieces = [run.fields[:-1]]
    for name, data in run.parts:
        if data is not None:
            pieces += (b',"%b":' % name.encode(), data)
    pieces.append(b"}")
    return b"".join(pieces)


def _parts(posts: Sequence[Run], patches: Sequence[Run]) -> Iterator[tuple[str, bytes]]:
    for operation, runs in (("post", posts), ("patch", patches)):
        for run in runs:
            part = f"{operation}.{run.id}"
            yield part, run.fields
            for name, data in zip(PARTS, (run.inputs, run.outputs, run.events, run.extra, run.error), strict=True):
                if data is not None:
                    yield f"{part}.{name}", data


def _compressed(content: bytes) -> bytes:
    import zstandard  # noqa: PLC0415 - the langsmith SDK brings it; nobody else needs it

    return zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compress(content)
