"""Limits: how long each kind of data is kept."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final, Self

import msgspec

from reamon.errors import ConfigurationError

if TYPE_CHECKING:
    from reamon.settings.retention import RetentionSettings

_DAY: Final = timedelta(days=1)
YEAR: Final = timedelta(days=365)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How long each kind of data is kept; None is for ever.

    Attributes:
        detail: Operations, agent executions, and the payloads of workflows.
        costs: Cost details. A trace's total stays with its summary.
        metrics: Aggregated series.
        alerts: Alerts that are over.
        summaries: Workflows, without their payloads.

    Raises:
        ConfigurationError: A limit is not positive, or something would go before what depends on it.
    """

    detail: timedelta | None = timedelta(days=30)
    costs: timedelta | None = YEAR
    metrics: timedelta | None = YEAR
    alerts: timedelta | None = YEAR
    summaries: timedelta | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            limit = getattr(self, name)
            if limit is not None and limit <= timedelta(0):
                raise ConfigurationError(f"retention: {name} is {limit}; give more than nothing, or none for ever")
        for name in ("costs", "summaries"):
            limit = getattr(self, name)
            if limit is not None and (self.detail is None or limit < self.detail):
                kept = "for ever" if self.detail is None else f"for {_in_words(self.detail)}"
                raise ConfigurationError(
                    f"retention: {name} go after {_in_words(limit)} and the detail that they belong to stays {kept}; "
                    f"keep {name} at least as long as detail"
                )

    @classmethod
    def from_settings(cls, settings: "RetentionSettings", **instead: timedelta | None) -> Self:
        """The limits of the settings.

        Args:
            settings: Those of retention.
            **instead: Limits that are given in the place of theirs.

        Raises:
            ConfigurationError: They make no sense together.
        """
        return cls(**{name: getattr(settings, name) for name in cls.__struct_fields__} | instead)


def _in_words(age: timedelta) -> str:
    """How long that is: `30 days`, `1 day`, `36 hours`."""
    number, unit = (age // _DAY, "day") if not age % _DAY else (age / timedelta(hours=1), "hour")
    return f"{number:g} {unit}{'' if number == 1 else 's'}"
