"""Capture: values become JSON snapshots, whatever they are, in bounded time and space.

Most values are small, plain and sound: `room_left` finds that out in a glance, and msgspec encodes them as they are.
All others go through `Condenser`, which copies what fits of them into plain values first.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from reamon.tracing._condense import Condenser

DEFAULT_LIMIT = 64 * 1024
"""Bytes that one payload may take."""

ITEM_SIZE = 8
encode = msgspec.json.Encoder().encode
_NOTES = 128  # bytes of a condensed payload for what is said about the rest
_SMALL = (1 << 30) - 1  # what Python compares fastest, having one digit
_LONG = 1 << 63  # integers from here on take msgspec long to spell out


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
    try:
        is_dict = type(value) is dict
        items, size = (value.values(), len(value)) if is_dict else ((value,), 1)
        room = room_left(items, limit - ITEM_SIZE * size)
        if room >= 0:
            raw = encode(value)
            if len(raw) <= limit:
                return raw
    except Exception:  # noqa: S110 - lone surrogates, huge integers, mutation meanwhile: the condenser deals with them
        pass
    return condensed(value, limit)


def condensed(value: Any, limit: int) -> bytes:
    """The JSON of a value that is large, foreign or unsound."""
    room = limit - _NOTES
    for _ in range(4):
        try:
            raw = encode(Condenser(room).condense(value))
        except Exception as error:
            return encode({"__type__": type(value).__qualname__, "error": f"not captured: {type(error).__name__}"})
        if len(raw) <= limit:
            return raw
        # The room is counted in characters; escapes and non-ASCII text take more bytes than that.
        room = room * limit // len(raw) * 9 // 10
    return encode({"__type__": type(value).__qualname__, "error": f"not captured: larger than {limit} bytes"})


def room_left(items: Iterable[Any], room: int) -> int:
    """What a container's items leave of `room` characters, roughly; negative if too large, or not plain throughout.

    Containers are sized before they are entered, so the work is bounded by the room; one that contains itself ends in a
    RecursionError, which counts as not plain. Keys are not looked at: msgspec refuses those that JSON cannot have.
    """
    if room < 0:
        return room
    for item in items:
        kind = type(item)  # compared in the order in which types are usual
        if kind is str:
            room -= len(item)
        elif kind is int:
            if (item > _SMALL and item >= _LONG) or (item < 0 and item < -_LONG):
                return -1
        elif kind is dict:
            room = room_left(item.values(), room - ITEM_SIZE * len(item))
        elif kind is float:
            if item - item != 0:  # NaN or an infinity
                return -1
        elif kind is bool or item is None:
            continue
        elif kind is list or kind is tuple:
            room = room_left(item, room - ITEM_SIZE * len(item))
        else:
            return -1
    return room
