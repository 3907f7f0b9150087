"""Kinds of fields that the settings are made of, and what is to know about one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field
from pydantic.fields import FieldInfo
from pydantic_settings import NoDecode

PREFIX = "REAMON_"
"""What the variables of reamon begin with."""

NESTED = "__"
"""What stands between the parts of a nested setting's variable."""


def _none(value: Any) -> Any:
    return None if value == "none" else value


Names = Annotated[tuple[str, ...], NoDecode]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
OrNone = BeforeValidator(_none)
"""Lets a variable say `none` where that means something else than the default."""


@dataclass(frozen=True)
class AlsoCalled:
    """Marks a field that has variables of another library too; ours win over these.

    Args:
        variables: Their names. The first that is set wins.
        read: How the text of a variable becomes what ours would say, where that is not the same.
    """

    variables: tuple[str, ...]
    read: Mapping[str, Callable[[str], str]] = field(default_factory=dict)


@dataclass(frozen=True)
class OursAlone:
    """Marks a group of settings in which other libraries' variables are not looked at: whoever uses it does that."""


def other_variables(field: FieldInfo) -> tuple[str, ...]:
    """The variables of other libraries that a field is read from."""
    return tuple(name for mark in field.metadata if isinstance(mark, AlsoCalled) for name in mark.variables)


def reading_of(field: FieldInfo, name: str) -> Callable[[str], str]:
    """How the text of another library's variable becomes a value of `field`."""
    readings = (mark.read[name] for mark in field.metadata if isinstance(mark, AlsoCalled) and name in mark.read)
    return next(readings, str)


def nested_fields(field: FieldInfo) -> dict[str, FieldInfo]:
    """The fields of a field that is a group of settings; none if it is a single one."""
    nested = field.annotation
    return nested.model_fields if isinstance(nested, type) and issubclass(nested, BaseModel) else {}


def variable(*path: str) -> str:
    """The variable of a setting.

    Example:
        >>> variable("sqlite", "path")
        'REAMON_SQLITE__PATH'
    """
    return PREFIX + NESTED.join(path).upper()
