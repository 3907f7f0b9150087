"""The settings of retention: how long what was recorded is kept, and who sees to it."""

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

_AGE: Final = re.compile(r"(?P<number>[0-9]{1,6}) ?(?P<unit>[smhd])")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Age(timedelta):
    """A length of time that is written as people write it.

    Example:
        >>> str(Age(days=30)), str(Age(hours=36)), str(Age(seconds=90))
        ('30d', '36h', '90s')
    """

    def __str__(self) -> str:
        seconds = round(self.total_seconds())
        for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
            if seconds and seconds % size == 0:
                return f"{seconds // size}{unit}"
        return f"{seconds}s"


def age(text: str) -> Age:
    """The length of time that a text says.

    Raises:
        ValueError: It says none.

    Example:
        >>> age("30d").days
        30
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise ValueError("it has to be written like 90s, 30m, 12h or 30d; none is for ever")
    return Age(**{_UNITS[match["unit"]]: int(match["number"])})


def _read(value: Any) -> Any:
    if value == "none":
        return None
    if isinstance(value, str):
        return age(value)
    if isinstance(value, timedelta):
        return Age(seconds=value.total_seconds())
    if value is not None:
        raise ValueError("it has to be a timedelta, or written like 90s, 30m, 12h or 30d; none is for ever")
    return value


AgeOrNone = Annotated[timedelta | None, BeforeValidator(_read)]


class RetentionSettings(BaseModel):
    """How long what was recorded is kept, and how often somebody looks. Ages are written `90s`, `30m`, `12h`, `30d`.

    Example:
        >>> RetentionSettings(detail="7d", every="24h").detail
        Age(days=7)
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    detail: AgeOrNone = Field(
        default=Age(days=30),
        description="The age at which operations, agent executions and payloads go, such as `30d`; `none`: never.",
    )
    costs: AgeOrNone = Field(
        default=Age(days=365), description="The age at which cost details go; totals of traces stay. `none`: never."
    )
    metrics: AgeOrNone = Field(default=Age(days=365), description="The age at which metrics go; `none`: never.")
    alerts: AgeOrNone = Field(
        default=Age(days=365), description="The age at which alerts that are over go; `none`: never."
    )
    summaries: AgeOrNone = Field(
        default=None, description="The age at which workflows go altogether; never by default."
    )
    every: AgeOrNone = Field(
        default=None, description="How often a running application prunes its store, such as `24h`; never by default."
    )

    def __init__(self, **values: Any) -> None:
        # Without this, type checkers would refuse values as the environment writes them, such as "30d".
        super().__init__(**values)

    @field_validator("*")
    @classmethod
    def _is_positive(cls, value: timedelta | None) -> timedelta | None:
        if value is not None and value <= timedelta(0):
            raise ValueError("it has to be more than 0; none is for ever")
        return value
