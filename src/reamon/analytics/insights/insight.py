"""The insight: one thing that the recorded costs say, with what it rests on."""

from datetime import datetime
from decimal import Decimal

import msgspec

Figure = Decimal | int | str | None


class Insight(msgspec.Struct, frozen=True, kw_only=True):
    """Something worth knowing about what was spent. All figures were recorded, or follow from such by exact arithmetic.

    Attributes:
        kind: What it is about: "agent", "model", "path", "prompt", "escalation", "repeated requests", "retries",
            "abandoned", "degraded", "outcome" or "other model".
        title: It in one sentence.
        amount: What it is about in USD, over the period; None where no price is known.
        saving: What could be saved in the period, in USD; None where that cannot be said.
        saving_per_month: The same for thirty days at this pace; None too where the period is shorter than a day.
        figures: The evidence: what was counted and summed, by name.
        traces: The ids of a few traces that show it.
        rows: How many rows (cost details, turns or calls, as `figures` names them) it rests on.
        since: When the earliest of the costs in question arose.
        until: When the latest did.
        caveats: What has to be known before anybody acts on it.
    """

    kind: str
    title: str
    amount: Decimal | None
    saving: Decimal | None = None
    saving_per_month: Decimal | None = None
    figures: dict[str, Figure]
    traces: tuple[str, ...] = ()
    rows: int
    since: datetime
    until: datetime
    caveats: tuple[str, ...] = ()
