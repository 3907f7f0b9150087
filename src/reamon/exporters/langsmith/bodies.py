"""Bodies: runs as the content of one request.

LangSmith takes them as one JSON document or, where the server offers it, as a multipart form with a part for each piece
of a run. Both are joined from bytes that are there already.
"""

import secrets
import threading
from collections.abc import Sequence
from typing import Final

import msgspec

from reamon.exporters.langsmith.runs import PARTS, Run

_SAYS_JSON: Final = '"\r\nContent-Type: application/json\r\nContent-Length: '
_ENDINGS: Final = tuple(f".{name}{_SAYS_JSON}" for name in PARTS)
_kept: Final = threading.local()  # a compressor for each thread: to make one takes half as long as to use it
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
    separator = f"\r\n--{boundary or secrets.token_hex(16)}"
    pieces = [*_pieces("post", posts, separator), *_pieces("patch", patches, separator)]
    payload_size = sum(map(len, pieces[1::2]))
    pieces.append(f"{separator}--\r\n".encode())
    pieces[0] = pieces[0][2:]  # nothing stands before the first separator
    content = b"".join(pieces)
    headers = {"Content-Type": f"multipart/form-data; boundary={separator[4:]}"}
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


def _pieces(operation: str, runs: Sequence[Run], separator: str) -> list[bytes]:
    """The form without its end: by turns what introduces a part, and its data."""
    pieces: list[bytes] = []
    for run in runs:
        begin = f'{separator}\r\nContent-Disposition: form-data; name="{operation}.{run.id}'
        pieces += (f"{begin}{_SAYS_JSON}{len(run.fields)}\r\n\r\n".encode(), run.fields)
        for ending, data in zip(_ENDINGS, (run.inputs, run.outputs, run.events, run.extra, run.error), strict=True):
            if data is not None:
                pieces += (f"{begin}{ending}{len(data)}\r\n\r\n".encode(), data)
    return pieces


def _compressed(content: bytes) -> bytes:
    import zstandard  # noqa: PLC0415 - the langsmith SDK brings it; nobody else needs it

    compressor: zstandard.ZstdCompressor | None = getattr(_kept, "compressor", None)
    if compressor is None:
        compressor = _kept.compressor = zstandard.ZstdCompressor(level=_ZSTD_LEVEL)
    return compressor.compress(content)
