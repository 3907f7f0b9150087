"""CSV: a header, and a line for each row."""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, BinaryIO

from reamon.model.times import from_datetime, iso
from reamon.store.exporting.columns import ExportColumn, Form
from reamon.store.exporting.records import Record


class TableWriter:
    """Writes rows as CSV in UTF-8 (RFC 4180): money as exact text, times in ISO 8601 with a Z, JSON as JSON text.

    Args:
        stream: Where they go.
        columns: What the rows consist of.
    """

    def __init__(self, stream: BinaryIO, columns: Sequence[ExportColumn]) -> None:
        self._stream = stream
        self._columns = columns
        self._put([[column.name for column in columns]])

    def write(self, rows: Sequence[Record]) -> None:
        """Write some rows."""
        forms = [column.form for column in self._columns]
        self._put([[_text(value, form) for value, form in zip(row, forms, strict=True)] for row in rows])

    def finish(self) -> None:
        """Nothing is left to write."""

    def abandon(self) -> None:
        """Nothing is held."""

    def _put(self, rows: Sequence[Sequence[Any]]) -> None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(rows)
        self._stream.write(text.getvalue().encode())


def _text(value: Any, form: Form) -> Any:
    """A value as a CSV reader gets it; NULL is an empty field."""
    if value is None:
        return ""
    if form is Form.TIME:
        return iso(from_datetime(value))
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value
