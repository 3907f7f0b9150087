"""Budgets, as a document: how much of each is used."""

from collections.abc import Mapping, Sequence
from typing import Final

from reamon.budgets import Action, Budget, BudgetDecision
from reamon.terminal.document import Align, Column, Document, Note, Style, Table, Text
from reamon.terminal.figures import bar, money, share

_BAR: Final = 20
_COLUMNS: Final = (
    Column("budget"),
    Column("of", shrinks=True, optional=True),
    Column("per"),
    Column("spent", Align.RIGHT),
    Column("reserved", Align.RIGHT),
    Column("left", Align.RIGHT),
    Column("limit", Align.RIGHT),
    Column("used", Align.RIGHT),
    Column(""),
    Column("action"),
)
_STYLES: Final = {
    Action.OK: Style.GOOD,
    Action.WARN: Style.WARNING,
    Action.DEGRADE: Style.WARNING,
    Action.STOP: Style.BAD,
}


def budgets_document(standing: Mapping[Budget, BudgetDecision]) -> Document:
    """The document of `reamon budgets`.

    Args:
        standing: How each budget stands.
    """
    if not standing:
        return [Note(Text.of("No budget is set: REAMON_BUDGETS__DAY=50 is one of 50 USD a day."))]
    rows = [_row(budget, decision) for budget, decision in standing.items()]
    unknown = sum(decision.unknown for decision in standing.values())
    more = "costs without a known price are not in it; `reamon doctor` lists them"
    return [Table(_COLUMNS, rows), *([Note(Text.of(more, Style.WARNING))] if unknown else [])]


def _row(budget: Budget, decision: BudgetDecision) -> Sequence[Text]:
    used = float(decision.spent + decision.reserved)
    limit = float(decision.limit or 0)
    style = _STYLES[decision.action]
    at_least = "≥" if decision.unknown else ""
    return (
        Text.of(budget.name, Style.STRONG),
        Text.of(decision.scope),
        Text.of(budget.per, Style.FAINT),
        Text.of(at_least + money(decision.spent)),
        Text.of(money(decision.reserved), Style.FAINT),
        Text.of(money(decision.remaining)),
        Text.of(money(decision.limit), Style.FAINT),
        Text.of(share(used, limit)),
        Text.of(bar(min(used, limit), limit, width=_BAR) if limit else "", style),
        Text.of(decision.action.value, style),
    )
