"""The pipeline: from the queue, over processors, collectors and the sampler, to one lane for each exporter."""

from reamon.pipeline.outbox import Outbox
from reamon.pipeline.pipeline import Limits, Pipeline, destination_of
from reamon.pipeline.redact import RedactKeys
from reamon.pipeline.stages import Stages
from reamon.pipeline.stats import LaneStats, Stats

__all__ = ["LaneStats", "Limits", "Outbox", "Pipeline", "RedactKeys", "Stages", "Stats", "destination_of"]
