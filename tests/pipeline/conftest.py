"""A pipeline that is fed with spans as they are."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from reamon.guard import guard
from reamon.model import Span
from reamon.pipeline import Limits, Outbox, Pipeline, Stages

MakePipeline = Callable[..., Pipeline]


@pytest.fixture(autouse=True)
def errors_forgotten() -> Iterator[None]:
    """Internal errors that a test brought about on purpose are not counted in the tests after it."""
    yield
    guard.reset()


@pytest.fixture
def make_pipeline(tmp_path: Path) -> Iterator[MakePipeline]:
    """A factory of pipelines, running; they are shut down after the test."""
    pipelines: list[Pipeline] = []

    def make(
        *exporters: Any, processors: Any = (), max_outbox_bytes: int = 10**9, home: Path = tmp_path, **limits: Any
    ) -> Pipeline:
        pipeline = Pipeline(
            _as_it_is,
            exporters,
            Stages(processors, [], 1.0),
            Outbox(home / "outbox.sqlite", max_outbox_bytes),
            Limits(**{"flush_interval": 0.02, "retry_cap": 0.05, **limits}),
            is_finished=lambda item: True,
            on_start=lambda: None,
            on_drain=lambda: None,
            age_of=lambda item: 1.5,
        )
        pipelines.append(pipeline)
        pipeline.start()
        return pipeline

    yield make
    if pipelines:
        with ThreadPoolExecutor(len(pipelines)) as pool:
            list(pool.map(lambda pipeline: pipeline.shutdown(0.5), pipelines))


def _as_it_is(item: Span) -> Span:
    return item
