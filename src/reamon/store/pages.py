"""Pages: a part of a listing, and the cursor that tells where the next one begins.

A cursor holds the key of the last row that was given out, so a page is found by that key however far it is, and rows
that arrive or go meanwhile move no other into it or out of it.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final, Generic, Literal, TypeAlias, TypeVar
from zlib import crc32

import msgspec

from reamon.errors import StoreError

Item = TypeVar("Item")

Order: TypeAlias = Literal["newest", "oldest"]
"""What comes first."""

Key: TypeAlias = tuple[int | str, ...]
"""What tells a row from all others of its listing, in the order in which they are listed."""

_VERSION: Final = "r1."
_CHECKSUM: Final = 4


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """A part of a listing.

    Attributes:
        items: What is on it.
        next: The cursor of the page after it; None where this is the last one.
    """

    items: tuple[Item, ...]
    next: str | None = None


class _Cursor(msgspec.Struct, frozen=True, array_like=True):
    listing: str
    order: Order
    key: Key


def cursor(listing: str, order: Order, key: Key) -> str:
    """The cursor of the page that follows the row with this key.

    Example:
        >>> key_of(cursor("traces", "newest", (7, "id")), "traces", "newest", (int, str))
        (7, 'id')
    """
    content = msgspec.json.encode(_Cursor(listing, order, key))
    return _VERSION + urlsafe_b64encode(crc32(content).to_bytes(_CHECKSUM, "big") + content).decode().rstrip("=")


def key_of(text: str, listing: str, order: Order, types: tuple[type, ...]) -> Key:
    """The key in a cursor.

    Args:
        text: The cursor.
        listing: The listing in which it is used.
        order: The order in which that is listed.
        types: What the parts of its keys are.

    Raises:
        StoreError: It is none, is damaged, or comes from another listing or order.
    """
    known = _decoded(text)
    if known.listing != listing:
        raise StoreError(f"this cursor belongs to a page of {known.listing}, not of {listing}")
    if known.order != order:
        raise StoreError(f"this cursor belongs to a list with the {known.order} first: ask for that order")
    if tuple(map(type, known.key)) != types:
        raise unusable(text)
    return known.key


def _decoded(text: str) -> _Cursor:
    if not text.startswith(_VERSION):
        raise unusable(text)
    body = text.removeprefix(_VERSION)
    try:
        octets = urlsafe_b64decode(body + "=" * (-len(body) % 4))
        content = octets[_CHECKSUM:]
        if crc32(content).to_bytes(_CHECKSUM, "big") != octets[:_CHECKSUM]:
            raise unusable(text)
        return msgspec.json.decode(content, type=_Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise unusable(text) from None


def unusable(text: str) -> StoreError:
    """The refusal of a cursor that cannot be understood."""
    return StoreError(f"{text!r} is not a whole cursor of this version: take `next` of the page before, as it is")
