"""Column types: one Python value each, in the form that each database keeps exactly.

SQLite has neither decimals nor times, so both are text there; on PostgreSQL they are NUMERIC and TIMESTAMPTZ.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, TypeVar

import msgspec
from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Integer, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from reamon.model.cost import rounded
from reamon.model.times import from_datetime, iso

T = TypeVar("T")


class LargeCount(TypeDecorator[int]):
    """A count with room for sums of large ones: 64 bits on every database."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type; every integer of SQLite's has 64 bits."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


class RowId(LargeCount):
    """A 63-bit key made from a span's id; INTEGER on SQLite, so that it is the row's address itself."""

    cache_ok = True


class TextOnSqlite(TypeDecorator[T]):
    """The base of types that SQLite keeps as text, and other databases in a type of their own."""

    impl = Text
    cache_ok = True
    elsewhere: ClassVar[TypeEngine[Any]]

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """The database's own type."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else self.elsewhere)

    def process_bind_param(self, value: T | None, dialect: Dialect) -> Any:
        """What the database is given."""
        return self.written(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> T | None:
        """What the reader gets."""
        return self.read(value) if value is not None and dialect.name == "sqlite" else value

    def written(self, value: T) -> str:
        """`value` as text."""
        raise NotImplementedError

    def read(self, text: str) -> T:
        """The value that `text` stands for."""
        raise NotImplementedError


class UtcDateTime(TextOnSqlite[datetime]):
    """A moment as an aware datetime in UTC; ISO 8601 on SQLite, which sorts as the moments do."""

    cache_ok = True
    elsewhere = DateTime(timezone=True)

    def process_result_value(self, value: datetime | str | None, dialect: Dialect) -> datetime | None:
        """In UTC also where PostgreSQL answers in the zone of its server, or of whoever connects."""
        moment = super().process_result_value(value, dialect)
        return moment if moment is None or moment.tzinfo is UTC else moment.astimezone(UTC)

    def written(self, value: datetime) -> str:
        """ISO 8601 with microseconds and a Z."""
        return iso(from_datetime(value))

    def read(self, text: str) -> datetime:
        """An aware datetime."""
        return datetime.fromisoformat(text)


class Quantity(TextOnSqlite[Decimal]):
    """A count of units, or the price of one, with all the digits that it came with; never a float."""

    cache_ok = True
    elsewhere = Numeric()

    def written(self, value: Decimal) -> str:
        """The digits, without an exponent."""
        return format(value, "f")

    def read(self, text: str) -> Decimal:
        """The exact number."""
        return Decimal(text)


class Money(Quantity):
    """USD to twelve places: exactly so many also as text, which is what sums in SQL rely on."""

    cache_ok = True
    elsewhere = Numeric(38, 12)

    def written(self, value: Decimal) -> str:
        """The digits, twelve of them after the point."""
        return format(rounded(value), "f")


class Json(TextOnSqlite[Any]):
    """A JSON value; text on SQLite, where a column of type JSON would turn the payload `1.0` into a number.

    NULL is "nothing was recorded"; a recorded None is the JSON text `null`. Both are read as None.
    """

    cache_ok = True
    elsewhere = JSON(none_as_null=True)

    def written(self, value: Any) -> str:
        """JSON text."""
        return msgspec.json.encode(value).decode()

    def read(self, text: str) -> Any:
        """Plain Python objects."""
        return msgspec.json.decode(text)


class Labels(TypeDecorator[dict[str, str]]):
    """The labels of a series, by name: text on every database, keys in order, so that it can be part of a key."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: dict[str, str] | None, dialect: Dialect) -> str:
        """JSON text that is the same for equal labels."""
        return msgspec.json.encode(dict(sorted((value or {}).items()))).decode()

    def process_result_value(self, value: Any, dialect: Dialect) -> dict[str, str]:
        """The labels."""
        labels: dict[str, str] = msgspec.json.decode(value)
        return labels
