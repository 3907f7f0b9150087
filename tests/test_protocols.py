"""The contracts: our own parts meet them, and what lacks a part does not."""

from collections.abc import Sequence

import pytest

from reamon.collectors import CostCollector
from reamon.exporters import ConsoleExporter, JSONLExporter, MemoryExporter, SQLiteExporter
from reamon.model import Span
from reamon.protocols import Additions, Collector, Exporter


class Minimal:
    name = "minimal"

    def export(self, batch: Sequence[Span]) -> None:
        """Take a batch."""


def test_a_name_and_an_export_method_make_an_exporter() -> None:
    assert isinstance(Minimal(), Exporter)
    assert not isinstance(object(), Exporter)


@pytest.mark.parametrize("exporter", [ConsoleExporter, JSONLExporter, MemoryExporter, SQLiteExporter])
def test_our_own_exporters_meet_the_contract(exporter: type) -> None:
    assert isinstance(exporter(), Exporter)


def test_our_own_collector_meets_the_contract() -> None:
    assert isinstance(CostCollector(), Collector)
    assert not isinstance(Minimal(), Collector)


def test_additions_add_nothing_unless_told() -> None:
    assert Additions() == Additions(costs=(), attributes={})
    with pytest.raises(AttributeError):
        Additions().costs = ()  # type: ignore[misc]
