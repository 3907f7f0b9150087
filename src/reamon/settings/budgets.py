"""The settings of budgets: what may be spent, and where it is known what was."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from reamon.settings.fields import Positive

Money = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[Decimal, Field(gt=0, le=1, allow_inf_nan=False)]


def _as_text(value: Any) -> Any:
    """Shares as they come from Python, where a number is as good as a list of texts."""
    if isinstance(value, str):
        return value
    if isinstance(value, tuple | list):
        return ",".join(map(str, value))
    return "none" if value is None else str(value)


class BudgetSettings(BaseModel):
    """What may be spent, in USD. The budgets are called as the settings: `call`, `day`, `week`, `month`, `total`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    call: Money | None = Field(default=None, description="What a call may cost, in USD.")
    day: Money | None = Field(default=None, description="What may be spent in a day, in USD.")
    week: Money | None = Field(default=None, description="What may be spent in a week, in USD.")
    month: Money | None = Field(default=None, description="What may be spent in a month, in USD.")
    total: Money | None = Field(default=None, description="What may be spent in all, in USD.")
    project_day: Money | None = Field(
        default=None, description="What each project may spend in a day, in USD; the budget is called `project_day`."
    )
    timezone: str = Field(
        default="UTC", description="Where days, weeks and months begin: a name like America/New_York."
    )
    warn_at: Annotated[str, BeforeValidator(_as_text)] = Field(
        default="0.8", description="Shares of a limit at which a notice goes out; `none` for none."
    )
    degrade_at: Share | None = Field(
        default=None, description="The share of a limit from which on something cheaper has to do."
    )
    stop_at: Share | None = Field(default=None, description="The share of a limit from which on nothing new begins.")
    on_exceeded: Literal["warn", "degrade", "stop"] = Field(
        default="stop", description="What is to happen once a limit is reached."
    )
    spike: Annotated[Decimal, Field(gt=1, allow_inf_nan=False)] | None = Field(
        default=None, description="How many times the usual a day's spending may be before a notice goes out."
    )
    state: str = Field(
        default="store",
        repr=False,
        description="Where all processes see what was spent: `store`, `redis://...`, `postgresql://...`, or `memory`.",
    )
    on_unreachable: Literal["open", "closed"] = Field(
        default="open",
        description="While that is away: `open` goes by what the process knows itself, `closed` stops.",
    )
    timeout: Positive = Field(default=2.0, le=60, description="Seconds that a question may wait for it.")
    reservation_ttl: Positive = Field(
        default=900.0, description="Seconds after which a reservation that nobody ended counts no more."
    )

    @property
    def is_used(self) -> bool:
        """Whether anything is limited, or looked at."""
        limits = (self.call, self.day, self.week, self.month, self.total, self.project_day, self.spike)
        return any(limit is not None for limit in limits)
