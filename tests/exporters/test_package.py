"""`reamon.exporters` gives its names lazily."""

import subprocess
import sys

import pytest

import reamon.exporters


def test_every_public_name_is_there() -> None:
    assert [getattr(reamon.exporters, name).__name__ for name in reamon.exporters.__all__] == reamon.exporters.__all__
    assert dir(reamon.exporters) == reamon.exporters.__all__


def test_a_name_that_is_not_there_is_missed_as_usual() -> None:
    with pytest.raises(AttributeError, match="no attribute 'CSVExporter'"):
        _ = reamon.exporters.CSVExporter


def test_one_exporter_does_not_load_the_others() -> None:
    code = (
        "import sys; from reamon.exporters import MemoryExporter; "
        "print({'reamon.exporters.jsonl', 'reamon.exporters.sqlite', 'reamon.store'} & sys.modules.keys())"
    )
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert output == "set()\n"
