"""The settings of everything that speaks to LangSmith, read from its SDK's variables too."""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from reamon.settings.fields import AlsoCalled, Count, Positive
from reamon.settings.sources import EnvironmentSettings
from reamon.settings.texts import copied, is_address

_HEADER_VALUE: Final = re.compile(r"[!-~]+")


def _of_sdk(*names: str) -> AlsoCalled:
    """The variables in the order in which the SDK looks for them."""
    return AlsoCalled(tuple(f"{library}_{name}" for name in names for library in ("LANGSMITH", "LANGCHAIN")))


class LangSmithSettings(BaseModel):
    """The options of `LangSmithExporter` and `LangSmithClient`.

    A variable of ours (`REAMON_LANGSMITH__PROJECT`) wins over the SDK's (`LANGSMITH_PROJECT`), and that over the
    SDK's former one (`LANGCHAIN_PROJECT`). Blank variables count as unset.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    api_key: Annotated[SecretStr | None, _of_sdk("API_KEY")] = Field(
        default=None, description="The key of your LangSmith account or service."
    )
    endpoint: Annotated[str, _of_sdk("ENDPOINT")] = Field(
        default="https://api.smith.langchain.com", description="Where LangSmith's API is; `/api/v1` may follow."
    )
    project: Annotated[str, _of_sdk("PROJECT")] = Field(
        default="default", description="The project of runs whose trace names none."
    )
    workspace_id: Annotated[str | None, _of_sdk("WORKSPACE_ID")] = Field(
        default=None, description="The workspace, for a key that is valid in several."
    )
    tracing: Annotated[bool | None, _of_sdk("TRACING_V2", "TRACING")] = Field(
        default=None, description="False leaves the exporter out even where it is named; true adds nothing."
    )
    hide_inputs: Annotated[bool, _of_sdk("HIDE_INPUTS")] = Field(
        default=False, description="Whether inputs are kept from LangSmith."
    )
    hide_outputs: Annotated[bool, _of_sdk("HIDE_OUTPUTS")] = Field(
        default=False, description="Whether outputs are kept from LangSmith."
    )
    hide_metadata: Annotated[bool, _of_sdk("HIDE_METADATA")] = Field(
        default=False, description="Whether metadata is kept from LangSmith."
    )
    live: bool = Field(default=False, description="Whether workflows appear when they start, not when they end.")
    connect_timeout: Positive = Field(default=5.0, le=3600, description="Seconds to wait for a connection.")
    read_timeout: Positive = Field(default=10.0, le=3600, description="Seconds to wait for an answer.")
    batch_size: Count = Field(default=100, description="Runs in one request, at most.")
    batch_bytes: Count = Field(default=10_485_760, description="Bytes in one request before compression, at most.")
    flush_interval: Positive = Field(
        default=0.5, description="Seconds that finished spans may wait to be sent together."
    )
    compression: Literal["auto", "none"] = Field(
        default="auto", description="Whether requests are compressed: where the server can read it, or never."
    )
    max_age: Annotated[float, Field(gt=0)] = Field(
        default=86_400.0, description="Seconds from now beyond which LangSmith refuses a span's start; `inf` for none."
    )

    @classmethod
    def from_environment(cls, **given: Any) -> "LangSmithSettings":
        """The settings as the environment and `.env` have them, for a part that is made by hand.

        Args:
            **given: What is known already, by field. Values that are not None win over the environment.

        Raises:
            ConfigurationError: A value cannot be used, or a name is unknown; the message lists all that is wrong.

        Example:
            >>> LangSmithSettings.from_environment(project="calls", endpoint=None).project
            'calls'
        """
        values: dict[str, Any] = {"langsmith": {name: value for name, value in given.items() if value is not None}}
        return _LangSmithAlone(**values).langsmith

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: Any) -> Any:
        """Values without the blanks and quotes that come with copying, as the SDK reads them; nothing is unset."""
        return copied(values)

    @field_validator("tracing", mode="before")
    @classmethod
    def _nothing_is_sent(cls, value: Any) -> Any:
        """The SDK's `local` traces without sending."""
        return False if value == "local" else value

    @field_validator("api_key", "workspace_id")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | str | None) -> SecretStr | str | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not _HEADER_VALUE.fullmatch(text):
            raise ValueError("it has no blanks, line breaks or letters outside of ASCII: copy it again")
        return value

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str) -> str:
        if not is_address(endpoint):
            raise ValueError("it has to be an address such as https://api.smith.langchain.com, without user or query")
        return endpoint.rstrip("/")


class _LangSmithAlone(EnvironmentSettings):
    """Reads only what concerns LangSmith, so that a mistake elsewhere does not matter here."""

    langsmith: LangSmithSettings = Field(default_factory=LangSmithSettings)
