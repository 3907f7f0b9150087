"""Listings: what all repositories have in common, which is to find rows by a filter, page by page."""

import asyncio
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Generic, NamedTuple, TypeAlias, TypeVar

import msgspec
from sqlalchemy import Column, ColumnElement, Integer, Result, RowMapping, Select, func, literal, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from reamon.errors import StoreError
from reamon.store.conditions import Condition
from reamon.store.database import Database
from reamon.store.filters import RowFilter
from reamon.store.pages import Key, Order, Page, cursor, key_of, unusable
from reamon.store.types import Labels, RowId, UtcDateTime

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import polars

    from reamon.store.exporting import Exported

Item = TypeVar("Item")
Which = TypeVar("Which", bound=RowFilter)
View = TypeVar("View")

Reading: TypeAlias = Callable[[AsyncConnection, Sequence[RowMapping]], Awaitable[list[Item]]]
"""What makes items of the rows on a page."""

_ROWS_AT_A_TIME = 100
"""After how many rows the event loop has its turn: one takes some ten microseconds, with large payloads more."""

ITERATED_AT_A_TIME = 500

_TOO_LARGE = 1 << 63


class Search(NamedTuple):
    """A filter as the database is asked for it.

    Attributes:
        conditions: What the rows have to meet.
        keys: The columns along which they are listed.
        sorts: Whether rows are not found in that order, and have to be sorted.
    """

    conditions: list[Condition]
    keys: tuple[ColumnElement[Any], ...]
    sorts: bool = False


