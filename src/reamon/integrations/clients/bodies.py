"""Bodies: the documents in the body of an HTTP response, read while the bytes go by."""

import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from reamon.guard import guarded
from reamon.integrations.clients.answers import AnswerReader

_LARGEST: Final = 64 * 1024 * 1024
"""What a line or a document may hold, in bytes, before it is given up: memory is bounded."""

_LONG: Final = 1024 * 1024

Inflate = Callable[[bytes], bytes]


class Body:
    """One response's body, whose documents go to a reader.

    The bytes are those on the wire, in pieces of any size. What cannot be read is passed over: it is the client that
    has to cope with it.

    Args:
        reader: What makes an answer of it.
        content_type: Of the response: server-sent events, lines of JSON, or one JSON document.
        encoding: Its content encoding; other ones than gzip and deflate are read at the end, by `decode`.
        decode: Makes the plain bytes of encoded ones, all at once.
    """

    def __init__(
        self, reader: AnswerReader, content_type: str, encoding: str = "", decode: Inflate | None = None
    ) -> None:
        self._reader = reader
        self._kept: list[bytes] = []
        self._kept_size = 0
        self._is_over = False
        self._data: list[bytes] = []
        self._inflate = _inflate(encoding)
        self._decode = decode if encoding and self._inflate is None else None
        kind = content_type.partition(";")[0].strip().lower()
        self._take_line = self._event_line if kind == "text/event-stream" else self._json_line
        self._is_lines = kind == "text/event-stream" or kind.endswith(("ndjson", "jsonl", "json-seq"))

    def feed(self, chunk: bytes) -> bool:
        """Take in the next bytes; whether a token was in them."""
        if self._is_over or not chunk:
            return False
        if self._inflate is not None:
            chunk = self._inflated(self._inflate, chunk)
        if self._is_lines and self._decode is None:
            return self._lines(chunk)
        self._keep(chunk)
        return False

    @guarded(default=None)
    def finish(self) -> None:
        """No more bytes come."""
        if self._is_over:
            return
        self._is_over = True
        rest = b"".join(self._kept)
        self._kept = []
        if self._decode is not None and rest:
            rest = self._decode(rest)
        if not self._is_lines:
            document = _decoded(rest)
            if document is not None:
                self._reader.whole(document)
            return
        for line in rest.splitlines():
            self._take_line(line)
        self._take_line(b"")

    def _keep(self, chunk: bytes) -> None:
        self._kept_size += len(chunk)
        self._kept.append(chunk)
        if self._kept_size > _LARGEST:
            self._kept, self._is_over = [], True

    def _inflated(self, inflate: Inflate, chunk: bytes) -> bytes:
        try:
            return inflate(chunk)
        except zlib.error:
            self._is_over = True
            return b""

    def _lines(self, chunk: bytes) -> bool:
        """Take the lines that are complete, and keep the rest."""
        cut = max(chunk.rfind(b"\n"), chunk.rfind(b"\r", 0, len(chunk) - 1)) + 1  # a last CR may be half of a CRLF
        if not cut:
            self._keep(chunk)
            return False
        complete = b"".join((*self._kept, chunk[:cut]))
        self._kept, self._kept_size = [], 0
        if cut < len(chunk):
            self._keep(chunk[cut:])
        holds_token = False
        for line in complete.splitlines():
            holds_token |= self._take_line(line)
        return holds_token

    def _event_line(self, line: bytes) -> bool:
        """A line of server-sent events; the empty one ends an event."""
        if line:
            if line.startswith(b"data:"):
                self._data.append(line[5:].strip())
            return False
        data, self._data = b"\n".join(self._data), []
        if data.startswith(b"[DONE]"):
            self._reader.is_complete = True
            return False
        return self._piece(data)

    def _json_line(self, line: bytes) -> bool:
        return self._piece(line)

    def _piece(self, raw: bytes) -> bool:
        document = _decoded(raw)
        return document is not None and self._reader.piece(document)


def _decoded(raw: bytes) -> Mapping[str, Any] | None:
    """The object that `raw` holds, if it does."""
    if not raw.strip():
        return None
    try:
        document = msgspec.json.decode(raw) if len(raw) <= _LONG else _without_bulk(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _without_bulk(raw: bytes) -> dict[str, Any]:
    """A long document without what makes it long (vectors, images): decoding that would hold the event loop up."""
    fields = msgspec.json.decode(raw, type=dict[str, msgspec.Raw])
    return {name: msgspec.json.decode(value) for name, value in fields.items() if len(bytes(value)) <= _LONG // 4}


def _inflate(encoding: str) -> Inflate | None:
    """What undoes a content encoding while the bytes come, if the standard library has it."""
    name = encoding.strip().lower()
    if name in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(zlib.MAX_WBITS | 32 if name != "deflate" else zlib.MAX_WBITS).decompress
    return None
