"""JSON lines: a row as one JSON object on a line, without what is NULL."""

from collections.abc import Sequence
from typing import Any, BinaryIO

import msgspec

from reamon.model.times import from_datetime, iso
from reamon.store.exporting.columns import ExportColumn, Form
from reamon.store.exporting.records import Record


class LineWriter:
    """Writes rows as JSON lines: times in ISO 8601 with a Z, money as text, payloads as they were recorded.

    Args:
        stream: Where they go.
        columns: What the rows consist of.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[ExportColumn]) -> None:
        self._stream = stream
        self._columns = columns
        self._encode = msgspec.json.Encoder().encode

    def write(self, rows: Sequence[Record]) -> None:
        """Write some rows."""
        for row in rows:
            said = {
                column.name: _value(value, column.form)
                for column, value in zip(self._columns, row, strict=True)
                if value is not None
            }
            line = self._encode(said)
            # Within JSON, a bare newline can only be layout, of a payload that somebody has indented.
            self._stream.write(line.replace(b"\n", b" ") + b"\n")

    def finish(self) -> None:
        """Nothing is left to write."""

    def abandon(self) -> None:
        """Nothing is held."""


def _value(value: Any, form: Form) -> Any:
    match form:
        case Form.JSON:
            return msgspec.Raw(value.encode())
        case Form.TIME:
            return iso(from_datetime(value))
        case Form.MONEY | Form.QUANTITY:
            return format(value, "f")
    return value
