"""Precision: decimals where all values of a column need the same number of places."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any, Final

from reamon.errors import StoreError
from reamon.store.exporting.columns import Form

PLACES: Final = 38
"""The digits of the widest decimal that Parquet's readers know."""

SCALES: Final = {Form.MONEY: 12, Form.QUANTITY: 18}
"""How many of them are behind the point. All money has twelve. Quantities, and the prices of one, come with as many as
somebody has written: those beyond the eighteenth are rounded here, and are exact in JSON lines and CSV."""

_ROUNDING: Final = Context(prec=PLACES, rounding=ROUND_HALF_EVEN)
_UNITS: Final = {form: Decimal(1).scaleb(-places) for form, places in SCALES.items()}


def fitting(values: Iterable[Any], form: Form) -> list[Any]:
    """The values of a column, with the places that its type has.

    Raises:
        StoreError: One is too large for it.
    """
    unit = _UNITS.get(form)
    if unit is None:
        return list(values)
    return [None if value is None else _fitting(value, unit) for value in values]


def _fitting(value: Decimal, unit: Decimal) -> Decimal:
    try:
        return _ROUNDING.quantize(value, unit)
    except InvalidOperation as error:
        raise StoreError(
            f"{value} is larger than a decimal of {PLACES} digits says exactly: export to JSON lines or CSV, "
            "or leave it out by a filter"
        ) from error
