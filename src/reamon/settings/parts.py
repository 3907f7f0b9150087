"""The settings of the exporters that write to this machine."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from reamon.settings.fields import Count, OrNone, Positive


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
    max_bytes: Annotated[Count | None, OrNone] = Field(
        default=104_857_600, description="Bytes at which the file is put aside and a new one begun."
    )
    max_age: Positive | None = Field(default=None, description="Seconds after which the file is put aside.")
    keep: Count | None = Field(default=None, description="How many files that were put aside are kept; all by default.")
