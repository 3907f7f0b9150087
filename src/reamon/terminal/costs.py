"""Costs, as a document: a headline, and a row with a bar for each group."""

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from reamon.analytics.costs import CostReport, CostRow
from reamon.terminal.document import Align, Block, Column, Document, Facts, Note, Style, Table, Text
from reamon.terminal.figures import bar, count, moment, money, share

_UNITS: Final = {
    "input_tokens": "tokens in",
    "cached_input_tokens": "cached",
    "cached_audio_tokens": "cached audio",
    "cache_write_tokens": "cache writes",
    "cache_write_1h_tokens": "1 h writes",
    "output_tokens": "tokens out",
    "reasoning_tokens": "reasoning",
    "input_audio_tokens": "audio in",
    "output_audio_tokens": "audio out",
    "characters": "characters",
    "audio_seconds": "seconds",
    "minutes": "minutes",
    "messages": "messages",
    "web_searches": "searches",
    "requests": "requests",
    "calls": "calls",
}
"""The units that have a column of their own, in order, and its title."""

_WITHOUT: Final = {
    "agent": "(outside of agents)",
    "outcome": "(none recorded)",
    "call": "(no call)",
    "project": "(no project)",
    "version": "(no version)",
}
_BAR: Final = 20


def costs_document(report: CostReport) -> Document:
    """The document of `reamon costs`."""
    if not report.details:
        return [Note(Text.of(f"No costs are recorded{_scope(report)}."))]
    return list(_blocks(report))


def _blocks(report: CostReport) -> Iterator[Block]:
    yield Facts(
        [
            ("project", Text.of(report.project or "")),
            ("call", Text.of(report.call_id or "")),
            ("period", Text.of(_period(report))),
            ("cost", sum_text(report.amount, report.status, Style.STRONG)),
        ]
    )
    yield _table(report)
    yield from _notes(report)


def _table(report: CostReport) -> Table:
    units = [unit for unit in _UNITS if any(unit in row.usage for row in report.rows)]
    is_wide = len(report.by) > 1
    columns = [
        *(Column(name, shrinks=True) for name in report.by),
        Column("cost", Align.RIGHT),
        Column("share", Align.UNIT),
        *([] if is_wide else [Column("", optional=True)]),
        Column("details", Align.RIGHT, optional=True),
        Column("unknown", Align.RIGHT),
        Column("estimated", Align.RIGHT, optional=True),
        *(Column(_UNITS[unit], Align.RIGHT, optional=True) for unit in units),
    ]
    longest = max((row.amount for row in report.rows if row.amount is not None), default=Decimal(0))
    rows = [_row(report, row, longest, units, has_bar=not is_wide) for row in report.rows]
    if len(report.rows) > 1 or report.groups > len(report.rows):
        rows.append(_total(report, units, has_bar=not is_wide))
    return Table(columns, rows)


def _row(report: CostReport, row: CostRow, longest: Decimal, units: Sequence[str], *, has_bar: bool) -> Sequence[Text]:
    shown = bar(float(row.amount or 0), float(longest), width=_BAR)
    return (
        *(_key(name, row.key[name]) for name in report.by),
        sum_text(row.amount, row.status),
        Text.of("" if row.share is None else share(float(row.share), 1)),
        *([Text.of(shown, Style.ACCENT)] if has_bar else []),
        *_counts(row),
        *(Text.of(_units(row.usage.get(unit))) for unit in units),
    )


def _total(report: CostReport, units: Sequence[str], *, has_bar: bool) -> Sequence[Text]:
    beyond = report.groups - len(report.rows)
    label = f"total ({beyond:,} more included)" if beyond else "total"
    return (
        Text.of(label, Style.STRONG),
        *(Text() for _ in report.by[1:]),
        sum_text(report.amount, report.status, Style.STRONG),
        Text(),
        *([Text()] if has_bar else []),
        *_counts(report),
        *(Text.of("" if beyond else _units(_sum_of(report.rows, unit))) for unit in units),
    )


def _counts(each: CostRow | CostReport) -> tuple[Text, Text, Text]:
    return (
        Text.of(f"{each.details:,}", Style.FAINT),
        Text.of(f"{each.unknown:,}", Style.WARNING) if each.unknown else Text(),
        Text.of(f"{each.estimated:,}", Style.FAINT) if each.estimated else Text(),
    )


def _key(name: str, value: str | None) -> Text:
    if value is None:
        return Text.of(_WITHOUT.get(name, "(not said)"), Style.FAINT)
    return Text.of(value, Style.STRONG)


def sum_text(amount: Decimal | None, status: str, style: Style = Style.PLAIN) -> Text:
    """An amount; at least so much where some prices are unknown."""
    if amount is None:
        return Text.of("unknown", Style.WARNING)
    return Text.of("≥" if status == "partial" else "", Style.WARNING) + Text.of(money(amount), style)


def _units(number: Decimal | None) -> str:
    if number is None:
        return ""
    return f"{number:,.0f}" if number == number.to_integral() else f"{number:,.2f}"


def _sum_of(rows: Sequence[CostRow], unit: str) -> Decimal | None:
    known = [row.usage[unit] for row in rows if unit in row.usage]
    return sum(known, Decimal(0)) if known else None


def _notes(report: CostReport) -> Iterator[Note]:
    if report.unknown:
        told = f"{count(report.unknown, 'cost detail')} of {report.details:,} without a known price"
        advice = "`--by model` tells whose; rates of your own give them one, and `reamon costs reprice` the past too"
        yield Note(Text.of("! ", Style.WARNING) + Text.of(f"{told}: {advice}"))
    if report.groups > len(report.rows):
        shown = f"{len(report.rows):,} of {report.groups:,} shown; --limit N shows more"
        yield Note(Text.of(shown, Style.FAINT))


def _period(report: CostReport) -> str:
    since, until = report.since, report.until
    words = [f"from {moment(since)}" if since else "", f"until {moment(until)}" if until else ""]
    told = " ".join(word for word in words if word)
    zone = f"; days and hours of {report.zone}" if report.zone != "UTC" else ""
    return f"{told} UTC{zone}" if told else zone.removeprefix("; ")


def _scope(report: CostReport) -> str:
    parts = [
        f" of call {report.call_id}" if report.call_id else "",
        f" in project {report.project}" if report.project else "",
        f" {_period(report)}" if report.since or report.until else "",
    ]
    return "".join(parts)
