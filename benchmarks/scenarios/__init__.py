"""The scenarios, one module each, all with the two functions of `Scenario`."""

import importlib
from pathlib import Path
from typing import Protocol, cast

from benchmarks.harness import Figures
from benchmarks.promises import Outcome

NAMES = (
    "spans",
    "calls",
    "langsmith",
    "durability",
    "imports",
    "memory",
    "passthrough",
    "startup",
    "store",
    "voicebot",
)


class Scenario(Protocol):
    """What a module of this package offers."""

    def measure(self, subject: str, home: Path) -> Figures:
        """Measure one subject; runs in a process of its own."""

    def run(self, rounds: int) -> Outcome:
        """Have every subject measured, and hold the medians against what is promised."""


def load(name: str) -> Scenario:
    """The scenario of that name."""
    return cast("Scenario", importlib.import_module(f"{__name__}.{name}"))
