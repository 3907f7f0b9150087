"""Payloads: JSON snapshots of values, kept as the bytes they were encoded to."""

from typing import Any

import msgspec

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Payload(msgspec.Struct, frozen=True, gc=False):
    """A snapshot of a value: JSON bytes, decoded when somebody asks.

    Exporters splice `raw` into what they send and never parse it; `value` is for people and processors.

    Example:
        >>> Payload.of({"name": "Ada"}).raw
        b'{"name":"Ada"}'
        >>> Payload(b'{"name":"Ada"}').value
        {'name': 'Ada'}
    """

    raw: bytes

    @property
    def value(self) -> Any:
        """The snapshot as plain Python objects, made anew at each call."""
        return _decode(self.raw)

    @property
    def text(self) -> str:
        """The snapshot as JSON text."""
        return self.raw.decode()

    @classmethod
    def of(cls, value: Any) -> "Payload":
        """The payload of a JSON-like value; what a processor puts in a payload's place.

        Raises:
            TypeError: `value` holds something that JSON cannot say.
        """
        return cls(_encode(value))
