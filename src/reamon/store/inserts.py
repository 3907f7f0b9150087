"""Inserts: many rows in few statements, and what to do about rows that are there already."""

import sqlite3
from collections.abc import Container, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Final

from reamon.store.places import HELD_HERE, Places

Values = list[str | int | float]
"""The values of any number of rows, one row after the other: rows kept as tuples would be more objects for Python's
garbage collector to look through, and more work to put into a statement."""

_ROWS_PER_STATEMENT: Final = (24, 4, 1)
"""Few sizes, so that SQLite compiles few statements; 24 rows of our widest table stay below the 999 parameters that old
SQLite versions allow."""

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


class Insert:
    """An INSERT into one table.

    Args:
        table: The table.
        columns: Its columns, in the order of the rows' values.
        conflict: The columns of which two rows cannot agree, in parentheses.
        replace: On what condition a row that is there already is replaced; None for never.
        instead: What its columns become then that do not simply become the new row's.
    """

    def __init__(
        self,
        table: str,
        columns: Sequence[str],
        conflict: str,
        *,
        replace: str | None = None,
        instead: Mapping[str, str] = _NOTHING,
    ) -> None:
        row = f"({', '.join('?' * len(columns))})"
        assignments = ", ".join(f"{column} = {instead.get(column, f'excluded.{column}')}" for column in columns)
        action = "NOTHING" if replace is None else f"UPDATE SET {assignments} WHERE {replace}"
        head, tail = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ", f" ON CONFLICT{conflict} DO {action}"
        self._width = len(columns)
        self._statements = [
            (count * self._width, head + ", ".join([row] * count) + tail) for count in _ROWS_PER_STATEMENT
        ]

    def run(self, connection: sqlite3.Connection, values: Values) -> bool:
        """Insert the rows of these values. Returns whether all of them are in the table now; else some were there."""
        position = changed = 0
        for length, statement in self._statements:
            while len(values) - position >= length:
                changed += connection.execute(statement, values[position : position + length]).rowcount
                position += length
        return changed == len(values) // self._width


class KeyedInsert(Insert):
    """An INSERT of rows whose first column is the integer key `id`, and whose true key is a text.

    Two texts may give the same integer, though seldom; then the later row gets the first free one of its `Places`.

    Args:
        table: The table.
        columns: Its columns, `id` first and `key` second.
        key: The column of the true key.
        replace: On what condition a row with the same true key is replaced; None for never.
        instead: As for `Insert`.
    """

    def __init__(
        self,
        table: str,
        columns: Sequence[str],
        *,
        key: str,
        replace: str | None = None,
        instead: Mapping[str, str] = _NOTHING,
    ) -> None:
        same = f"{table}.{key} = excluded.{key}"
        condition = None if replace is None else f"{same} AND {table}.{replace}"
        super().__init__(table, columns, "(id)", replace=condition, instead=instead)
        self._find = f"SELECT id, {key} FROM {table} WHERE {HELD_HERE}"
        _, self._insert_one = self._statements[-1]

    def run(self, connection: sqlite3.Connection, values: Values) -> bool:
        """Insert the rows of these values. Returns whether all of them were new, or replaced what was there."""
        if super().run(connection, values):
            return True
        for position in range(0, len(values), self._width):
            self._settle(connection, values[position : position + self._width])
        return False

    def _settle(self, connection: sqlite3.Connection, row: Values) -> None:
        """See that a row is in the table that may not have got there at the first attempt."""
        key = str(row[1])
        places = Places.of(int(row[0]), key)
        held = dict(connection.execute(self._find, places).fetchall())
        place = next((number for number, owner in held.items() if owner == key), None)
        if place is None:
            place = _free_place(places, held)
        connection.execute(self._insert_one, [place, *row[1:]])


def _free_place(places: Places, held: Container[int]) -> int:
    near, near_end, far, far_end = places
    for number in chain(range(near, near_end + 1), range(far, far_end + 1)):
        if number not in held:
            return number
    raise ValueError(f"every number near this row id ({near}), and near {far}, is taken by another span")
