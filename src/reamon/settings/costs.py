"""The settings of what things cost."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class CostSettings(BaseModel):
    """The options of `CostCollector`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rates: Path | None = Field(default=None, description="A file with rates of your own, TOML or YAML.")
    profile: str | None = Field(
        default=None, description="Rates that come with reamon, by name: `reautomation2`. Your own come first."
    )
    model_prices: bool = Field(
        default=True, description="Whether `genai-prices` is asked for models that no rate names, if it is installed."
    )
    estimate: bool = Field(
        default=False, description="Whether tokens that a provider does not report are guessed from the text."
    )
