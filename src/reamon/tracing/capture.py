"""Capture: values become JSON snapshots, whatever they are, in bounded time and space.

Most values are small, plain and sound: `room_left` finds that out in a glance, and msgspec encodes them as they are.
All others go through `Condenser`, which copies what fits of them into plain values first. Most parts of these are plain
again, and are encoded as they are.
"""

from typing import Any

import msgspec

from reamon.tracing._condense import Condenser
from reamon.tracing._plain import ITEM_SIZE, MANY, room_left

DEFAULT_LIMIT = 64 * 1024
"""Bytes that one payload may take."""

encode = msgspec.json.Encoder().encode
_NOTES = 128  # bytes of a condensed payload for what is said about the rest


def snapshot(value: Any, limit: int = DEFAULT_LIMIT) -> bytes:
    """The JSON of `value`, at most `limit` bytes of it, with a marker for what was cut. Never raises an `Exception`.

    Strings, numbers, booleans, None, lists and dicts are themselves. Dataclasses, pydantic models, attrs classes,
    msgspec structs and named tuples are objects of their fields; enums their values; dates, decimals, UUIDs and paths
    text; NaN and the infinities text; bytes and arrays their type and length; anything else its type's name, unless the
    type is registered (`register_capture`). Nothing is iterated that could be used up.

    Example:
        >>> snapshot({"lead": "Ada", "score": 0.5})
        b'{"lead":"Ada","score":0.5}'
        >>> snapshot(b"....")
        b'{"__type__":"bytes","length":4}'
    """
    is_deep = False
    try:
        is_dict = type(value) is dict
        if is_dict and len(value) < MANY:
            room = room_left(value.values(), limit - ITEM_SIZE * len(value))
        else:
            room = room_left((value,), limit)
        if room >= 0:
            raw = encode(value)
            if len(raw) <= limit:
                return raw
    except RecursionError:  # deeper than Python's stack, or containing itself
        is_deep = True
    except Exception:  # noqa: S110 - lone surrogates, huge integers, mutation meanwhile: the condenser deals with them
        pass
    return condensed(value, limit, is_deep=is_deep)


def condensed(value: Any, limit: int, *, is_deep: bool = False) -> bytes:
    """The JSON of a value that is large, foreign or unsound."""
    room = limit - _NOTES
    for _ in range(4):
        try:
            raw = encode(Condenser(room, takes_plain=not is_deep).condense(value))
        except Exception as error:
            return encode({"__type__": type(value).__qualname__, "error": f"not captured: {type(error).__name__}"})
        if len(raw) <= limit:
            return raw
        # The room is counted in characters; escapes and non-ASCII text take more bytes than that.
        room = room * limit // len(raw) * 9 // 10
    return encode({"__type__": type(value).__qualname__, "error": f"not captured: larger than {limit} bytes"})
