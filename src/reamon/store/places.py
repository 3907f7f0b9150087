"""Places: the integer keys under which the row of a span may lie.

Every reader and writer that looks for a span by its id looks in exactly these numbers, so a span is found wherever the
crowd of its moment has pushed it.
"""

from typing import Final, NamedTuple
from zlib import crc32

KEY_PROBES: Final = 64
"""How many numbers beyond the first of a range are tried."""

_SCATTERED: Final = 32


class Places(NamedTuple):
    """Where the row of a span is looked for: two ranges of numbers, both ends included.

    The near range begins at the span's row id. It holds what ordinary coincidence brings together. The far one is for
    spans that were all given the same start (a backfill of whole seconds): there are 1024 row ids in a moment, so the
    others are scattered by their ids over the second around it, which has four thousand million.
    """

    near: int
    near_end: int
    far: int
    far_end: int

    @classmethod
    def of(cls, first: int, key: str) -> "Places":
        """The places of a row.

        Args:
            first: Its row id (`reamon.model.ids.row_id`).
            key: The id of its span.
        """
        far = first >> _SCATTERED << _SCATTERED | crc32(key.encode())
        return cls(first, first + KEY_PROBES, far, far + KEY_PROBES)


HELD_HERE: Final = "(id BETWEEN ? AND ? OR id BETWEEN ? AND ?)"
"""The SQL condition that a row lies in one of its `Places`, whose four numbers are the parameters."""