class Listing(Generic[Item, Which]):
    """Rows of one table, found by a filter. Each method sees one moment of the store.

    Every method raises `StoreError` where the database cannot answer, and where the filter asks for another project
    than the store was opened for.
    """

    name: ClassVar[str]
    _filters: type[Which]
    """The filter that finds these rows."""
    _columns: ClassVar[Sequence[Column[Any]]]
    _keys: ClassVar[tuple[Column[Any], ...]]
    """What tells a row from all others, in the order in which rows are listed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def query(
        self, which: Which | None = None, *, limit: int = 50, after: str | None = None, order: Order = "newest"
    ) -> Page[Item]:
        """The first page of the rows that are meant, or the one after another.

        Args:
            which: The filter; everything unless given.
            limit: How many are on a page, at most.
            after: The `next` of the page before.
            order: Whether the newest come first, or the oldest.

        Raises:
            StoreError: The cursor does not belong here, or the limit is below 1.
        """
        return await self._page(self._items, which, limit, after, order)

    async def count(self, which: Which | None = None) -> int:
        """How many rows are meant."""
        async with self._database.moment() as connection:
            search = await self._search(connection, self._filter(which))
            counted = select(func.count()).select_from(self._keys[0].table).where(*search.conditions)
            return (await connection.execute(counted)).scalar_one()

    async def iterate(
        self, which: Which | None = None, *, after: str | None = None, order: Order = "newest"
    ) -> AsyncIterator[Item]:
        """All rows that are meant, one by one, read a page at a time.

        Each page is read at a moment of its own, so that however long it takes, no writer waits.

        Args:
            which: The filter; everything unless given.
            after: Begin behind the page whose `next` this is.
            order: Whether the newest come first, or the oldest.
        """
        while True:
            page = await self.query(which, limit=ITERATED_AT_A_TIME, after=after, order=order)
            for item in page.items:
                yield item
            if page.next is None:
                return
            after = page.next

    async def export(
        self,
        to: Path | str | BinaryIO,
        which: Which | None = None,
        *,
        format: str | None = None,
        payloads: bool = True,
        overwrite: bool = False,
        progress: Callable[[int], None] | None = None,
    ) -> "Exported":
        """Write the rows that are meant into a file, oldest first; it is there once it is whole.

        Args:
            to: The file, or a stream of bytes.
            which: The filter; everything unless given.
            format: "jsonl", "csv" or "parquet" (which needs the extra of that name); what the file's name ends in
                unless given.
            payloads: Whether inputs, outputs and states are part of it.
            overwrite: Whether a file that is there is replaced.
            progress: Is told how many rows are written, again and again.

        Raises:
            StoreError: The format is unknown, the file is there already or cannot be written, ...
            MissingExtraError: What the format needs is not installed.
        """
        from reamon.store.exporting import export  # noqa: PLC0415 - few export, and it knows listings

        return await export(self, to, which, format=format, payloads=payloads, overwrite=overwrite, progress=progress)

    async def to_pandas(self, which: Which | None = None, *, payloads: bool = True) -> "pandas.DataFrame":
        """The rows that are meant as a frame of pandas, oldest first: money as Decimals, JSON as text.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from reamon.store.exporting.frames import pandas_frame  # noqa: PLC0415 - few need it

        return await pandas_frame(self, which, payloads=payloads)

    async def to_polars(self, which: Which | None = None, *, payloads: bool = True) -> "polars.DataFrame":
        """The rows that are meant as a frame of polars, oldest first: money as decimals, JSON as text.

        Raises:
            MissingExtraError: polars is not installed.
        """
        from reamon.store.exporting.frames import polars_frame  # noqa: PLC0415 - few need it

        return await polars_frame(self, which, payloads=payloads)

    async def batches(
        self, read: Select[Any], which: Which | None = None, *, size: int, order: Order = "oldest"
    ) -> AsyncIterator[list[RowMapping]]:
        """Rows that are meant as an export reads them, some at a time; each batch at a moment of its own.

        Args:
            read: The SELECT of what is read of them, without conditions; the columns of their keys are added.
            which: The filter; everything unless given.
            size: How many rows are in a batch, at most.
            order: Whether the newest come first, or the oldest.
        """
        names = [f"key_{number}" for number in range(len(self._keys))]
        keyed = read.add_columns(*(key.label(name) for key, name in zip(self._keys, names, strict=True)))
        key: Key | None = None
        while True:
            async with self._database.moment() as connection:
                rows = await self._rows(connection, which, size, key, order, keyed)
            if rows:
                yield rows
                key = tuple(_portable(rows[-1][name]) for name in names)
            if len(rows) < size:
                return

    async def _page(
        self, read: Reading[Item], which: Which | None, limit: int, after: str | None, order: Order
    ) -> Page[Item]:
        key = self._checked(limit, after, order)
        async with self._database.moment() as connection:
            rows = await self._rows(connection, which, limit + 1, key, order)
            items = await read(connection, rows[:limit])
        more = cursor(self.name, order, self._key_of(rows[limit - 1])) if len(rows) > limit else None
        return Page(tuple(items), more)

    async def _rows(
        self,
        connection: AsyncConnection,
        which: Which | None,
        limit: int,
        key: Key | None = None,
        order: Order = "newest",
        read: Select[Any] | None = None,
    ) -> list[RowMapping]:
        search = await self._search(connection, self._filter(which))
        conditions, keys = list(search.conditions), search.keys
        if key is not None:
            conditions.append(beyond(search.keys, key, is_descending=order == "newest"))
        if search.sorts and len(search.keys) == 1:
            # Whole rows are slow to sort, and most of them are for nothing: they are read once it is known which.
            number = self._keys[0]
            meant = select(number).where(*conditions).order_by(*_ordered(search.keys, order)).limit(limit)
            conditions, keys = [number.in_(meant)], (number,)
        wanted = select(*self._columns) if read is None else read
        statement = wanted.where(*conditions).order_by(*_ordered(keys, order)).limit(limit)
        return await gathered(await connection.execute(statement), lambda row: row)

    def _checked(self, limit: int, after: str | None, order: Order) -> Key | None:
        if order not in {"newest", "oldest"}:
            raise StoreError(f"order={order!r} is unknown; there are newest, oldest")
        if limit < 1:
            raise StoreError(f"limit={limit!r} is not at least 1")
        return None if after is None else self._key_in(after, order)

    def _key_in(self, text: str, order: Order) -> Key:
        types = tuple(int if isinstance(column.type, RowId | Integer) else str for column in self._keys)
        key = key_of(text, self.name, order, types)
        for part, column in zip(key, self._keys, strict=True):
            if not _is_part(part, column):
                raise unusable(text)
        return key

    def _key_of(self, row: RowMapping) -> Key:
        return tuple(_portable(row[column.name]) for column in self._keys)

    async def _items(self, connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[Item]:
        items: list[Item] = []
        for position in range(0, len(rows), _ROWS_AT_A_TIME):
            items += map(self._view, rows[position : position + _ROWS_AT_A_TIME])
            await asyncio.sleep(0)
        return items

    async def _one(self, condition: Condition | None) -> Item | None:
        """The one row that meets the condition and may be seen; None where there is none."""
        if condition is None:
            return None
        async with self._database.moment() as connection:
            statement = select(*self._columns).where(condition, *self._may_be_seen())
            rows = await gathered(await connection.execute(statement), self._view)
            return next(iter(rows), None)

    def _filter(self, which: Which | None) -> Which:
        """The filter, or that of everything; narrowed to the project that is seen."""
        meant = self._filters() if which is None else which
        if not isinstance(meant, self._filters):
            raise StoreError(f"{self.name} are found by a {self._filters.__name__}, not by {type(meant).__name__}")
        project = self._database.narrowed(meant.project)
        return meant if project == meant.project else msgspec.structs.replace(meant, project=project)

    @abstractmethod
    async def _search(self, connection: AsyncConnection, which: Which) -> Search:
        """How the database is asked for what the filter means."""

    @abstractmethod
    def _may_be_seen(self) -> list[Condition]:
        """The conditions of a row that belongs to what this reader sees."""

    @abstractmethod
    def _view(self, row: RowMapping) -> Item:
        """What a reader gets of a row."""


def beyond(keys: Sequence[ColumnElement[Any]], key: Key, *, is_descending: bool) -> Condition:
    """The condition that a row comes after the one with this key."""
    values = [literal(_restored(value, column), column.type) for column, value in zip(keys, key, strict=False)]
    if len(keys) == 1:
        return keys[0] < values[0] if is_descending else keys[0] > values[0]
    mine, others = tuple_(*keys), tuple_(*values)
    return mine < others if is_descending else mine > others


async def gathered(found: Result[Any], view: Callable[[RowMapping], View]) -> list[View]:
    """The views of all rows that were found; the event loop has its turn in between."""
    items: list[View] = []
    for part in found.mappings().partitions(_ROWS_AT_A_TIME):
        items += map(view, part)
        await asyncio.sleep(0)
    return items


def _ordered(keys: Sequence[ColumnElement[Any]], order: Order) -> list[ColumnElement[Any]]:
    return [key.desc() if order == "newest" else key.asc() for key in keys]


def _portable(value: Any) -> int | str:
    """A part of a key as a cursor holds it."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return msgspec.json.encode(value).decode()
    part: int | str = value
    return part


def _is_part(part: int | str, column: ColumnElement[Any]) -> bool:
    """Whether a column can have had this value: whoever makes up a cursor can put anything into it."""
    if isinstance(part, int):
        return -_TOO_LARGE <= part < _TOO_LARGE
    try:
        restored = _restored(part, column)
    except (ValueError, msgspec.DecodeError):
        return False
    return not isinstance(restored, datetime) or restored.tzinfo is not None


def _restored(part: int | str, column: ColumnElement[Any]) -> Any:
    """What was a part of a key before it was in a cursor."""
    if isinstance(column.type, UtcDateTime):
        return datetime.fromisoformat(str(part))
    if isinstance(column.type, Labels):
        return msgspec.json.decode(str(part))
    return part
