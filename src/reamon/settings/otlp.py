"""The settings of the OTLP exporter, read from the variables of OpenTelemetry's SDK too."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from reamon.settings.fields import AlsoCalled, Count, Positive
from reamon.settings.sources import EnvironmentSettings
from reamon.settings.texts import copied, is_address

_PATH: Final = "/v1/traces"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t -~]*")


def _below(base: str) -> str:
    """The address for traces below the base of all signals, as the SDK makes it."""
    return f"{base.strip().rstrip('/')}{_PATH}"


def _of_sdk(name: str, **read: Any) -> AlsoCalled:
    """The variables in the order in which the SDK looks for them."""
    general = f"OTEL_EXPORTER_OTLP_{name}"
    return AlsoCalled((f"OTEL_EXPORTER_OTLP_TRACES_{name}", general), {general: read["general"]} if read else {})


class OTLPSettings(BaseModel):
    """The options of `OTLPExporter`.

    A variable of ours (`REAMON_OTLP__HEADERS`) wins over that of OpenTelemetry's SDK for traces
    (`OTEL_EXPORTER_OTLP_TRACES_HEADERS`), and that over the one for all signals (`OTEL_EXPORTER_OTLP_HEADERS`). The
    SDK's are looked at when an exporter is made, and never otherwise: they may be there for others, and wrong for us.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    endpoint: Annotated[str, _of_sdk("ENDPOINT", general=_below)] = Field(
        default="http://localhost:4318/v1/traces",
        description="The address that takes traces by OTLP over HTTP; `/v1/traces` is added to one without a path.",
    )
    headers: Annotated[SecretStr | None, _of_sdk("HEADERS")] = Field(
        default=None, description="Headers of each request, such as API keys: `name=value,name=value`, percent-encoded."
    )
    service_name: Annotated[str | None, AlsoCalled(("OTEL_SERVICE_NAME",))] = Field(
        default=None, description="The resource's `service.name`."
    )
    resource_attributes: Annotated[str | None, AlsoCalled(("OTEL_RESOURCE_ATTRIBUTES",))] = Field(
        default=None, description="More about the resource: `name=value,name=value`, percent-encoded."
    )
    payloads: bool = Field(default=True, description="Whether inputs, outputs and states are sent.")
    connect_timeout: Positive = Field(default=5.0, le=3600, description="Seconds to wait for a connection.")
    read_timeout: Annotated[Positive, _of_sdk("TIMEOUT")] = Field(
        default=10.0, le=3600, description="Seconds to wait for an answer."
    )
    compression: Annotated[Literal["gzip", "deflate", "none"], _of_sdk("COMPRESSION")] = Field(
        default="gzip", description="How requests are compressed."
    )
    certificate: Annotated[Path | None, _of_sdk("CERTIFICATE")] = Field(
        default=None, description="The certificates (PEM) to trust, in the place of the usual ones."
    )
    client_certificate: Annotated[Path | None, _of_sdk("CLIENT_CERTIFICATE")] = Field(
        default=None, description="The certificate (PEM) to show to the server."
    )
    client_key: Annotated[Path | None, _of_sdk("CLIENT_KEY")] = Field(
        default=None, description="The key (PEM) of that certificate, if it is in a file of its own."
    )
    batch_size: Count = Field(default=512, description="Spans in one request, at most.")
    batch_bytes: Count = Field(default=4_194_304, description="Bytes in one request before compression, roughly.")
    flush_interval: Positive = Field(
        default=0.5, description="Seconds that finished spans may wait to be sent together."
    )

    @classmethod
    def from_environment(cls, **given: Any) -> "OTLPSettings":
        """The settings as the environment and `.env` have them, the SDK's variables included.

        Args:
            **given: What is known already, by field. Values that are not None win over the environment.

        Raises:
            ConfigurationError: A value cannot be used, or a name is unknown; the message lists all that is wrong.

        Example:
            >>> OTLPSettings.from_environment(endpoint="http://collector:4318", service_name=None).endpoint
            'http://collector:4318/v1/traces'
        """
        values: dict[str, Any] = {"otlp": {name: value for name, value in given.items() if value is not None}}
        return _OTLPAlone(**values).otlp

    @property
    def header_pairs(self) -> dict[str, str]:
        """The headers by name, in small letters.

        Example:
            >>> OTLPSettings(headers=SecretStr("Api-Key=a%3Db, x-team=voice")).header_pairs
            {'api-key': 'a=b', 'x-team': 'voice'}
        """
        return {} if self.headers is None else _pairs(self.headers.get_secret_value(), lower=True)

    @property
    def resource_pairs(self) -> dict[str, str]:
        """The attributes of the resource by name, `service.name` included where it is known."""
        pairs = _pairs(self.resource_attributes or "")
        return {**pairs, "service.name": self.service_name} if self.service_name else pairs

    @model_validator(mode="before")
    @classmethod
    def _without_blanks(cls, values: Any) -> Any:
        """Values without the blanks and quotes that come with copying; nothing is unset."""
        return copied(values)

    @field_validator("compression", mode="before")
    @classmethod
    def _in_small_letters(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: SecretStr | None) -> SecretStr | None:
        for name, text in ({} if value is None else _pairs(value.get_secret_value())).items():
            if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(text):
                raise ValueError("they have to be written name=value,name=value, without letters outside of ASCII")
        return value

    @field_validator("resource_attributes")
    @classmethod
    def _are_attributes(cls, value: str | None) -> str | None:
        _pairs(value or "")
        return value

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, endpoint: str) -> str:
        if not is_address(endpoint):
            raise ValueError("it has to be an address such as http://localhost:4318, without user or query")
        return endpoint if urlsplit(endpoint).path else f"{endpoint}{_PATH}"


class _OTLPAlone(EnvironmentSettings):
    """Reads only what concerns OTLP, so that a mistake elsewhere does not matter here."""

    otlp: OTLPSettings = Field(default_factory=OTLPSettings)


def _pairs(text: str, *, lower: bool = False) -> dict[str, str]:
    """`name=value,name=value` taken apart; the last of a name counts."""
    pairs = {}
    for item in text.split(","):
        if not item.strip():
            continue
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise ValueError("it has to be written name=value,name=value")
        name = unquote(name.strip())
        pairs[name.lower() if lower else name] = unquote(value.strip())
    return pairs
