"""Invoices in the forms in which providers offer them, and refusals that name the line."""

import tempfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.analytics.invoices import canonical, read_invoice
from reamon.errors import ReamonError


def written(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "invoice.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("date,model,amount", "2026-11-18,gpt-4o,1234.50"),
        ("Date;Model;Amount", "2026-11-18;gpt-4o;1,234.50"),
        ("Cost (USD)\tModel Name\tUsage Date", "$1,234.50\tgpt-4o\t2026-11-18"),
        ("start_time,line_item,amount_value,amount_currency", "1795000000,gpt-4o,1.2345E3,usd"),
        ("\ufeffTimestamp,model,cost,currency", "2026-11-17T20:00:00-05:00,gpt-4o,1234.50 USD,USD"),
        ('"Day","Model","Total"', '"Nov 18, 2026","gpt-4o","1234.5"'),
        ("Start Date,Description,Price,Price Unit", "2026-11-18,gpt-4o,+1234.5,usd"),
        ("Start Time,Item,Charge", "2026-11-18 23:59:59 UTC,gpt-4o,US$1234.5"),
        ("Start Time,Item,Charge", '"Tue, 17 Nov 2026 22:00:00 -0500",gpt-4o,USD 1234.5'),
    ],
)
def test_the_columns_are_found_however_they_are_called(header: str, line: str, tmp_path: Path) -> None:
    (found,) = read_invoice(written(tmp_path, header, line))
    assert (found.line, found.day, found.model, found.amount) == (2, date(2026, 11, 18), "gpt-4o", Decimal("1234.5"))


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = written(tmp_path, "When,What,Net,Cost", "2026-11-18,gpt-4o,1,2")
    (found,) = read_invoice(path, {"date": "when", "model": "What", "amount": "NET"})
    assert (found.model, found.amount) == ("gpt-4o", Decimal(1))


def test_an_invoice_without_models_has_none(tmp_path: Path) -> None:
    (found,) = read_invoice(written(tmp_path, "date,cost", "2026-11-18,1"))
    assert found.model is None


def test_empty_lines_and_totals_are_passed_over_and_credits_are_negative(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "",
        "date,model,amount",
        "2026-11-18,a,-1.5",
        "",
        "2026-11-18,b,(2.00)",
        "2026-11-18,c,-$3",
        "Total,,9",
        "2026-11-18,Total Price,9",
    )
    assert [line.amount for line in read_invoice(path)] == [Decimal("-1.5"), Decimal("-2.00"), Decimal(-3)]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["date,model,amount", "2026-11-18,a,1", "11/18/2026,a,1"], "line 3: '11/18/2026' is no date"),
        (["date,model,amount", "2026-11-18,a,1.234,56"], None),
        (["date,model,amount", "2026-11-18,a,much"], "line 2: 'much' is no amount of USD"),
        (["date,model,amount", "2026-11-18,a"], "line 2: '' is no amount of USD"),
        (["date;model;amount", "2026-11-18;a;1.234,56"], "line 2: '1.234,56' is no amount of USD"),
        (["date,model,amount", "2026-11-18,a,NaN"], "line 2: 'NaN' is no amount of USD"),
        (["date,amount,currency", "2026-11-18,1,EUR"], "line 2: the currency is 'EUR', and only USD"),
        (["date,price,Price Unit", "2026-11-18,1,EUR"], "line 2: the currency is 'EUR', and only USD"),
        (["date,amount", "2026-11-18,€1"], "line 2: '€1' is no amount of USD"),
        (["date;amount", "2026-11-18;0,123"], "line 2: '0,123' is no amount of USD"),
        (["date;amount", "2026-11-18;1,234"], "line 2: '1,234' could be two amounts"),
        (["date,amount", "2026-11-18,1e16"], "line 2: '1e16' is more than anyone is billed"),
        (["date,amount", "2026-11-18,1e999"], "line 2: '1e999' is no amount of USD"),
        (
            ["date,model", "2026-11-18,a"],
            "no column of the amount; it has: date, model. Say which one it is: --map amount=COLUMN",
        ),
        (["", ""], "is empty"),
    ],
)
def test_what_cannot_be_understood_is_refused_with_its_line(lines: list[str], told: str | None, tmp_path: Path) -> None:
    path = written(tmp_path, *lines)
    if told is None:
        assert [line.amount for line in read_invoice(path)] == [Decimal("1.234")]  # one cell more than the header has
        return
    with pytest.raises(ReamonError) as caught:
        list(read_invoice(path))
    assert told in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "invoice.pdf").write_bytes(b"%PDF-1.7 \xff\xfe")
    for name in ("nowhere.csv", "invoice.pdf"):
        with pytest.raises(ReamonError, match=f"{name} cannot be read as CSV"):
            list(read_invoice(tmp_path / name))


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("gpt-4o-mini-2024-07-18, output", "gpt-4o-mini"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("GPT-4", "gpt-4"),
        ("gpt-4-0613", "gpt-4-0613"),
    ],
)
def test_models_are_compared_without_versions(theirs: str, ours: str) -> None:
    assert canonical(theirs) == ours


@given(st.decimals(-(10**9), 10**9, places=6), st.dates())
def test_every_amount_and_day_comes_back_as_it_was_written(amount: Decimal, day: date) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = written(
            Path(directory), "date,amount", f"{day.isoformat()},{amount:f}", f'{day.isoformat()},"{amount:,f}"'
        )
        assert [(line.day, line.amount) for line in read_invoice(path)] == [(day, amount)] * 2
