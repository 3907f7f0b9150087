"""Residue: what is left of somebody in the bytes of files, whatever their format.

Files are read in a process of its own. A process that has an SQLite file open and closes another handle of it loses
SQLite's locks, so the one that erases must not open it, since it may be the application itself.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final, TypeAlias

_SCRIPT: Final = Path(__file__).with_name("_scanning.py")
_TIMEOUT: Final = 3_600.0


RawPattern: TypeAlias = tuple[str, str]
"""Two regular expressions: what is always in it and fast to find, and what decides."""


def literally(text: str) -> RawPattern:
    """What finds a text as it stands."""
    return re.escape(text), re.escape(text)


def files_with(patterns: Iterable[RawPattern], files: Iterable[Path]) -> list[Path]:
    """The files in which one of these patterns occurs. Patterns go by a pipe: they may be what has to be erased."""
    task = {"files": [str(file) for file in files], "patterns": list(patterns)}
    if not task["patterns"] or not task["files"]:
        return []
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(_SCRIPT)],
        input=json.dumps(task).encode(),
        capture_output=True,
        check=True,
        timeout=_TIMEOUT,
    )
    return [Path(name) for name in json.loads(done.stdout)]


def beside(path: Path) -> list[Path]:
    """An SQLite file and its logs, as far as they are there."""
    names = (path.name, f"{path.name}-wal", f"{path.name}-journal")
    return [path.with_name(name) for name in names if path.with_name(name).exists()]
