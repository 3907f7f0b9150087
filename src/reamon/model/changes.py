"""Changes: what an agent did to its state, said shortly."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

_LONGEST = 40


class Change(NamedTuple):
    """One value of a state that is not what it was; `path` leads to it ("lead.score")."""

    path: str
    before: str
    after: str


def changes(before: Any, after: Any) -> list[Change]:
    """How `after` differs from `before`, value by value.

    Dictionaries are compared key by key, at any depth; a list that grew or shrank is told by its length.

    Example:
        >>> changes({"lead": {"score": 0}, "turns": [1]}, {"lead": {"score": 0.4}, "turns": [1, 2]})
        [Change(path='lead.score', before='0', after='0.4'), Change(path='turns', before='1 item', after='2 items')]
    """
    return list(_compare(before, after))


def brief(value: Any) -> str:
    """A value in few characters, as JSON where it is not text.

    Example:
        >>> brief("yes"), brief(""), brief(0.4), brief(None), brief([1, 2])
        ('yes', '""', '0.4', 'null', '2 items')
    """
    if isinstance(value, list):
        return f"{len(value)} item{'' if len(value) == 1 else 's'}"
    if isinstance(value, dict):
        return f"{len(value)} key{'' if len(value) == 1 else 's'}"
    text = value if value and isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_ABSENT = object()


def _compare(before: Any, after: Any) -> Iterator[Change]:
    """Compare without recursion, since a recorded state may be nested deeper than Python's stack."""
    pending = [("", before, after)]
    while pending:
        path, before, after = pending.pop()
        if isinstance(before, dict) and isinstance(after, dict):
            keys = list(dict.fromkeys([*before, *after]))
            pending.extend(
                (f"{path}.{key}" if path else str(key), before.get(key, _ABSENT), after.get(key, _ABSENT))
                for key in reversed(keys)
            )
        elif not _same(before, after):
            yield Change(path or "state", *_told(before, after))


def _same(before: Any, after: Any) -> bool:
    return type(before) is type(after) and bool(before == after)


def _told(before: Any, after: Any) -> tuple[str, str]:
    old, new = _brief_or_absent(before), _brief_or_absent(after)
    return (old, f"{new}, changed") if old == new else (old, new)


def _brief_or_absent(value: Any) -> str:
    return "(none)" if value is _ABSENT else brief(value)
