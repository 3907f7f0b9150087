"""Export: rows into a file, which is whole or not there, or into a stream."""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import msgspec

from reamon.errors import StoreError
from reamon.store.exporting.columns import ExportColumn, columns_of
from reamon.store.exporting.lines import LineWriter
from reamon.store.exporting.parquet import ParquetWriter
from reamon.store.exporting.records import Record, records
from reamon.store.exporting.table import TableWriter
from reamon.store.filters import RowFilter
from reamon.store.listing import Listing


class Writer(Protocol):
    """What writes rows in one format."""

    def write(self, rows: Sequence[Record]) -> None:
        """Write some rows."""

    def finish(self) -> None:
        """Write what is left."""

    def abandon(self) -> None:
        """Let go of what is unfinished; the stream is still open."""


FORMATS: Final[dict[str, Callable[[BinaryIO, Sequence[ExportColumn]], Writer]]] = {
    "jsonl": LineWriter,
    "csv": TableWriter,
    "parquet": ParquetWriter,
}
"""The formats, by the endings of their files' names."""


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What an export has written.

    Attributes:
        what: What was exported ("traces").
        format: In which format.
        path: The file; None for a stream.
        rows: How many rows.
        octets: How many bytes; None for a stream.
    """

    what: str
    format: str
    path: str | None
    rows: int
    octets: int | None


async def export(
    listing: Listing[Any, Any],
    to: Path | str | BinaryIO,
    which: RowFilter | None = None,
    *,
    format: str | None = None,
    payloads: bool = True,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Exported:
    """Write the rows that are meant, oldest first.

    A file is written under another name first, which only its owner may read, and gets its own once it is whole.

    Args:
        listing: The repository that finds them.
        to: The file, or a stream of bytes.
        which: The filter; everything unless given.
        format: "jsonl", "csv" or "parquet"; what the file's name ends in unless given.
        payloads: Whether inputs, outputs and states are part of it.
        overwrite: Whether a file that is there is replaced.
        progress: Is told how many rows are written, again and again.

    Raises:
        StoreError: The format is unknown, the file is there or cannot be written, or the database cannot answer.
        MissingExtraError: What the format needs is not installed.
    """
    chosen = format or (Path(to).suffix.removeprefix(".") if isinstance(to, Path | str) else "")
    if chosen not in FORMATS:
        raise StoreError(f"format={chosen!r} is unknown; there are {', '.join(FORMATS)}")
    columns = columns_of(listing.name, payloads=payloads)
    if not isinstance(to, Path | str):
        rows = await _write(FORMATS[chosen](to, columns), listing, which, columns, progress)
        return Exported(what=listing.name, format=chosen, path=None, rows=rows, octets=None)
    path = Path(to)
    with _whole_file(path, overwrite=overwrite) as stream:
        rows = await _write(FORMATS[chosen](stream, columns), listing, which, columns, progress)
        octets = stream.tell()
    return Exported(what=listing.name, format=chosen, path=str(path), rows=rows, octets=octets)


async def _write(
    writer: Writer,
    listing: Listing[Any, Any],
    which: RowFilter | None,
    columns: list[ExportColumn],
    progress: Callable[[int], None] | None,
) -> int:
    written = 0
    try:
        async for rows in records(listing, which, columns):
            writer.write(rows)
            written += len(rows)
            if progress is not None:
                progress(written)
        writer.finish()
    except BaseException:
        writer.abandon()
        raise
    return written


@contextmanager
def _whole_file(path: Path, *, overwrite: bool) -> Iterator[BinaryIO]:
    """A stream into a file that appears when the block ends well, and not at all if it raises."""
    if path.exists() and not overwrite:
        raise StoreError(f"{path} is there already: give another name, or replace it (--force, overwrite=True)")
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}.unfinished")
    try:
        # Recorded conversations are for nobody else, as in the store itself.
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as stream:
            yield stream
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
