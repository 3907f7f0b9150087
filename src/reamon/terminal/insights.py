"""Insights, as a document: each with its saving, the figures that it rests on, and what to be careful about."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from reamon.analytics.insights import Insight
from reamon.analytics.insights.insight import Figure
from reamon.terminal.document import Block, Document, Facts, Heading, Note, Style, Text
from reamon.terminal.figures import moment, money

_SHARES = ("share", "that ended in")
"""What names of figures have in them that are parts of a whole, and no money."""


def insights_document(insights: Sequence[Insight]) -> Document:
    """The document of `reamon costs insights`."""
    if not insights:
        return [Note(Text.of("Too little is recorded to say anything: `--minimum N` says how much it takes."))]
    return [block for number, insight in enumerate(insights, 1) for block in _blocks(number, insight)]


def _blocks(number: int, insight: Insight) -> Iterator[Block]:
    yield Heading(Text.of(f"{number}. ", Style.FAINT) + Text.of(_sentence(insight.title), Style.STRONG))
    yield Facts(
        [
            ("   saving", _saving(insight)),
            ("   cost", Text.of(money(insight.amount))),
            *((f"   {name}", Text.of(figure_text(name, figure))) for name, figure in insight.figures.items()),
            ("   rests on", Text.of(f"{insight.rows:,} rows, {moment(insight.since)} to {moment(insight.until)} UTC")),
            ("   for example", Text.of(", ".join(insight.traces), Style.ACCENT)),
            *(("   but", Text.of(caveat, Style.WARNING)) for caveat in insight.caveats),
        ]
    )


def figure_text(name: str, figure: Figure) -> str:
    """A figure for people: parts of a whole in percent, other decimals as money."""
    if isinstance(figure, Decimal):
        is_share = name.startswith(_SHARES[0]) or (_SHARES[1] in name and not name.startswith("cost"))
        return f"{100 * figure:.1f} %" if is_share else money(figure)
    return f"{figure:,}" if isinstance(figure, int) else figure or ""


def _saving(insight: Insight) -> Text:
    if insight.saving is None:
        return Text()
    told = Text.of(money(insight.saving), Style.GOOD)
    if insight.saving_per_month is None:
        return told
    return told + Text.of(f", {money(insight.saving_per_month)} in thirty days at this pace")


def _sentence(title: str) -> str:
    return f"{title[0].upper()}{title[1:]}"
