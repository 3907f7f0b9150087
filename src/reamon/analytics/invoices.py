"""Invoices: what a provider says that was spent, read from the CSV file that it offers for download."""

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from reamon.errors import ReamonError

NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "date": (
        "date", "day", "usage_date", "date_utc", "usage_date_utc", "start_time", "start_time_iso", "timestamp",
        "start_date",
    ),
    "model": ("model", "model_name", "line_item", "model_version", "product", "sku", "item", "description"),
    "amount": (
        "amount", "cost", "amount_usd", "cost_usd", "amount_value", "total", "total_cost", "total_amount", "price",
        "charge",
    ),
    "currency": ("currency", "amount_currency", "currency_code", "price_unit"),
}  # fmt: skip
"""The columns that are looked for, and how providers call them, the likeliest first."""

_NEEDED: Final = ("date", "amount")
_AMOUNT: Final = re.compile(
    r"([-+]?)(?:US\$|\$|USD ?)?(-?)((?:[1-9]\d{0,2}(?:,\d{3})+|\d*)(?:\.\d+)?(?:[eE]-?\d{1,2})?)(?: ?USD)?"
)
_MOST: Final = Decimal(10) ** 15
_FORMATS: Final = ("%Y/%m/%d", "%Y%m%d", "%b %d, %Y", "%d %b %Y", "%a, %d %b %Y %H:%M:%S %z")
_EPOCH: Final = re.compile(r"\d{9,10}(?:\.0+)?")
_VERSION: Final = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8})$")
_TOTALS: Final = frozenset({"total", "total:", "sum", "grand total", "subtotal", "total price"})
_SAMPLE: Final = 8192


class InvoiceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an invoice.

    Attributes:
        line: Its number in the file, from 1.
        day: The day (UTC) that it is for.
        model: The model as the provider calls it; None where the file has no such column.
        amount: USD; a credit is negative.
    """

    line: int
    day: date
    model: str | None
    amount: Decimal


def read_invoice(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[InvoiceLine]:
    """Read the lines of a provider's CSV file, one by one.

    Columns are found by the names that providers give them, in any order and spelling; commas, semicolons and tabs
    separate. Empty lines, and those that say "total", are passed over.

    Args:
        path: The file, in UTF-8.
        columns: What the columns "date", "model", "amount" and "currency" are called here, where that is not found out.

    Raises:
        ReamonError: The file cannot be read, lacks a column, or a line of it cannot be understood; says which.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            sample = file.read(_SAMPLE)
            file.seek(0)
            delimiter = _delimiter(sample)
            reader = csv.reader(file, delimiter=delimiter)
            header = next((row for row in reader if any(cell.strip() for cell in row)), None)
            if header is None:
                raise ReamonError(f"{path} is empty: a CSV file with a line of column names is needed")
            places = _places(path, header, columns or {})
            for row in reader:
                line = _line(f"{path}, line {reader.line_num}", reader.line_num, row, places, delimiter)
                if line is not None:
                    yield line
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ReamonError(f"{path} cannot be read as CSV in UTF-8: {error}") from error


def canonical(model: str) -> str:
    """A model's name as invoices and traces have it in common: in small letters, without what was billed and version.

    Example:
        >>> canonical("gpt-4o-2024-08-06, cached input"), canonical("GPT-4o")
        ('gpt-4o', 'gpt-4o')
    """
    name = model.split(",", maxsplit=1)[0].strip().lower()
    return _VERSION.sub("", name)


def _delimiter(sample: str) -> str:
    first = next((line for line in sample.splitlines() if line.strip()), "")
    return max(",;\t", key=first.count)


def _places(path: Path, header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    """Where the columns are."""
    known = [_plain(title) for title in header]
    places: dict[str, int] = {}
    for column, names in NAMES.items():
        wanted = (_plain(columns[column]),) if column in columns else names
        place = next((known.index(name) for name in wanted if name in known), None)
        if place is not None:
            places[column] = place
        elif column in columns or column in _NEEDED:
            told = f"called {columns[column]!r}" if column in columns else f"of the {column}"
            raise ReamonError(
                f"{path} has no column {told}; it has: {', '.join(title.strip() for title in header)}. "
                f"Say which one it is: --map {column}=COLUMN"
            )
    return places


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", title.lower()).strip("_")


def _line(where: str, number: int, row: Sequence[str], places: Mapping[str, int], delimiter: str) -> InvoiceLine | None:
    cells = {column: row[place].strip() if place < len(row) else "" for column, place in places.items()}
    if not any(cell.strip() for cell in row):
        return None
    if any(cell.strip().lower() in _TOTALS for cell in row):
        return None
    currency = cells.get("currency") or "USD"
    if currency.upper() != "USD":
        raise ReamonError(f"{where}: the currency is {currency!r}, and only USD can be compared with what is recorded")
    return InvoiceLine(
        line=number,
        day=_day(where, cells["date"]),
        model=cells["model"] or None if "model" in cells else None,
        amount=_amount(where, cells["amount"], delimiter),
    )


def _day(where: str, text: str) -> date:
    if _EPOCH.fullmatch(text):
        return datetime.fromtimestamp(float(text), UTC).date()
    for read in _READINGS:
        try:
            moment = read(text)
        except ValueError:
            continue
        return (moment if moment.tzinfo is None else moment.astimezone(UTC)).date()
    raise ReamonError(f"{where}: {text!r} is no date; dates like 2026-11-23 are understood, 11/23/2026 could be two")


def _in_iso(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix(" UTC"))


def _in_form(form: str, text: str) -> datetime:
    return datetime.strptime(text, form)


_READINGS: Final[Sequence[Callable[[str], datetime]]] = (_in_iso, *(partial(_in_form, form) for form in _FORMATS))


def _amount(where: str, text: str, delimiter: str) -> Decimal:
    plain = f"-{text[1:-1]}" if text.startswith("(") and text.endswith(")") else text
    found = _AMOUNT.fullmatch(plain)
    digits = found[3].replace(",", "") if found else ""
    if found is None or not any(character.isdigit() for character in digits):
        raise ReamonError(f"{where}: {text!r} is no amount of USD; 1234.56 and $1,234.56 are understood")
    if delimiter == ";" and "," in text and "." not in text:
        raise ReamonError(
            f"{where}: {text!r} could be two amounts: where semicolons separate, a comma may be the decimal point. "
            "Save the file with points"
        )
    amount = Decimal(digits)
    if amount > _MOST:
        raise ReamonError(f"{where}: {text!r} is more than anyone is billed")
    return amount.copy_negate() if "-" in found.group(1, 2) else amount
