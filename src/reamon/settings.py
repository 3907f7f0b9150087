"""Settings: keyword arguments, environment variables `REAMON_*`, a `.env` file, in that order of precedence."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from annotated_types import Ge, Gt, Le
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from reamon.errors import ConfigurationError

_PREFIX = "REAMON_"
_NESTED = "__"
Names = Annotated[tuple[str, ...], NoDecode]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
_KINDS: Final[dict[Any, str]] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    tuple[str, ...]: "names, separated by commas, each once",
}
_LIMITS: Final = ((Gt, "gt", "more than"), (Ge, "ge", "at least"), (Le, "le", "at most"))


class SQLiteSettings(BaseModel):
    """The options of `SQLiteExporter`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(default=None, description="The database; `reamon.db` in `home` by default.")
    synchronous: Literal["NORMAL", "FULL"] = Field(default="NORMAL", description="FULL survives a power loss as well.")
    busy_timeout: Positive = Field(
        default=5.0, description="Seconds to wait for another writer, then the batch is put off."
    )


class JSONLSettings(BaseModel):
    """The options of `JSONLExporter`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = Field(default=None, description="The file; `spans.jsonl` in `home` by default.")
    max_bytes: Count | None = Field(
        default=104_857_600, description="Bytes at which the file is put aside and a new one begun."
    )
    max_age: Positive | None = Field(default=None, description="Seconds after which the file is put aside.")
    keep: Count | None = Field(default=None, description="How many files that were put aside are kept; all by default.")


class MonitoringSettings(BaseSettings):
    """Everything that can be set. Each field is also an environment variable: `REAMON_` and its name in capitals.

    Nested fields are joined by two underscores: `REAMON_SQLITE__PATH`. Lists are comma-separated:
    `REAMON_EXPORTERS=sqlite,jsonl`.

    Raises:
        ConfigurationError: A value cannot be used, or a name is unknown; the message lists all that is wrong.

    Example:
        >>> MonitoringSettings(exporters="sqlite,jsonl", project="calls").exporters
        ('sqlite', 'jsonl')
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter=_NESTED, env_file=".env", extra="ignore", frozen=True
    )

    enabled: bool = Field(True, description="Whether anything is recorded.")
    home: Path = Field(Path(".reamon"), description="Where files go that have no place of their own.")
    project: str | None = Field(default=None, description="The project of traces that name none.")
    exporters: Names = Field(("sqlite",), description="Where finished spans go, by name.")
    collectors: Names = Field(("cost",), description="What derives more from spans, by name.")
    processors: Names = Field((), description="What edits or drops spans, by name, in this order.")
    redact_keys: Names = Field(
        (),
        description="Keys whose values are replaced in payloads and attributes, at any depth and in any case.",
    )
    sample_rate: float = Field(1.0, ge=0, le=1, description="The share of traces that keep their payloads.")
    payload_limit: int = Field(65_536, ge=256, description="Bytes that one payload may take.")
    flush_interval: Positive = Field(0.2, le=60, description="Seconds until a finished span is committed, at most.")
    max_queue: Count = Field(100_000, description="Spans that may wait for the worker; beyond, the newest are dropped.")
    max_lane_bytes: Count = Field(
        33_554_432, description="Bytes that may wait in memory for one exporter; beyond, the oldest go to disk."
    )
    max_outbox_bytes: Count = Field(
        1_073_741_824, description="Bytes that may wait on disk; beyond, the oldest are dropped."
    )
    batch_size: Count = Field(2_000, description="Spans in one batch, at most.")
    retry_cap: Positive = Field(10.0, description="Seconds between two attempts of an exporter that fails, at most.")
    shutdown_timeout: float = Field(
        5.0, ge=0, allow_inf_nan=False, description="Seconds that the exit of the process may take."
    )
    handle_sigterm: bool = Field(
        True, description="Flush on SIGTERM, where the application has no handler of its own, then end as before."
    )
    sqlite: SQLiteSettings = Field(default_factory=SQLiteSettings, description="The options of `SQLiteExporter`.")
    jsonl: JSONLSettings = Field(default_factory=JSONLSettings, description="The options of `JSONLExporter`.")
    exporter_options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of exporters that are not ours: `{name: {option: value}}`."
    )

    def __init__(self, **values: Any) -> None:
        _refuse_unknown(values, type(self))
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise ConfigurationError(_explain(error, values)) from None
        except SettingsError as error:
            value = getattr(error.__cause__, "doc", "its value")
            raise ConfigurationError(f"the environment cannot be used: {error}: {value!r} is not JSON") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the file .env cannot be read as text in UTF-8: {error}") from None

    @field_validator("exporters", "collectors", "processors", "redact_keys", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return split_names(value) if isinstance(value, str) else value

    @field_validator("exporters", "collectors", "processors")
    @classmethod
    def _unique(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("each name may be given once")
        return value

    @field_validator("exporter_options")
    @classmethod
    def _not_ours(cls, value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for name in ("sqlite", "jsonl"):
            if name in value:
                raise ValueError(f"the options of {name!r} are the setting {name!r}")
        return value

    def options_of(self, exporter: str) -> dict[str, Any]:
        """The options with which the exporter of that name is made."""
        own: dict[str, BaseModel] = {"sqlite": self.sqlite, "jsonl": self.jsonl}
        if exporter not in own:
            return dict(self.exporter_options.get(exporter, {}))
        options = own[exporter].model_dump()
        options["path"] = options["path"] or self.home / {"sqlite": "reamon.db", "jsonl": "spans.jsonl"}[exporter]
        return options


def split_names(text: str) -> tuple[str, ...]:
    """A comma-separated string as its parts; `none` and an empty string are no parts.

    Example:
        >>> split_names("sqlite, jsonl")
        ('sqlite', 'jsonl')
    """
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    return () if parts == ("none",) else parts


def unknown_variables(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Variables called `REAMON_*` that are no setting, each with the one that it may be meant to be."""
    known = set(variable_names())
    names = os.environ if environment is None else environment
    unknown = [
        name
        for name in names
        if name.startswith(_PREFIX)
        and not name.startswith((f"{_PREFIX}TEST_", f"{_PREFIX}EXPORTER_OPTIONS{_NESTED}"))
        and name.upper() not in known
    ]
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), None) for name in sorted(unknown)}


def variable_names() -> list[str]:
    """Every environment variable that is a setting."""
    names = []
    for name, field in MonitoringSettings.model_fields.items():
        variable = f"{_PREFIX}{name.upper()}"
        names.append(variable)
        nested = field.annotation
        if isinstance(nested, type) and issubclass(nested, BaseModel):
            names += [f"{variable}{_NESTED}{inner.upper()}" for inner in nested.model_fields]
    return names


def _refuse_unknown(values: Mapping[str, Any], settings: type[MonitoringSettings]) -> None:
    known = settings.model_fields
    for name in values:
        if name not in known and not name.startswith("_"):
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"the settings are: {', '.join(known)}"
            raise ConfigurationError(f"unknown setting {name!r}; {hint}")


def _explain(error: ValidationError, given: Mapping[str, Any]) -> str:
    """Every wrong setting by its name, with its value, what is allowed, and where it was read."""
    lines = []
    for problem in error.errors(include_url=False):
        path = [str(part) for part in problem["loc"]]
        origin = "" if path[0] in given else f" (from {_origin(path)})"
        lines.append(f"{'.'.join(path)} = {problem['input']!r}{origin}: {_allowed(path, problem['msg'])}")
    return "these settings cannot be used: " + "; ".join(lines)


def _origin(path: Sequence[str]) -> str:
    """The variable that a setting was read from; the nearest, since one may hold several settings as JSON."""
    set_here = {name.upper() for name in os.environ}
    variables = [_PREFIX + _NESTED.join(path[:end]).upper() for end in range(len(path), 0, -1)]
    return next((name for name in variables if name in set_here), f"{variables[0]} in .env")


def _allowed(path: Sequence[str], message: str) -> str:
    """What a setting may be, in words, or else what the validation says."""
    fields: Mapping[str, FieldInfo] = MonitoringSettings.model_fields
    for name in path[:-1]:
        nested = fields[name].annotation if name in fields else None
        if not (isinstance(nested, type) and issubclass(nested, BaseModel)):
            break
        fields = nested.model_fields
    field = fields.get(path[-1])
    if field is None:
        return message if fields is MonitoringSettings.model_fields else f"there are only {', '.join(fields)}"
    if field.annotation not in _KINDS:
        return message.removeprefix("Value error, ")
    limits = [
        f"{words} {getattr(limit, bound):g}"
        for kind, bound, words in _LIMITS
        for limit in field.metadata
        if isinstance(limit, kind)
    ]
    return f"it has to be {_KINDS[field.annotation]} {' and '.join(limits)}".rstrip()
