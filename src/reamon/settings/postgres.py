"""The settings of a store in PostgreSQL."""

import re
import warnings
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from reamon.settings.fields import Positive
from reamon.settings.sources import EnvironmentSettings

_URL: Final = re.compile(r"postgres(?:ql)?(?:\+\w+)?://")

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", message='Field name "schema"')  # pydantic had a method of that name once

    class PostgresSettings(BaseModel):
        """The options of `PostgresExporter`, and where commands find its store."""

        model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

        url: SecretStr | None = Field(
            default=None, description="The database: `postgresql://user:password@host:5432/database`."
        )
        schema: str | None = Field(  # type: ignore[assignment]  # see above
            default=None, description="The schema of the tables; `reamon` unless the URL has another (`?schema=`)."
        )
        migrate: bool = Field(
            default=True,
            description="Whether the exporter makes and migrates the tables; else `reamon migrate` has to.",
        )
        connect_timeout: Positive = Field(default=5.0, le=3600, description="Seconds to wait for a connection.")
        statement_timeout: Positive = Field(
            default=30.0, le=3600, description="Seconds that one statement may take, waiting for locks included."
        )
        dead_after: float = Field(
            default=60.0,
            ge=1,
            le=86_400,
            description="Seconds without a sign of life after which a process's workflows count as interrupted.",
        )

        @field_validator("url")
        @classmethod
        def _is_of_postgres(cls, url: SecretStr | None) -> SecretStr | None:
            if url is not None and not _URL.match(url.get_secret_value().strip()):
                raise ValueError("it has to look like postgresql://user:password@host:5432/database")
            return url

        @classmethod
        def from_environment(cls, **given: Any) -> "PostgresSettings":
            """The settings as the environment and `.env` have them.

            Args:
                **given: What is known already, by field. Values that are not None win over the environment.

            Raises:
                ConfigurationError: A value cannot be used, or a name is unknown; the message lists all that is wrong.

            Example:
                >>> PostgresSettings.from_environment(connect_timeout=2, schema=None).connect_timeout
                2.0
            """
            values: dict[str, Any] = {"postgres": {name: value for name, value in given.items() if value is not None}}
            return _PostgresAlone(**values).postgres

        @property
        def store_url(self) -> str | None:
            """The URL with the schema in it: what names the store to everything that takes one; the password included.

            Example:
                >>> PostgresSettings(url=SecretStr("postgresql://localhost/calls"), schema="voice").store_url
                'postgresql://localhost/calls?schema=voice'
            """
            if self.url is None:
                return None
            url = self.url.get_secret_value()
            return url if self.schema is None else f"{url}{'&' if '?' in url else '?'}schema={self.schema}"


class _PostgresAlone(EnvironmentSettings):
    """Reads only what concerns PostgreSQL, so that a mistake elsewhere does not matter here."""

    postgres: PostgresSettings = Field(default_factory=PostgresSettings)
