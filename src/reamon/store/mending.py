"""Mending: a span that SQLite cannot hold as it is, made into one that it can.

Text with lone surrogates has no UTF-8 form, and integers end at 64 bits. Both are rare, so nobody looks for them
before a write has failed.
"""

from enum import Enum
from typing import Any

import msgspec

from reamon.model import Span

_LONGEST_BITS = 14_000  # Python refuses to write out more than 4300 digits
_INTEGERS = range(-(1 << 63), 1 << 63)


def mended(span: Span) -> Span:
    """A copy of `span` whose text is valid Unicode ("?" for what is not) and whose integers fit; larger ones are text.

    Those that are too large even to be written out are named by their size.
    """
    copy: Span = _mended(span)
    return copy


def _mended(value: Any) -> Any:
    match value:
        case Enum() | bool():
            return value
        case str():
            return value.encode("utf-8", "replace").decode()
        case bytes():
            return value.decode("utf-8", "replace").encode()
        case int() if value not in _INTEGERS:
            return str(value) if value.bit_length() <= _LONGEST_BITS else f"an integer of {value.bit_length()} bits"
        case dict():
            return {_mended(key): _mended(item) for key, item in value.items()}
        case list():
            return [_mended(item) for item in value]
        case tuple():
            return tuple(_mended(item) for item in value)
        case msgspec.Struct():
            return type(value)(**{name: _mended(getattr(value, name)) for name in value.__struct_fields__})
        case _:
            return value
