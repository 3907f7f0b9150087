"""Mending for PostgreSQL: rows that it cannot hold as they are, made into rows that it can.

Its text has no NUL and its index entries have a limit, and both are found out when a write has failed. What its JSON
functions cannot read is looked for in every row, since a single one would break every query that looks into payloads.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

Value = str | int | float | None
Values = list[Value]

_UNSAYABLE: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)"  # an even number of backslashes before it: they stand for themselves
    r"(?:(\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"  # both halves of a pair: that is a letter
    r"|\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2}))"
)
_REPLACEMENT: Final = "\ufffd"
_INDEXED_CHARACTERS: Final = 300  # two of them, at four bytes each, below the 2704 that an entry of an index may have
_INDEXED: Final = {
    "agent_type", "call_id", "cost_type", "model", "price_version", "process_id", "project", "span_id", "trace_id",
    "workflow_name",
}  # fmt: skip
_INTEGERS: Final = {
    "bigint": range(-(1 << 63), 1 << 63),
    "boolean": range(2),
    "integer": range(-(1 << 31), 1 << 31),
}


def readable_json(text: str) -> str:
    r"""JSON text without the escapes that `jsonb` refuses: NUL, and one half of a surrogate pair.

    Example:
        >>> readable_json(r'"a\u0000b \\u0000 \ud83d\ude00"') == r'"a' + "\ufffd" + r'b \\u0000 \ud83d\ude00"'
        True
    """
    return _UNSAYABLE.sub(_without, text) if "\\u" in text else text


def _without(match: "re.Match[str]") -> str:
    return match[1] + (match[2] or _REPLACEMENT)


def mend_row(row: Values, columns: Sequence[str], types: Sequence[str]) -> Values:
    """A copy of a row in which text has no NUL and is valid Unicode, and numbers fit their columns or are unknown.

    What an index is over is cut where it is too long for one.
    """
    mend: Callable[[Value, str, str], Value] = _mended
    return [mend(value, name, kind) for value, name, kind in zip(row, columns, types, strict=True)]


def _mended(value: Value, name: str, kind: str) -> Value:
    if value is None:
        return None
    if kind in _INTEGERS:
        return value if isinstance(value, int) and value in _INTEGERS[kind] else None
    if kind == "double precision":
        return value if isinstance(value, int | float) else None
    text = str(value).encode("utf-8", "replace").decode().replace("\0", _REPLACEMENT)
    return text[:_INDEXED_CHARACTERS] if name in _INDEXED else text
