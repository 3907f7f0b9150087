"""The numbers of advisory locks: what is ours, of which store, and for what."""

from hashlib import blake2b
from typing import Final

TOTALS: Final = 512
"""Among how many locks the traces share, when their totals are added up. One for each trace would be more than a
server's table of locks has room for, as soon as several processes catch up after an outage."""


def lock_number(*names: str) -> int:
    """A number for what these names say; it does not clash with the locks of the application, nor of another store.

    Example:
        >>> lock_number("migrate", "reamon") == lock_number("migrate", "reamon") != lock_number("migrate", "public")
        True
    """
    digest = blake2b("\0".join(("reamon", *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def totals_numbers(schema: str, trace_ids: set[str]) -> list[int]:
    """The locks that whoever adds up the costs of these traces holds meanwhile, in the order in which they are taken.

    One order for all, so that nobody waits for somebody who waits for them.
    """
    first = lock_number("totals", schema) >> 10 << 10
    return sorted({first + _share_of(trace_id) for trace_id in trace_ids})


def _share_of(trace_id: str) -> int:
    return int.from_bytes(blake2b(trace_id.encode("utf-8", "replace"), digest_size=2).digest(), "big") % TOTALS
