"""Stats: what became of every span, and what we cost."""

import msgspec


class LaneStats(msgspec.Struct, frozen=True, kw_only=True):
    """One exporter's lane.

    Attributes:
        state: "ok", "failing" (it is being retried), "open" (after several failures it is left alone for a while),
            "half_open" (it is tried again after that), "paused" (somebody has to change something, see `fix`) or
            "stopped".
        failures: How often in a row it has failed.
        last_error: What it said last, while it fails.
        fix: What has to be changed before it takes anything again.
        down_seconds: For how long it has taken nothing.
        microseconds_per_span: CPU time of the lane's thread for each span that it delivered.
    """

    state: str
    failures: int
    last_error: str | None
    fix: str | None
    down_seconds: float | None
    microseconds_per_span: float | None


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """What became of every span of this process.

    With one lane, at rest: recorded + claimed = exported + pending + spooled + dropped.

    Attributes:
        recorded: Finished spans of this process.
        claimed: Spans that an earlier process left on disk and that this one has taken over, by lane.
        exported: Spans that were acknowledged, by lane.
        pending: Spans that wait in memory, by lane.
        spooled: Spans that wait on disk, by lane.
        dropped: Spans that were given up, by reason: "queue_full", "processor" (it said so), "processor_error",
            "internal_error" (its record could not be made), "outbox_full", "memory_full", and, kept on disk as dead
            letters, "rejected" (the destination will never take it), "too_old" (the same, on account of its age),
            "unreadable" (on disk, in a form that this reamon does not know) or what else an exporter says.
        internal_errors: Our own errors that were contained.
        microseconds_per_span: CPU time of the worker's thread for each span.
        queue_age_seconds: How long the oldest finished span has been waiting for the worker.
        lanes: The state of each lane.
    """

    recorded: int
    claimed: dict[str, int]
    exported: dict[str, int]
    pending: dict[str, int]
    spooled: dict[str, int]
    dropped: dict[str, int]
    internal_errors: int
    microseconds_per_span: float | None
    queue_age_seconds: float
    lanes: dict[str, LaneStats]
