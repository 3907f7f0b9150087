"""The filter of costs that are added up, and what they can be told apart by; without SQLAlchemy, for who only asks."""

from datetime import datetime
from typing import Final

import msgspec

from reamon.errors import ConfigurationError
from reamon.model.times import is_in_utc

TIMES: Final = ("day", "hour")
DIMENSIONS: Final = (
    "call", "trace", "agent", "workflow", "version", "outcome", "provider", "model", "type", "project", *TIMES,
)  # fmt: skip
"""All that costs can be told apart by."""


class CostFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which cost details are meant: those that have every value given here.

    Attributes:
        since: Not before this moment; aware.
        until: Before this moment; aware.
        project: Of this project.
        call_id: Of the traces of this call.
        provider: Billed by this provider, in whatever case its name is written.

    Raises:
        ConfigurationError: A time has no time zone, or `since` is after `until`.
    """

    since: datetime | None = None
    until: datetime | None = None
    project: str | None = None
    call_id: str | None = None
    provider: str | None = None

    def __post_init__(self) -> None:
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and moment.utcoffset() is None:
                raise ConfigurationError(f"{name} = {moment} has no time zone: give it one, such as datetime.UTC")
            if moment is not None and not is_in_utc(moment):
                raise ConfigurationError(f"{name} = {moment} is no moment of the years 1 to 9999 in UTC")
        if self.since is not None and self.until is not None and self.since > self.until:
            raise ConfigurationError(f"since = {self.since} is after until = {self.until}")


EVERY_COST: Final = CostFilter()
"""The filter that leaves nothing out."""
