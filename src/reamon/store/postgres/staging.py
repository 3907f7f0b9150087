"""Staging: rows are copied into a temporary table, which is the fastest way in, and inserted from there.

A row of the staging tables is what `reamon.store.rows` makes: times, money and JSON as text, which PostgreSQL reads.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import psycopg

from reamon.store.postgres.mending import Value, Values, readable_json

_INTEGERS: Final = {"id", "input_tokens", "output_tokens", "cached_input_tokens"}
_SMALL_INTEGERS: Final = {"execution_order", "item"}
_FLOATS: Final = {"duration_ms", "queue_wait_ms", "first_token_ms", "confidence"}
_TIMES: Final = {"start_time", "end_time", "timestamp"}
_NUMBERS: Final = {"cost", "total_cost", "usage_units", "unit_cost", "cost_amount"}
_BOOLEANS: Final = {"success", "estimated"}
_JSON: Final = {
    "tags", "metadata", "usage", "attributes", "events", "links", "extra", "decision", "input_data", "output_data",
    "state_before", "state_after",
}  # fmt: skip

_TYPES: Final = {
    **dict.fromkeys(_INTEGERS, "bigint"),
    **dict.fromkeys(_SMALL_INTEGERS, "integer"),
    **dict.fromkeys(_FLOATS, "double precision"),
    **dict.fromkeys(_TIMES, "timestamptz"),
    **dict.fromkeys(_NUMBERS, "numeric"),
    **dict.fromkeys(_BOOLEANS, "boolean"),
    **dict.fromkeys(_JSON, "json"),
}
_STAGED: Final = {
    "bigint": "bigint",
    "integer": "integer",
    "double precision": "double precision",
    "boolean": "integer",
}
_BINARY: Final = {"bigint": "int8", "integer": "int4", "double precision": "float8", "boolean": "int4"}


def column_type(name: str) -> str:
    """The type on PostgreSQL of a column that is written.

    Example:
        >>> column_type("start_time"), column_type("name")
        ('timestamptz', 'text')
    """
    return _TYPES.get(name, "text")


class Staging:
    """The staging table of one table, which lives as long as its connection and is emptied at each commit.

    Args:
        table: The table.
        columns: The columns that are written, in the order of the rows' values.

    Attributes:
        name: What it is called.
        types: The types of the columns.
        values: The columns as expressions of the table's types, for `SELECT ... FROM` the staging table.
    """

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self.table = table
        self.name = f"staged_{table}"
        self.columns = columns
        self.types = [column_type(column) for column in columns]
        self.values = ", ".join(f"s.{name}::{kind}" for name, kind in zip(columns, self.types, strict=True))
        staged = (f"{name} {_STAGED.get(kind, 'text')}" for name, kind in zip(columns, self.types, strict=True))
        self.create = f"CREATE TEMPORARY TABLE {self.name} ({', '.join(staged)}) ON COMMIT DELETE ROWS"
        self._copy = f"COPY {self.name} FROM STDIN (FORMAT BINARY)"
        self._binary = [_BINARY.get(kind, "text") for kind in self.types]
        self._json = [position for position, kind in enumerate(self.types) if kind == "json"]

    def row(self, row: Sequence[str | int | float]) -> Values:
        """A row of `reamon.store.rows` as PostgreSQL takes it: NULL for NaN, and JSON that it can look into."""
        values: Values = [None if value != value else value for value in row]  # noqa: PLR0124 - what only a NaN is
        for position in self._json:
            text = values[position]
            if text is not None and "\\u" in text:  # type: ignore[operator]  # text, in these columns
                values[position] = readable_json(text)  # type: ignore[arg-type]
        return values

    def fill(self, connection: psycopg.Connection[Any], rows: Iterable[Sequence[Value]]) -> None:
        """Copy rows into it."""
        with connection.cursor() as cursor, cursor.copy(self._copy) as copy:
            copy.set_types(self._binary)
            write = copy.write_row
            for row in rows:
                write(row)
