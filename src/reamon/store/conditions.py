"""Conditions: what a filter asks for, in SQL that means the same on SQLite and on PostgreSQL."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from string import ascii_lowercase, ascii_uppercase
from typing import Any, Final, TypeAlias

import msgspec
from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    Text,
    and_,
    cast,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSONB

from reamon.model.cost import EXACT, PLACES, rounded
from reamon.model.ids import ROW_TIMES_NS, row_id, row_id_at
from reamon.model.times import from_datetime
from reamon.store.filters import Amount
from reamon.store.places import KEY_PROBES, Places

Condition: TypeAlias = ColumnElement[bool]

SQLITE: Final = "sqlite"

_SECOND: Final = 32
"""The bits of a row's key below those that tell its second (`store.places`)."""

_LAST_KEY: Final = (1 << 63) - 1


def equals(column: ColumnElement[Any], value: Any) -> list[Condition]:
    """The column has this value; anything if that is None."""
    return [] if value is None else [column == value]


def is_one_of(column: ColumnElement[Any], values: Iterable[str] | None) -> list[Condition]:
    """The column has one of these values; anything if that is None."""
    if values is None:
        return []
    known = tuple(values)
    return [column == known[0] if len(known) == 1 else column.in_(known)]


def is_between(column: Column[Any], least: float | Decimal | None, most: float | Decimal | None) -> list[Condition]:
    """The column's number is in this range, both ends included."""
    return [
        *([] if least is None else [column >= least]),
        *([] if most is None else [column <= most]),
    ]


def in_time(column: Column[Any], since: datetime | None, until: datetime | None) -> list[Condition]:
    """The column's moment is in this stretch, its end excluded."""
    return [
        *([] if since is None else [column >= since]),
        *([] if until is None else [column < until]),
    ]


def in_seconds(key: ColumnElement[Any], since: datetime | None, until: datetime | None) -> list[Condition]:
    """The row's integer key lies within the seconds around this stretch of time, as it does where its start is in it.

    Rows may be scattered over their second, and beyond its end by a few numbers, so the start itself has to be compared
    as well (`in_time`); this leads to it along the key. Keys tell times from 2020 to 2089 only.
    """
    conditions = []
    first, last = ROW_TIMES_NS
    if since is not None and first <= from_datetime(since) <= last:
        conditions.append(key >= _second_of(since) << _SECOND)
    if until is not None and first <= from_datetime(until) <= last:
        conditions.append(key <= min((_second_of(until) + 1 << _SECOND) + KEY_PROBES, _LAST_KEY))
    return conditions


def _second_of(moment: datetime) -> int:
    return row_id_at(from_datetime(moment), "000") >> _SECOND


def amount_between(column: Column[Any], least: Amount, most: Amount, dialect: str) -> list[Condition]:
    """The column's money is known and in this range, both ends included, compared to the last digit."""
    low, high = None if least is None else Decimal(least), None if most is None else Decimal(most)
    if dialect != SQLITE:
        return is_between(column, low, high)
    return [
        *([] if low is None else [_is_at_least(column, low)]),
        *([] if high is None else [_is_at_most(column, high)]),
    ]


def _is_at_least(column: Column[Any], bound: Decimal) -> Condition:
    """Amounts are text with twelve places: among those of one sign, the longer is further from zero, then the text."""
    digits, is_negative = _digits(bound, up=True)
    below_zero, further_or_same = _is_negative(column), _magnitude(column) >= _magnitude_of(digits)
    if is_negative:
        return and_(column.is_not(None), or_(not_(below_zero), _magnitude(column) <= _magnitude_of(digits)))
    return and_(not_(below_zero), further_or_same)


def _is_at_most(column: Column[Any], bound: Decimal) -> Condition:
    digits, is_negative = _digits(bound, up=False)
    below_zero = _is_negative(column)
    if is_negative:
        return and_(below_zero, _magnitude(column) >= _magnitude_of(digits))
    return and_(column.is_not(None), or_(below_zero, _magnitude(column) <= _magnitude_of(digits)))


def _digits(bound: Decimal, *, up: bool) -> tuple[str, bool]:
    """A bound at the places of the amounts, on the side that excludes none of them, and whether it is below zero."""
    amount = rounded(bound)
    if up and amount < bound:
        amount = EXACT.add(amount, PLACES)
    elif not up and amount > bound:
        amount = EXACT.subtract(amount, PLACES)
    return format(amount.copy_abs(), "f"), amount < 0


def _is_negative(column: Column[Any]) -> Condition:
    """It is below zero; a zero that has kept a sign from rounding is not."""
    text = cast(column, Text)
    return and_(func.substr(text, 1, 1) == "-", text != "-0.000000000000")


def _magnitude(column: Column[Any]) -> ColumnElement[Any]:
    text = func.ltrim(cast(column, Text), "-")
    return tuple_(func.length(text), text)


def _magnitude_of(digits: str) -> ColumnElement[Any]:
    return tuple_(literal(len(digits)), literal(digits))


def says(columns: Iterable[Column[Any]], text: str | None, dialect: str) -> list[Condition]:
    """One of the columns contains this text; A to Z match in either case, and no character is a wildcard."""
    if not text:
        return []
    wanted = text.translate(str.maketrans(ascii_uppercase, ascii_lowercase))
    find = func.instr if dialect == SQLITE else func.strpos
    return [or_(*(find(_small(column, dialect), wanted) > 0 for column in columns))]


def _small(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """The column with A to Z in small letters, which is all that SQLite's `lower` changes."""
    if dialect == SQLITE:
        return func.lower(column)
    return func.translate(column, ascii_uppercase, ascii_lowercase)


def has_tag(column: Column[Any], tag: str | None, dialect: str) -> list[Condition]:
    """The column's JSON array contains this text."""
    if tag is None:
        return []
    if dialect == SQLITE:
        tags = func.json_each(cast(column, Text)).table_valued("value")
        return [select(1).select_from(tags).where(tags.c.value == tag).exists()]
    return [cast(cast(column, Text), JSONB).contains([tag])]


def has_labels(column: Column[Any], labels: Mapping[str, str], dialect: str) -> list[Condition]:
    """The column's labels have these values, among others: they are JSON text with the keys in order."""
    find = func.instr if dialect == SQLITE else func.strpos
    text = cast(column, Text)
    conditions: list[Condition] = []
    for name, value in labels.items():
        pair = msgspec.json.encode({name: value}).decode()[1:-1]
        conditions.append(or_(func.substr(text, 1, len(pair) + 1) == "{" + pair, find(text, "," + pair) > 0))
    return conditions


def decided(column: Column[Any], action: str | None, dialect: str) -> list[Condition]:
    """The decision in the column's JSON has this action."""
    if action is None:
        return []
    if dialect == SQLITE:
        return [func.json_extract(cast(column, Text), "$.action") == action]
    return [cast(column, Text).cast(JSONB)["action"].astext == action]


def has_id(table: Table, key: str, value: str) -> Condition | None:
    """The row has this span's id: found by its places (`store.places`); None where no row can have it."""
    try:
        near, near_end, far, far_end = Places.of(row_id(value), value)
    except ValueError:
        return None
    number = table.c.id
    return and_(or_(number.between(near, near_end), number.between(far, far_end)), table.c[key] == value)


def unindexed(column: Column[Any], dialect: str) -> ColumnElement[Any]:
    """The column, such that SQLite looks for another index than one of its own.

    SQLite keeps no statistics of a file unless somebody runs ANALYZE on it, and guesses; PostgreSQL knows.
    """
    if dialect != SQLITE:
        return column
    return literal_column(f"+{column.table.name}.{column.name}", column.type)
