"""Frames: what a filter finds as a table in memory, of pandas or of polars. Money is exact in both, never a float."""

from typing import TYPE_CHECKING, Any

from reamon.errors import MissingExtraError
from reamon.store.exporting.columns import ExportColumn, Form, columns_of
from reamon.store.exporting.precision import PLACES, SCALES, fitting
from reamon.store.exporting.records import records
from reamon.store.filters import RowFilter
from reamon.store.listing import Listing

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]
    import polars


async def pandas_frame(listing: Listing[Any, Any], which: RowFilter | None, *, payloads: bool) -> "pandas.DataFrame":
    """A frame of pandas: money as Decimal objects, times in UTC, integers that may be missing, JSON as text.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingExtraError("to_pandas()", "pandas", error.name) from error
    types = {Form.TIME: "datetime64[us, UTC]", Form.INTEGER: "Int64", Form.NUMBER: "float64", Form.BOOLEAN: "boolean"}
    columns = columns_of(listing.name, payloads=payloads)
    values = await _values(listing, which, columns)
    return pd.DataFrame(
        {column.name: pd.Series(values[column.name], dtype=types.get(column.form, "object")) for column in columns}
    )


async def polars_frame(listing: Listing[Any, Any], which: RowFilter | None, *, payloads: bool) -> "polars.DataFrame":
    """A frame of polars: money as `Decimal(38, 12)`, times in UTC, JSON as text.

    Raises:
        MissingExtraError: polars is not installed.
    """
    try:
        import polars as pl  # noqa: PLC0415 - an optional package
    except ImportError as error:
        raise MissingExtraError("to_polars()", "polars", error.name) from error
    types: dict[Form, Any] = {
        Form.TIME: pl.Datetime("us", "UTC"),
        Form.INTEGER: pl.Int64,
        Form.NUMBER: pl.Float64,
        Form.BOOLEAN: pl.Boolean,
        **{form: pl.Decimal(PLACES, scale) for form, scale in SCALES.items()},
    }
    columns = columns_of(listing.name, payloads=payloads)
    values = await _values(listing, which, columns)
    fitted = {column.name: fitting(values[column.name], column.form) for column in columns}
    return pl.DataFrame(fitted, schema={column.name: types.get(column.form, pl.String) for column in columns})


async def _values(
    listing: Listing[Any, Any], which: RowFilter | None, columns: list[ExportColumn]
) -> dict[str, list[Any]]:
    values: dict[str, list[Any]] = {column.name: [] for column in columns}
    async for rows in records(listing, which, columns):
        for column, each in zip(columns, zip(*rows, strict=True), strict=True):
            values[column.name].extend(each)
    return values
