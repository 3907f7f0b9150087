"""LangSmith's filter expressions: `and(eq(run_type, "llm"), gt(latency, 5))`."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from .rules import moment

Predicate = Callable[[Mapping[str, Any]], bool]
"""Says of a run whether it matches."""

_TOKEN = re.compile(r'\s*("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|[A-Za-z_][\w.]*|-?\d+(?:\.\d+)?|[(),\[\]])')
_METADATA = ("metadata_key", "metadata_value")
_NAMES = """
    id name run_type status error start_time end_time latency first_token_time tags metadata metadata_key metadata_value
    thread_id trace_id parent_run_id is_root total_tokens prompt_tokens completion_tokens total_cost prompt_cost
    completion_cost
"""
_FIELDS = frozenset(_NAMES.split())


class InvalidFilterError(ValueError):
    """An expression that says nothing."""


def parsed(expression: str) -> Predicate:
    """What an expression asks of a run.

    Raises:
        InvalidFilterError: It is no expression, or names a field or a function that there is not.
    """
    tokens = list(_tokens(expression))
    tree, rest = _tree(tokens)
    if rest or not isinstance(tree, _Call):
        raise InvalidFilterError(f"{expression!r} is no filter")
    _check(tree)
    return lambda run: _holds(tree, run)


class _Name(str):
    """A word without quotes: a field, or true, false, null."""


class _Call:
    def __init__(self, name: str, operands: list[Any]) -> None:
        self.name = name
        self.operands = operands

    def mentions(self, fields: tuple[str, ...]) -> bool:
        return any(
            operand.mentions(fields) if isinstance(operand, _Call) else isinstance(operand, _Name) and operand in fields
            for operand in self.operands
        )


def _tokens(expression: str) -> Iterator[str]:
    position = 0
    while expression[position:].strip():
        matched = _TOKEN.match(expression, position)
        if matched is None:
            raise InvalidFilterError(f"cannot read {expression[position:]!r}")
        yield matched[1]
        position = matched.end()


def _tree(tokens: list[str]) -> tuple[Any, list[str]]:
    """The first value among `tokens`, and the tokens behind it."""
    if not tokens:
        raise InvalidFilterError("ends too early")
    first, rest = tokens[0], tokens[1:]
    if first == "[":
        return _series(rest, "]")
    if rest and rest[0] == "(" and first.isidentifier():
        operands, rest = _series(rest[1:], ")")
        return _Call(first, operands), rest
    if first[0] == '"':
        return json.loads(first), rest
    if first[0] == "'":
        return re.sub(r"\\(.)", r"\1", first[1:-1]), rest
    if first[0] in "-0123456789":
        return float(first), rest
    if not first.replace(".", "_").isidentifier():
        raise InvalidFilterError(f"did not expect {first!r}")
    return {"true": True, "false": False, "null": None}.get(first.lower(), _Name(first)), rest


def _series(tokens: list[str], end: str) -> tuple[list[Any], list[str]]:
    values: list[Any] = []
    while not tokens or tokens[0] != end:
        value, tokens = _tree(tokens)
        values.append(value)
        if tokens and tokens[0] == ",":
            tokens = tokens[1:]
        elif not tokens or tokens[0] != end:
            raise InvalidFilterError(f"{end!r} is missing")
    return values, tokens[1:]


def _check(call: _Call) -> None:
    if call.name in ("and", "or", "not"):
        if not call.operands or not all(isinstance(operand, _Call) for operand in call.operands):
            raise InvalidFilterError(f"{call.name}() takes comparisons")
        for operand in call.operands:
            _check(operand)
    elif call.name == "search":
        pass
    elif call.name not in _COMPARISONS:
        raise InvalidFilterError(f"there is no {call.name}()")
    elif len(call.operands) != 2 or not isinstance(call.operands[0], _Name) or call.operands[0] not in _FIELDS:
        raise InvalidFilterError(f"{call.name}() takes a field and a value, got {call.operands}")


def _holds(call: _Call, run: Mapping[str, Any]) -> bool:
    if call.name == "and":
        # The key and the value are those of one and the same entry of the metadata.
        about_entries = [operand for operand in call.operands if operand.mentions(_METADATA)]
        others = [operand for operand in call.operands if operand not in about_entries]
        return all(_holds(operand, run) for operand in others) and (
            not about_entries or any(all(_holds(each, entry) for each in about_entries) for entry in _entries(run))
        )
    if call.name == "or":
        return any(_holds(operand, run) for operand in call.operands)
    if call.name == "not":
        return not any(_holds(operand, run) for operand in call.operands)
    if call.name == "search":
        return str(call.operands[0]).lower() in json.dumps(run, default=str).lower()
    field, expected = call.operands
    if field in _METADATA and field not in run:
        return any(_holds(call, entry) for entry in _entries(run))
    return _COMPARISONS[call.name](_comparable(run.get(field)), expected)


def _entries(run: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Each entry of a run's metadata as a run that has the entry's key and value."""
    if _METADATA[0] in run:
        yield dict(run)
        return
    for key, value in (run.get("metadata") or {}).items():
        yield {**run, "metadata_key": key, "metadata_value": value}


def _comparable(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(value: Any, expected: Any) -> bool:
        if value is None:
            return False
        times = moment(value), moment(expected)
        return compare(*times) if None not in times else compare(float(value), float(expected))

    return ordered


def _has(value: Any, expected: Any) -> bool:
    if isinstance(value, dict):
        wanted = json.loads(expected)
        return all(value.get(key) == each for key, each in wanted.items())
    return expected in (value or ())


_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, expected: value == expected,
    "neq": lambda value, expected: value != expected,
    "in": lambda value, expected: value in expected,
    "has": _has,
    "like": lambda value, expected: str(expected).strip("%").lower() in str(value).lower(),
    "gt": _ordered(lambda value, expected: value > expected),
    "gte": _ordered(lambda value, expected: value >= expected),
    "lt": _ordered(lambda value, expected: value < expected),
    "lte": _ordered(lambda value, expected: value <= expected),
}
