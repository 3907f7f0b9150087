"""Exact sums of money in SQL, on every database.

PostgreSQL adds NUMERIC exactly. SQLite has 64-bit integers and floats only, and keeps money as text with exactly twelve
places, so there an amount is split into two integers, which are summed apart and put together in Decimal:

* whole micro-dollars: the digits before the last six. They overflow beyond 9 million million USD;
* the rest, in millionths of a micro-dollar: the last six digits, with the sign of the whole. They overflow beyond nine
  million million rows. (Trillionths of a dollar in one integer would overflow with nine million rows.)

SQLite says "integer overflow" rather than to give a wrong sum; also of one amount that is too large by itself, of which
its CAST alone would make the largest integer there is.
"""

from decimal import Decimal
from typing import Any, Final

from sqlalchemy import ColumnElement, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

from reamon.model.cost import EXACT

_MICROS: Final = Decimal("1E-6")
_RESTS: Final = Decimal("1E-12")
_SURELY_FITS: Final = len("-99999999999.999999999999")
_LEAST: Final = "(-9223372036854775807 - 1)"
_MOST: Final = "9223372036854775807"


class micros(FunctionElement[Any]):  # noqa: N801 - named like the SQL function that it stands for
    """An amount in micro-dollars: on SQLite the whole ones, on PostgreSQL all of it."""

    inherit_cache = True
    type = NullType()


class rest(FunctionElement[Any]):  # noqa: N801
    """What `micros` leaves of an amount, in millionths of a micro-dollar: nothing on PostgreSQL."""

    inherit_cache = True
    type = NullType()


class padded(FunctionElement[Any]):  # noqa: N801
    """A number of any length with exactly twelve places, as `micros` and `rest` need it; further digits are cut off."""

    inherit_cache = True
    type = NullType()


@compiles(padded)
def _padded(element: padded, compiler: SQLCompiler, **options: Any) -> str:
    return f"trunc({_argument(element, compiler, options)}, 12)"


@compiles(padded, "sqlite")
def _padded_text(element: padded, compiler: SQLCompiler, **options: Any) -> str:
    number = _argument(element, compiler, options)
    point = f"instr({number}, '.')"
    zeros = "'000000000000'"
    return f"CASE {point} WHEN 0 THEN {number} || '.' || {zeros} ELSE substr({number} || {zeros}, 1, {point} + 12) END"


@compiles(micros)
def _micros(element: micros, compiler: SQLCompiler, **options: Any) -> str:
    return f"({_argument(element, compiler, options)} * 1000000)"


@compiles(micros, "sqlite")
def _micros_of_text(element: micros, compiler: SQLCompiler, **options: Any) -> str:
    amount = _argument(element, compiler, options)
    whole = f"CAST(replace(substr({amount}, 1, length({amount}) - 6), '.', '') AS INTEGER)"
    fits = f"length({amount}) <= {_SURELY_FITS} OR {whole} NOT IN ({_LEAST}, {_MOST})"  # CAST stops at these two
    return f"CASE WHEN {amount} IS NULL OR {fits} THEN {whole} ELSE abs(min({whole}, {_LEAST})) END"


@compiles(rest)
def _rest(element: rest, compiler: SQLCompiler, **options: Any) -> str:
    return f"({_argument(element, compiler, options)} * 0)"


@compiles(rest, "sqlite")
def _rest_of_text(element: rest, compiler: SQLCompiler, **options: Any) -> str:
    amount = _argument(element, compiler, options)
    return (
        f"(CAST(substr({amount}, -6) AS INTEGER) * CASE WHEN {amount} < '.' THEN -1 ELSE 1 END)"  # a minus sorts first
    )


def _argument(element: FunctionElement[Any], compiler: SQLCompiler, options: dict[str, Any]) -> str:
    return compiler.process(next(iter(element.clauses)), **options)


def total(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The SQL sum of a column of `micros`, of `rest`, or of such sums: an integer, or a Decimal on PostgreSQL."""
    return func.sum(column, type_=NullType())


def usd(micro_dollars: int | Decimal | None, rests: int | Decimal | None) -> Decimal | None:
    """The amount that two sums make together; None where there was nothing but NULL to sum.

    Example:
        >>> usd(1_250_000, 3)
        Decimal('1.250000000003')
        >>> usd(-1, -500_000), usd(None, None)
        (Decimal('-0.000001500000'), None)
    """
    if micro_dollars is None or rests is None:
        return None
    whole = EXACT.multiply(Decimal(micro_dollars), _MICROS)
    return EXACT.quantize(EXACT.add(whole, EXACT.multiply(Decimal(rests), _RESTS)), _RESTS)
