"""Every example runs, as a user would run it, and says what it promises to say."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted([*EXAMPLES.glob("*.py"), *EXAMPLES.glob("*/monitor.py")])


@pytest.mark.usefixtures("langsmith")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: str(script.relative_to(EXAMPLES)))
def test_the_example_runs_and_prints_what_its_docstring_shows(
    script: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if "REAMON_POSTGRES__URL" in script.read_text():
        request.getfixturevalue("postgres")
    run = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip(), "an example shows something"
    expected = script.read_text().split('"""')[1].partition("It prints:\n")[2]
    assert run.stdout.split() == expected.split()
