"""Repricings, as documents: what other prices make of each model and day, and what was priced anew before."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from reamon.analytics.repricing import RepricedModel, RepricingReport
from reamon.store.repricing_history import RepricingEntry
from reamon.terminal.document import Align, Block, Column, Document, Facts, Note, Style, Table, Text
from reamon.terminal.figures import change, count, model_name, moment, money

_MODELS = (
    Column("day"),
    Column("model", shrinks=True),
    Column("before", Align.RIGHT),
    Column("after", Align.RIGHT),
    Column("difference", Align.RIGHT),
    Column("unknown before", Align.RIGHT, optional=True),
    Column("unknown after", Align.RIGHT, optional=True),
)
_HISTORY = (
    Column("when (UTC)"),
    Column("repricing"),
    Column("project", shrinks=True),
    Column("period", shrinks=True, optional=True),
    Column("details", Align.RIGHT),
    Column("before", Align.RIGHT),
    Column("after", Align.RIGHT),
    Column("prices", shrinks=True),
)


def repricing_document(report: RepricingReport) -> Document:
    """The document of `reamon costs reprice`."""
    return list(_blocks(report))


def history_document(entries: Sequence[RepricingEntry]) -> Document:
    """The document of `reamon costs reprice --list`."""
    if not entries:
        return [Note(Text.of("Nothing was priced anew yet."))]
    return [Table(_HISTORY, [_entry(entry) for entry in entries])]


def difference(before: Decimal, after: Decimal) -> Text:
    """By how much something is dearer or cheaper."""
    more = after - before
    if not more:
        return Text.of("none", Style.FAINT)
    return Text.of(change(more), Style.WARNING if more > 0 else Style.GOOD)


def _blocks(report: RepricingReport) -> Iterator[Block]:
    if report.models:
        yield Table(_MODELS, [*(_model(model) for model in report.models), _total(report)])
    yield Note(_told(report))
    yield Facts(
        [
            ("prices", Text.of(report.price_version)),
            ("repricing", Text.of(report.repricing_id or "")),
            ("right already", Text.of(count(report.unchanged, "cost detail") if report.unchanged else "")),
            ("kept as they are", _kept(report)),
        ]
    )


def _model(model: RepricedModel) -> Sequence[Text]:
    return (
        Text.of(model.day),
        Text.of(model_name(model.provider, model.model), Style.STRONG),
        Text.of(money(model.before)),
        Text.of(money(model.after)),
        difference(model.before, model.after),
        Text.of(f"{model.unknown_before:,}" if model.unknown_before else ""),
        Text.of(f"{model.unknown_after:,}" if model.unknown_after else ""),
    )


def _total(report: RepricingReport) -> Sequence[Text]:
    return (
        Text.of("total", Style.STRONG),
        Text(),
        Text.of(money(report.before), Style.STRONG),
        Text.of(money(report.after), Style.STRONG),
        difference(report.before, report.after),
        Text(),
        Text(),
    )


def _told(report: RepricingReport) -> Text:
    if not report.details:
        return Text.of("✓ ", Style.GOOD) + Text.of("nothing changes: what is recorded has these prices already")
    verb = "would count" if report.dry_run else "now count"
    where = count(report.traces, "trace")
    return Text.of("✓ ", Style.GOOD) + Text.of(
        f"{count(report.details, 'cost detail')} in {where} {verb} instead of the old ones, which are kept"
    )


def _kept(report: RepricingReport) -> Text:
    if not report.kept:
        return Text()
    what = count(report.kept, "cost detail")
    return Text.of(f"{what}, of which these prices know less, or whose usage is not recorded")


def _entry(entry: RepricingEntry) -> Sequence[Text]:
    ends = (moment(entry.since) if entry.since else "", moment(entry.until) if entry.until else "")
    return (
        Text.of(moment(entry.timestamp), Style.FAINT),
        Text.of(entry.repricing_id, Style.ACCENT),
        Text.of(entry.project or ""),
        Text.of(" to ".join(ends) if any(ends) else ""),
        Text.of(f"{entry.details:,}"),
        Text.of(money(entry.total_before)),
        Text.of(money(entry.total_after)),
        Text.of(entry.price_version, Style.FAINT),
    )
