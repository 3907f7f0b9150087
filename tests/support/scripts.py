"""Scripts that tests run in processes of their own."""

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

TIMEOUT = 60


def run(directory: Path, source: str, *, returncode: int = 0) -> str:
    """Run a script in `directory`. Returns what it printed; standard error is shown if it ends otherwise than told."""
    command = [sys.executable, "-c", dedent(source)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=TIMEOUT, check=False)
    assert done.returncode == returncode, done.stderr
    return done.stdout


def start(directory: Path, source: str) -> "subprocess.Popen[str]":
    """Start a script in `directory`, its output on pipes."""
    return subprocess.Popen(
        [sys.executable, "-c", dedent(source)],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
