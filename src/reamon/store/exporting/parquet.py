"""Parquet: typed columns, in row groups, with no more than one of them in memory."""

from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from reamon.errors import MissingExtraError
from reamon.store.exporting.columns import ExportColumn, Form
from reamon.store.exporting.precision import PLACES, SCALES, fitting
from reamon.store.exporting.records import Record

_GROUP_ROWS: Final = 20_000
_GROUP_CHARACTERS: Final = 64 << 20


class ParquetWriter:
    """Writes rows as Parquet: money as decimal128(38, 12), times as timestamp[us, UTC], JSON as text.

    Args:
        stream: Where they go.
        columns: What the rows consist of.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[ExportColumn]) -> None:
        try:
            import pyarrow as pa  # type: ignore[import-untyped]  # noqa: PLC0415 - an optional package
            from pyarrow import parquet  # noqa: PLC0415
        except ImportError as error:
            raise MissingExtraError("an export to Parquet", "parquet", error.name) from error
        self._table: Any = pa.Table
        self._columns = columns
        self._schema = pa.schema([(column.name, _type(pa, column.form)) for column in columns])
        self._writer = parquet.ParquetWriter(stream, self._schema, compression="zstd")
        self._rows: list[Record] = []
        self._characters = 0

    def write(self, rows: Sequence[Record]) -> None:
        """Write some rows, as soon as they fill a row group."""
        self._rows += rows
        self._characters += sum(len(value) for row in rows for value in row if isinstance(value, str))
        if len(self._rows) >= _GROUP_ROWS or self._characters >= _GROUP_CHARACTERS:
            self._put()

    def finish(self) -> None:
        """Write the rows that are left, and what Parquet has at its end."""
        if self._rows:
            self._put()
        self._writer.close()

    def abandon(self) -> None:
        """Let go of the stream, whatever of it is written."""
        self._writer.close()

    def _put(self) -> None:
        values = zip(*self._rows, strict=True)
        columns = {column.name: fitting(each, column.form) for column, each in zip(self._columns, values, strict=True)}
        self._writer.write_table(self._table.from_pydict(columns, schema=self._schema))
        self._rows, self._characters = [], 0


def _type(pa: Any, form: Form) -> Any:
    types = {
        Form.TEXT: pa.string(),
        Form.JSON: pa.string(),
        Form.INTEGER: pa.int64(),
        Form.NUMBER: pa.float64(),
        Form.BOOLEAN: pa.bool_(),
        Form.TIME: pa.timestamp("us", tz="UTC"),
    }
    return types[form] if form in types else pa.decimal128(PLACES, SCALES[form])
