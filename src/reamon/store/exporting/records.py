"""Records: the rows of an export, a bounded number at a time."""

from collections.abc import AsyncIterator
from typing import Any, Final

from reamon.store.exporting.columns import ExportColumn, reading
from reamon.store.filters import RowFilter
from reamon.store.listing import Listing

Record = tuple[Any, ...]
"""The values of a row, in the order of the columns."""

_ROWS: Final = 250
"""How many rows are in memory at once: each may have several payloads of 64 KiB."""


async def records(
    listing: Listing[Any, Any], which: RowFilter | None, columns: list[ExportColumn]
) -> AsyncIterator[list[Record]]:
    """The rows that are meant, oldest first, some at a time.

    Args:
        listing: The repository that finds them.
        which: The filter; everything unless given.
        columns: What is read of them.
    """
    width = len(columns)
    async for rows in listing.batches(reading(listing.name, columns), which, size=_ROWS):
        yield [tuple(row.values())[:width] for row in rows]
