"""Columns: what an export says of each row, and in what form.

The names are those of the objects that the repositories give. Values keep what the store has of them: money and
quantities are Decimals, times are aware, and JSON is the text that was recorded.
"""

from enum import Enum
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Float,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    cast,
    select,
)
from sqlalchemy.types import TypeDecorator

from reamon.errors import StoreError
from reamon.store.types import Json, Labels, Money, Quantity, UtcDateTime
from reamon.store.views import AGENTS, ALERTS, COSTS, METRICS, OPERATIONS, TRACES


class Form(Enum):
    """What the values of a column are."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    MONEY = "money"
    QUANTITY = "quantity"
    JSON = "json"


class ExportColumn(msgspec.Struct, frozen=True):
    """One column of an export.

    Attributes:
        name: What it is called.
        form: What its values are.
        source: Where they come from.
    """

    name: str
    form: Form
    source: ColumnElement[Any]


TABLES: Final = {
    "traces": TRACES,
    "executions": AGENTS,
    "operations": OPERATIONS,
    "costs": COSTS,
    "metrics": METRICS,
    "alerts": ALERTS,
}
"""What can be exported, and where it is."""

PAYLOADS: Final = frozenset({"input", "output", "state_before", "state_after"})

_RENAMED: Final = {"input_data": "input", "output_data": "output", "cost_amount": "amount"}
_LEFT_OUT: Final = frozenset({"id", "extra"})
_OF_THE_TRACE: Final = ("call_id", "project", "workflow_name")
"""What executions and operations are told by, too; their own rows do not say it."""

_FORMS: Final[tuple[tuple[type, Form], ...]] = (
    (Money, Form.MONEY),
    (Quantity, Form.QUANTITY),
    (UtcDateTime, Form.TIME),
    (Json, Form.JSON),
    (Labels, Form.JSON),
    (Boolean, Form.BOOLEAN),
    (Integer, Form.INTEGER),
    (Float, Form.NUMBER),
)

_ROOT: Final = TRACES.alias("root")


def columns_of(what: str, *, payloads: bool = True) -> list[ExportColumn]:
    """The columns of an export.

    Args:
        what: What is exported: a key of `TABLES`.
        payloads: Whether inputs, outputs and states are part of it.

    Raises:
        StoreError: There is nothing of that name.
    """
    if what not in TABLES:
        raise StoreError(f"{what!r} cannot be exported; there are {', '.join(TABLES)}")
    table = TABLES[what]
    own = [_exported(column) for column in table.columns if _is_told(column)]
    of_trace = [ExportColumn(name, Form.TEXT, _ROOT.c[name]) for name in _OF_THE_TRACE] if _is_below(table) else []
    return [column for column in (*own, *of_trace) if payloads or column.name not in PAYLOADS]


def reading(what: str, columns: list[ExportColumn]) -> Select[Any]:
    """The SELECT that reads these columns."""
    table = TABLES[what]
    source = table.outerjoin(_ROOT, _ROOT.c.trace_id == table.c.trace_id) if _is_below(table) else table
    return select(*(_expression(column).label(column.name) for column in columns)).select_from(source)


def _is_below(table: Table) -> bool:
    return table is AGENTS or table is OPERATIONS


def _is_told(column: Column[Any]) -> bool:
    return column.name not in _LEFT_OUT and not isinstance(column.type, LargeBinary)


def _exported(column: Column[Any]) -> ExportColumn:
    types = (column.type, column.type.impl_instance) if isinstance(column.type, TypeDecorator) else (column.type,)
    form = next((form for kind, form in _FORMS for each in types if isinstance(each, kind)), Form.TEXT)
    return ExportColumn(_RENAMED.get(column.name, column.name), form, column)


def _expression(column: ExportColumn) -> ColumnElement[Any]:
    """JSON as the text that it is in the database: nobody has to read it and write it again."""
    return cast(column.source, Text) if column.form is Form.JSON else column.source
