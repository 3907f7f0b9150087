"""The benchmark's judgement: a promise is kept on the right side of its bound, and a run says so to a machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.promises import Promise

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("measured", "at_most", "kept"),
    [(2.5, True, True), (2.51, True, False), (2.5, False, True), (2.49, False, False)],
)
def test_a_promise_is_kept_up_to_its_bound_and_no_further(measured: float, at_most: bool, kept: bool) -> None:
    assert Promise("spans", "caller", measured, 2.5, "x", at_most=at_most).kept is kept


@pytest.mark.slow
def test_a_run_prints_one_json_document_with_every_promise_of_its_scenarios() -> None:
    command = [sys.executable, "-m", "benchmarks", "startup", "memory", "--rounds", "1", "--json"]
    run = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    document = json.loads(run.stdout)
    assert [promise["scenario"] for promise in document["promises"]] == ["startup", "startup", "memory", "memory"]
    assert run.returncode == (0 if all(promise["kept"] for promise in document["promises"]) else 1)
