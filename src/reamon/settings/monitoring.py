"""Everything that can be set: keyword arguments, variables `REAMON_*`, a `.env` file, in that order of precedence."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, Field, field_validator

from reamon.settings.budgets import BudgetSettings
from reamon.settings.costs import CostSettings
from reamon.settings.fields import Count, Names, OrNone, OursAlone, Positive
from reamon.settings.langsmith import LangSmithSettings
from reamon.settings.otlp import OTLPSettings
from reamon.settings.parts import JSONLSettings, SQLiteSettings
from reamon.settings.postgres import PostgresSettings
from reamon.settings.retention import RetentionSettings
from reamon.settings.sources import EnvironmentSettings

_FILES: Final = {"sqlite": "reamon.db", "jsonl": "spans.jsonl"}


class MonitoringSettings(EnvironmentSettings):
    """Everything that can be set. Each field is also an environment variable: `REAMON_` and its name in capitals.

    Nested fields are joined by two underscores: `REAMON_SQLITE__PATH`. Lists are comma-separated:
    `REAMON_EXPORTERS=sqlite,jsonl`. What concerns LangSmith is read from its SDK's variables too:
    `LANGSMITH_API_KEY`.

    Raises:
        ConfigurationError: A value cannot be used, or a name is unknown; the message lists all that is wrong.

    Example:
        >>> MonitoringSettings(exporters="sqlite,jsonl", project="calls").exporters
        ('sqlite', 'jsonl')
    """

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
    durability: Literal["batch", "span"] = Field(
        "batch",
        description="`span`: a finished span is on disk before the decorated call returns; `batch`: soon after.",
    )
    durability_timeout: Positive = Field(
        1.0, le=3600, description="Seconds that a call waits for its span to be on disk, at most."
    )
    retry_base: Positive = Field(0.1, description="Seconds before the first retry of an exporter that failed, at most.")
    retry_cap: Positive = Field(10.0, description="Seconds between two attempts of an exporter that fails, at most.")
    breaker_failures: Count = Field(
        5, description="Failures of an exporter in a row after which its circuit breaker opens."
    )
    breaker_rest: Positive = Field(5.0, le=10, description="Seconds for which an open breaker lets nothing through.")
    breaker_successes: Count = Field(1, description="Batches that have to succeed before an open breaker closes.")
    claim_interval: Positive = Field(
        10.0, le=3600, description="Seconds between two looks for what dead processes left on disk."
    )
    abandon_after: Annotated[Positive | None, OrNone] = Field(
        604_800.0,
        description="Seconds after which batches on disk that no exporter asks for become dead letters; `none`: never.",
    )
    shutdown_timeout: float = Field(
        5.0, ge=0, allow_inf_nan=False, description="Seconds that the exit of the process may take."
    )
    handle_sigterm: bool = Field(
        True, description="Flush on SIGTERM, where the application has no handler of its own, then end as before."
    )
    sqlite: SQLiteSettings = Field(default_factory=SQLiteSettings, description="The options of `SQLiteExporter`.")
    jsonl: JSONLSettings = Field(default_factory=JSONLSettings, description="The options of `JSONLExporter`.")
    langsmith: LangSmithSettings = Field(
        default_factory=LangSmithSettings, description="The options of `LangSmithExporter` and `LangSmithClient`."
    )
    otlp: Annotated[OTLPSettings, OursAlone()] = Field(
        default_factory=OTLPSettings, description="The options of `OTLPExporter`."
    )
    postgres: PostgresSettings = Field(
        default_factory=PostgresSettings, description="The options of `PostgresExporter`, and where its store is."
    )
    retention: RetentionSettings = Field(
        default_factory=RetentionSettings, description="How long what was recorded is kept."
    )
    costs: CostSettings = Field(default_factory=CostSettings, description="The options of `CostCollector`.")
    budgets: BudgetSettings = Field(default_factory=BudgetSettings, description="What may be spent.")
    exporter_options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="Options of exporters that are not ours: `{name: {option: value}}`."
    )

    def __init__(self, **values: Any) -> None:
        # Without this, type checkers would refuse values as the environment writes them, such as "sqlite,jsonl".
        super().__init__(**values)

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
        for name in (*_FILES, "langsmith", "otlp", "postgres"):
            if name in value:
                raise ValueError(f"the options of {name!r} are the setting {name!r}")
        return value

    @property
    def exporters_left_out(self) -> dict[str, str]:
        """The exporters that are not to be used though somebody names them, each with the reason.

        Example:
            >>> MonitoringSettings(exporters="sqlite,langsmith", langsmith={"tracing": False}).exporters_left_out
            {'langsmith': 'LANGSMITH_TRACING (or REAMON_LANGSMITH__TRACING) is false'}
        """
        if self.langsmith.tracing is False:
            return {"langsmith": "LANGSMITH_TRACING (or REAMON_LANGSMITH__TRACING) is false"}
        return {}

    @property
    def exporters_in_use(self) -> tuple[str, ...]:
        """The exporters that are named, without those left out.

        Example:
            >>> MonitoringSettings(exporters="sqlite,langsmith", langsmith={"tracing": False}).exporters_in_use
            ('sqlite',)
        """
        return tuple(name for name in self.exporters if name not in self.exporters_left_out)

    def options_of(self, exporter: str) -> dict[str, Any]:
        """The options with which the exporter of that name is made.

        The key of LangSmith is a `SecretStr` in there, and so are the headers of OTLP and the URL of PostgreSQL. The
        project of LangSmith is that of its own settings if anybody set one, else that of all traces. Of OTLP there is
        only what is set here: what OpenTelemetry's variables say is read by the exporter.
        """
        if exporter == "otlp":
            return self.otlp.model_dump(exclude_unset=True)
        if exporter == "postgres":
            return self.postgres.model_dump()
        if exporter == "langsmith":
            options = self.langsmith.model_dump(exclude={"tracing"})
            if "project" not in self.langsmith.model_fields_set and self.project:
                options["project"] = self.project
            return options
        own: dict[str, BaseModel] = {"sqlite": self.sqlite, "jsonl": self.jsonl}
        if exporter not in own:
            return dict(self.exporter_options.get(exporter, {}))
        options = own[exporter].model_dump()
        options["path"] = options["path"] or self.home / _FILES[exporter]
        return options

    def collector_options_of(self, collector: str) -> dict[str, Any]:
        """The options with which the collector of that name is made."""
        return self.costs.model_dump() if collector == "cost" else {}


def split_names(text: str) -> tuple[str, ...]:
    """A comma-separated string as its parts; `none` and an empty string are no parts.

    Example:
        >>> split_names("sqlite, jsonl")
        ('sqlite', 'jsonl')
    """
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    return () if parts == ("none",) else parts
