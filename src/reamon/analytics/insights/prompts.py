"""Prompts: what the instructions that models get again and again cost."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Select, Text, case, cast, func, literal_column, select

from reamon.analytics.costs import share_of
from reamon.analytics.insights.insight import Insight
from reamon.analytics.insights.scope import Scope, mean, sums
from reamon.store.conditions import SQLITE
from reamon.store.exact_sums import total, usd
from reamon.store.views import OPERATIONS

BEGINNING: Final = 60
"""Prompts are one and the same as far as this many characters: further on they name people and dates."""

_ROLES: Final = ("system", "developer")
_MESSAGES: Final = (("messages", "0"), ("input", "0"), ("0",), ("0", "0"))
"""Where the first message of a request may be."""

_INSTRUCTIONS: Final = (("system",), ("instructions",), ("parameters", "instructions"))
"""Where instructions may be that are no message."""


async def find(scope: Scope) -> list[Insight]:
    """The prompt whose requests cost most."""
    rows = await scope.rows(_prompts(scope, scope.connection.dialect.name))
    if not rows or rows[0].prompts < 2 or rows[0].requests < scope.minimum:
        return []
    row = rows[0]
    amount, whole = usd(row.micros, row.rest), usd(row.all_micros, row.all_rest)
    if amount is None:
        return []
    return [
        scope.insight(
            "prompt",
            f"the prompt “{_shown(row.prompt)}” costs most: {row.requests:,} requests",
            amount=amount,
            rows=int(row.requests),
            figures={
                "requests": int(row.requests),
                "prompts": int(row.prompts),
                "share of all prompts": share_of(amount, whole),
                "mean of a request": mean(amount, int(row.priced)),
                "input tokens": None if row.input_tokens is None else int(row.input_tokens),
                "of these cached": None if row.cached is None else int(row.cached),
            },
            traces=[row.example],
            caveats=(
                f"prompts are told apart by their first {BEGINNING} characters",
                "requests whose input was not recorded are left out",
            ),
        )
    ]


def _shown(prompt: str) -> str:
    return f"{prompt}…" if len(prompt) == BEGINNING else prompt


def _prompts(scope: Scope, dialect: str) -> Select[Any]:
    """The dearest prompt, and what all of them come to."""
    used = OPERATIONS.c
    asked = (
        select(
            func.substr(_prompt(dialect), 1, BEGINNING).label("prompt"),
            used.cost,
            used.input_tokens,
            used.cached_input_tokens,
            used.trace_id,
        )
        .where(used.kind == "llm", used.cost.is_not(None), used.input_data.is_not(None), *scope.spans(OPERATIONS))
        .subquery("asked")
    )
    whole, fraction = sums(asked.c.cost)
    return (
        select(
            asked.c.prompt,
            func.count().label("requests"),
            func.count(asked.c.cost).label("priced"),
            whole.label("micros"),
            fraction.label("rest"),
            func.sum(asked.c.input_tokens).label("input_tokens"),
            func.sum(asked.c.cached_input_tokens).label("cached"),
            func.min(asked.c.trace_id).label("example"),
            func.count().over().label("prompts"),
            total(whole).over().label("all_micros"),
            total(fraction).over().label("all_rest"),
        )
        .where(asked.c.prompt != "")
        .group_by(asked.c.prompt)
        .order_by(whole.desc(), asked.c.prompt)
        .limit(1)
    )


def _prompt(dialect: str) -> ColumnElement[Any]:
    """The instructions in a request's input."""
    first = [case((_at(dialect, *place, "role").in_(_ROLES), _at(dialect, *place, "content"))) for place in _MESSAGES]
    return func.coalesce(*first, *(_at(dialect, *place) for place in _INSTRUCTIONS))


def _at(dialect: str, *place: str) -> ColumnElement[Any]:
    """The text at a place in the input's JSON."""
    document = cast(OPERATIONS.c.input_data, Text)
    if dialect == SQLITE:
        path = "$" + "".join(f"[{step}]" if step.isdigit() else f".{step}" for step in place)
        return func.json_extract(document, literal_column(f"'{path}'"))
    return func.json_extract_path_text(OPERATIONS.c.input_data, *(literal_column(f"'{step}'") for step in place))
