"""Plain values: those that msgspec encodes as they are, told from all others in a glance."""

from collections.abc import Iterable
from typing import Any

ITEM_SIZE = 8
MANY = 32
"""Keys from which on a dict is taken for a table of the application's data, whose keys may be texts of any length."""

_SMALL = (1 << 30) - 1  # what Python compares fastest, having one digit
_LONG = 1 << 63  # integers from here on take msgspec long to spell out

plain_enums: set[type] = set()
"""The enums that have been met whose values are all text: msgspec spells these out by itself."""


def room_left(items: Iterable[Any], room: int) -> int:
    """What a container's items leave of `room` characters, roughly; negative if too large, or not plain throughout.

    Containers are sized before they are entered, so the work is bounded by the room; one that contains itself ends in a
    RecursionError, which counts as not plain. Of keys only the length is looked at, and that where there are many, as
    they are then data and not names: msgspec refuses those that JSON cannot have.
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
            size = len(item)
            beside = room - ITEM_SIZE * size if size < MANY else room_beside_keys(item, room)
            room = room_left(item.values(), beside)
        elif kind is float:
            if item - item != 0:  # NaN or an infinity
                return -1
        elif kind is bool or item is None:
            continue
        elif kind is list or kind is tuple:
            room = room_left(item, room - ITEM_SIZE * len(item))
        elif kind in plain_enums:
            room -= len(item._value_)
        else:
            return -1
    return room


def room_beside_keys(table: dict[Any, Any], room: int) -> int:
    """What a dict's keys and places leave of `room`; negative if they are too large."""
    room -= ITEM_SIZE * len(table)
    if room < 0:
        return room
    try:
        return room - sum(map(len, table))
    except TypeError:  # numbers, or what JSON cannot have
        return room
