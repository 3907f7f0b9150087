"""Where settings are read: arguments, our variables, a `.env` file, and the variables of libraries beside us."""

import difflib
from collections.abc import Mapping
from typing import Any, cast

from pydantic import BaseModel, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from reamon.errors import ConfigurationError
from reamon.settings.explaining import explain
from reamon.settings.fields import NESTED, PREFIX, OursAlone, nested_fields, other_variables, reading_of


class EnvironmentSettings(BaseSettings):
    """Settings that are read from the environment, with mistakes told as a `ConfigurationError`.

    First wins: arguments, variables `REAMON_*`, the same in `.env`, variables of other libraries (`AlsoCalled`), each
    from the environment, else from `.env`. A blank variable counts as unset, except where it is an empty list.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTED,
        env_file=".env",
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    def __init__(self, **values: Any) -> None:
        _refuse_unknown(values, type(self))
        given = {name: _only_what_is_set(value) for name, value in values.items()}
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise ConfigurationError(explain(error, given, type(self))) from None
        except SettingsError as error:
            raise ConfigurationError(
                f"the environment cannot be used: {error}, which is not JSON: {error.__cause__}"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"the file .env cannot be read as text in UTF-8: {error}") from None

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources in their order; pydantic-settings calls this."""
        environment, file = cast(EnvSettingsSource, env_settings), cast(EnvSettingsSource, dotenv_settings)
        others = _of_other_libraries(settings_cls, {**_not_blank(file.env_vars), **_not_blank(environment.env_vars)})
        for source in (environment, file):
            source.env_vars = _ours(settings_cls, source.env_vars)
        return init_settings, environment, file, InitSettingsSource(settings_cls, others), file_secret_settings


def _only_what_is_set(value: Any) -> Any:
    """A group of settings as what was set of it, so that the environment may say the rest."""
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value


def _refuse_unknown(values: Mapping[str, Any], settings: type[BaseSettings]) -> None:
    known = settings.model_fields
    for name in values:
        if name not in known and not name.startswith("_"):
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {close[0]!r}?" if close else f"the settings are: {', '.join(known)}"
            raise ConfigurationError(f"unknown setting {name!r}; {hint}")


def _not_blank(variables: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in variables.items() if text is not None and text.strip()}


def _ours(settings: type[BaseSettings], variables: Mapping[str, str | None]) -> dict[str, str | None]:
    """The variables that begin as ours do; blank ones only where they are an empty list.

    Names are in small letters here, as pydantic-settings keeps them.
    """
    lists = {
        f"{PREFIX}{name}".lower()
        for name, field in settings.model_fields.items()
        if field.annotation == tuple[str, ...]
    }
    return {
        name: text
        for name, text in variables.items()
        if name.startswith(PREFIX.lower()) and ((text and text.strip()) or (text is not None and name in lists))
    }


def _of_other_libraries(settings: type[BaseSettings], variables: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """What other libraries' variables say, as nested settings."""
    said: dict[str, dict[str, str]] = {}
    for group, field in settings.model_fields.items():
        if any(isinstance(mark, OursAlone) for mark in field.metadata):
            continue
        for name, inner in nested_fields(field).items():
            found = [other for other in other_variables(inner) if other.lower() in variables]
            if found:
                said.setdefault(group, {})[name] = reading_of(inner, found[0])(variables[found[0].lower()])
    return said
