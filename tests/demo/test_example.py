import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "campaign" / "main.py"


@pytest.mark.slow
def test_the_example_is_the_demo(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLE), "--calls", "2", "--pace", "0", "--json"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["summary"]["calls"] == 2
    assert (tmp_path / ".reamon" / "demo" / "campaign.db").is_file()
