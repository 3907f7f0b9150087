"""What is wrong with settings that cannot be used: which, where they were read, and what is allowed."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, get_args

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from reamon.settings.fields import nested_fields, other_variables, variable

_KINDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    tuple[str, ...]: "names, separated by commas, each once",
}
_LIMITS: Final = ((Gt, "gt", "more than"), (Ge, "ge", "at least"), (Le, "le", "at most"))
_MAY_HOLD_SECRETS: Final = ("langsmith", "otlp", "postgres", "exporter_options")
_CREDENTIALS: Final = re.compile(r"//[^/\s]*@")


def explain(error: ValidationError, given: Mapping[str, Any], settings: type[BaseSettings]) -> str:
    """Every wrong setting by its name, with its value unless that may be secret.

    Args:
        error: What the validation found.
        given: The settings that were arguments; the rest was read from the environment or `.env`.
        settings: The class that was to be made.
    """
    lines = []
    for problem in error.errors(include_url=False):
        path = [str(part) for part in problem["loc"]]
        field = _field_at(path, settings)
        origin = "" if _reaches(given, path) else f" (from {_origin(path, field, settings)})"
        value = _shown(path, field, problem["input"])
        lines.append(f"{'.'.join(path)} = {value}{origin}: {_allowed(path, field, settings, problem['msg'])}")
    return "these settings cannot be used: " + "; ".join(lines)


def _field_at(path: Sequence[str], settings: type[BaseSettings]) -> FieldInfo | None:
    fields: Mapping[str, FieldInfo] = settings.model_fields
    for name in path[:-1]:
        fields = nested_fields(fields[name]) if name in fields else {}
    return fields.get(path[-1])


def _reaches(given: Any, path: Sequence[str]) -> bool:
    """Whether what was given says something at that place; a value that is no mapping says all below it."""
    for part in path:
        if not isinstance(given, Mapping):
            return True
        if part not in given:
            return False
        given = given[part]
    return True


def _origin(path: Sequence[str], field: FieldInfo | None, settings: type[BaseSettings]) -> str:
    """The variable that a setting was read from: the first that is set, in the order of the sources."""
    environment = {name.lower(): text for name, text in os.environ.items()}
    file = DotEnvSettingsSource(settings).env_vars
    for name, rest, in_file in _places(path, field):
        text = (file if in_file else environment).get(name.lower())
        if text and text.strip() and _says(text, rest):
            return f"{name} in .env" if in_file else name
    return variable(*path)


def _places(path: Sequence[str], field: FieldInfo | None) -> Iterator[tuple[str, Sequence[str], bool]]:
    """Where a setting may be: a variable, what of the path is in its value (JSON), and whether to look in `.env`."""
    for in_file in (False, True):
        for end in range(len(path), 0, -1):
            yield variable(*path[:end]), path[end:], in_file
    for name in other_variables(field) if field is not None else ():
        yield name, (), False
        yield name, (), True


def _says(text: str, rest: Sequence[str]) -> bool:
    try:
        return not rest or _reaches(json.loads(text), rest)
    except ValueError:
        return True


def _shown(path: Sequence[str], field: FieldInfo | None, value: Any) -> str:
    """A value, unless it is a secret or may hold one."""
    is_secret = field is not None and SecretStr in get_args(field.annotation)
    is_unknown = path[0] in _MAY_HOLD_SECRETS and (field is None or len(path) == 1)
    if is_secret or is_unknown:
        return "(not shown)"
    return _CREDENTIALS.sub("//(not shown)@", repr(value))


def _allowed(path: Sequence[str], field: FieldInfo | None, settings: type[BaseSettings], message: str) -> str:
    """What a setting may be, in words, or else what the validation says."""
    if field is None:
        group = _field_at(path[:-1], settings) if len(path) > 1 else None
        siblings = nested_fields(group) if group is not None else {}
        return f"there are only {', '.join(siblings)}" if siblings else message
    kind = next((_KINDS[one] for one in (field.annotation, *get_args(field.annotation)) if one in _KINDS), None)
    if kind is None:
        return message.removeprefix("Value error, ")
    limits = [
        f"{words} {getattr(limit, bound):g}"
        for constraint, bound, words in _LIMITS
        for limit in field.metadata
        if isinstance(limit, constraint)
    ]
    return f"it has to be {kind} {' and '.join(limits)}".rstrip()
