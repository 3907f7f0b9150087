"""A reconciliation, as a document: what is billed beside what was recorded."""

from collections.abc import Iterator, Sequence

from reamon.analytics.reconciliation import Drift, Reconciliation
from reamon.terminal.document import Align, Block, Column, Document, Facts, Note, Style, Table, Text
from reamon.terminal.figures import change, count, money

_COLUMNS = (
    Column("day"),
    Column("model", shrinks=True),
    Column("recorded", Align.RIGHT),
    Column("billed", Align.RIGHT),
    Column("difference", Align.RIGHT),
    Column("", Align.UNIT),
    Column("verdict"),
    Column("may explain it", shrinks=True),
)


def reconciliation_document(found: Reconciliation) -> Document:
    """The document of `reamon costs reconcile`."""
    return list(_blocks(found))


def _blocks(found: Reconciliation) -> Iterator[Block]:
    yield Facts(
        [
            ("provider", Text.of(found.provider, Style.STRONG)),
            ("project", Text.of(found.project or "")),
            ("days (UTC)", Text.of(f"{found.first} to {found.last}")),
            ("invoice", Text.of(count(found.lines, "line"))),
        ]
    )
    yield Table(_COLUMNS, [*(_row(row) for row in found.rows), _row(found.total, label="total")])
    if found.total.recorded is None and not found.total.unknown:
        told = f"nothing is recorded of {found.provider} on these days: `reamon costs --by provider` lists who is"
        yield Note(Text.of("! ", Style.WARNING) + Text.of(told))
    beyond = sum(row.verdict != "agrees" for row in found.rows)
    if beyond:
        told = f"{beyond:,} of {count(len(found.rows), 'row')} beyond the tolerance"
        yield Note(Text.of("✗ ", Style.BAD) + Text.of(told))
    else:
        yield Note(Text.of("✓ ", Style.GOOD) + Text.of("the invoice agrees with what was recorded"))


def _row(row: Drift, label: str = "") -> Sequence[Text]:
    style = Style.STRONG if label else Style.PLAIN
    agrees = row.verdict == "agrees"
    return (
        Text.of(label or row.day, style),
        Text.of(row.model or ""),
        Text.of(money(row.recorded) or "–", style),
        Text.of(money(row.billed) or "–", style),
        Text.of(change(row.difference)),
        Text.of("" if row.share is None else f"{float(100 * row.share):+.1f} %"),
        Text.of(f"{'✓' if agrees else '✗'} {row.verdict}", Style.GOOD if agrees else Style.BAD),
        Text() if agrees else _explanation(row),
    )


def _explanation(row: Drift) -> Text:
    parts = [
        f"{count(row.unknown, 'usage')} without a known price" if row.unknown else "",
        f"{count(row.estimated, 'amount')} of guessed usage" if row.estimated else "",
    ]
    return Text.of("; ".join(part for part in parts if part), Style.FAINT)
