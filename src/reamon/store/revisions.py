"""Revisions: what other prices make of a span's cost details, and which rows have to change for it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from reamon.model import CostData, CostDetail
from reamon.model.cost import summed
from reamon.store.consumption import Consumption

Pricer = Callable[[Consumption], Sequence[CostData]]
"""What a span's details should be, those that were stated left out; empty where its usage is not known."""

_FIELDS: Final = CostData.__struct_fields__
_CONTENT: Final = tuple(name for name in _FIELDS if name != "price_version")


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of the details of one cost type of a span.

    Attributes:
        span: The span.
        before: What counted.
        after: What counts now; `before` where it is kept.
        is_kept: Whether `before` stays because the new prices, or what is still recorded, know less.
        superseded: Those that no longer count.
        revived: Those that had been superseded and count again.
        inserted: Those that are new, each with its `item`.
    """

    span: Consumption
    before: tuple[CostDetail, ...]
    after: tuple[CostData, ...]
    is_kept: bool = False
    superseded: tuple[CostDetail, ...] = ()
    revived: tuple[CostDetail, ...] = ()
    inserted: tuple[tuple[CostData, int], ...] = ()

    @property
    def changes(self) -> bool:
        """Whether any row has to change."""
        return bool(self.superseded or self.revived or self.inserted)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows to be inserted into `cost_details`."""
        span = self.span
        for detail, item in self.inserted:
            row = {name: getattr(detail, name) for name in _FIELDS if name != "amount"}
            yield row | {
                "cost_amount": detail.amount,
                "span_id": span.span_id,
                "item": item,
                "trace_id": span.trace_id,
                "agent_id": span.agent_id,
                "call_id": span.call_id,
                "project": span.project,
                "timestamp": span.moment,
            }


def revisions_of(span: Consumption, pricer: Pricer) -> Iterator[Revision]:
    """What other prices make of a span, a revision for each cost type.

    A known price never gives way to an unknown one, and what is not priced anew stays as it is.
    """
    after: dict[str, list[CostData]] = {}
    for detail in pricer(span):
        after.setdefault(detail.cost_type, []).append(detail)
    before: dict[str, list[CostDetail]] = {}
    for old in span.details:
        if not span.states(old):
            before.setdefault(old.cost_type, []).append(old)
    for cost_type in dict.fromkeys((*before, *after)):
        old_ones, new_ones = tuple(before.get(cost_type, ())), tuple(after.get(cost_type, ()))
        if not new_ones or (old_ones and _unknown(new_ones) > _unknown(old_ones)):
            yield Revision(span=span, before=old_ones, after=old_ones, is_kept=True)
        else:
            yield _revision(span, old_ones, new_ones)


def content(detail: CostData) -> tuple[Any, ...]:
    """All that a detail says of a price. Another edition of a book that says the same of it changes nothing."""
    return tuple(getattr(detail, name) for name in _CONTENT)


def known(details: Iterable[CostData]) -> Decimal:
    """The sum of the known amounts."""
    return summed(detail.amount for detail in details if detail.amount is not None)


def _unknown(details: Iterable[CostData]) -> int:
    return sum(detail.amount is None for detail in details)


def _revision(span: Consumption, before: tuple[CostDetail, ...], after: tuple[CostData, ...]) -> Revision:
    missing = Counter(map(content, after))
    superseded = [detail for detail in before if not _taken(missing, detail)]
    revived = [detail for detail in span.superseded if _taken(missing, detail)]
    new_ones = [detail for detail in after if _taken(missing, detail)]
    return Revision(
        span=span,
        before=before,
        after=after,
        superseded=tuple(superseded),
        revived=tuple(revived),
        inserted=tuple(_numbered(span, new_ones)),
    )


def _taken(missing: "Counter[tuple[Any, ...]]", detail: CostData) -> bool:
    """Whether a detail is one of those that are missing, and is taken from them."""
    what = content(detail)
    if missing[what] <= 0:
        return False
    missing[what] -= 1
    return True


def _numbered(span: Consumption, details: Iterable[CostData]) -> Iterator[tuple[CostData, int]]:
    """The details with the numbers that follow those of the same type and price version."""
    following: dict[tuple[str, str], int] = {}
    for old in (*span.details, *span.superseded):
        key = (old.cost_type, old.price_version)
        following[key] = max(following.get(key, 0), old.item + 1)
    for detail in details:
        key = (detail.cost_type, detail.price_version)
        item = following.get(key, 0)
        following[key] = item + 1
        yield detail, item
