"""Promises: what was measured, against what is allowed."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Promise:
    """One promise and whether this run kept it.

    Attributes:
        scenario: Where it was measured.
        text: What is promised.
        measured: The figure.
        bound: What is allowed.
        unit: What both are in: "x" for a ratio, or "ms", "MB", "%".
        at_most: Whether the bound is the most that is allowed; else the least.
    """

    scenario: str
    text: str
    measured: float
    bound: float
    unit: Literal["x", "ms", "MB", "%", ""]
    at_most: bool = True

    @property
    def kept(self) -> bool:
        """Whether the figure is on the right side of the bound."""
        return self.measured <= self.bound if self.at_most else self.measured >= self.bound


@dataclass(frozen=True)
class Table:
    """Figures of one scenario, a row for each subject.

    Attributes:
        title: What was measured, and how.
        columns: The figures' names, units included.
        rows: The figures by subject.
    """

    title: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]


@dataclass(frozen=True)
class Outcome:
    """What one scenario found."""

    table: Table
    promises: tuple[Promise, ...]
