"""Spans on disk: MessagePack, in which payloads stay the bytes that they are."""

from collections.abc import Sequence
from typing import Final

import msgspec

from reamon.model import Span
from reamon.store.mending import mended

_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(list[Span]).decode


def encode_spans(spans: Sequence[Span]) -> tuple[bytes, bool]:
    """The body of a batch, and whether it says exactly what the spans say.

    What has no binary form (lone surrogates, integers beyond 64 bits, foreign objects) is mended.
    """
    try:
        return _encode(spans), True
    except (ValueError, OverflowError, TypeError):
        # Rare, so nobody looks for it before encoding has failed.
        return _mended(spans), False


def decode_spans(body: bytes) -> list[Span]:
    """The spans of a body; none where another version of reamon wrote it, and this one cannot read it."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def _mended(spans: Sequence[Span]) -> bytes:
    try:
        return msgspec.msgpack.encode(spans, enc_hook=_type_name)
    except (ValueError, OverflowError):
        return msgspec.msgpack.encode([mended(span) for span in spans], enc_hook=_type_name)


def _type_name(value: object) -> str:
    """What stands for an object that a processor or a collector has put into a span, and that is no plain value."""
    return f"<{type(value).__name__}>"
