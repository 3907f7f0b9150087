"""What looks through files in a process of its own (`reamon.erasure.residue`): a script that needs only Python."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

CHUNK = 8 << 20
OVERLAP = 4_096
AROUND = 64  # characters
OTHER = "other"
"""The name of a group that matches what is something else and only looks like it."""


def has(core: "re.Pattern[str]", pattern: "re.Pattern[str]", text: str) -> bool:
    """Whether the pattern finds something in a text that is meant.

    Args:
        core: What is in all that the pattern finds, and begins with a letter or digit: fast to look for.
        pattern: What decides, around each core.
        text: Where to look.
    """
    for found in core.finditer(text):
        around = text[max(found.start() - AROUND, 0) : found.end() + AROUND]
        if any(match.lastgroup != OTHER for match in pattern.finditer(around)):
            return True
    return False


def main() -> None:
    """Read a task from standard input, and write the files in which something was found to standard output."""
    task = json.loads(sys.stdin.buffer.read())
    pairs = [(re.compile(core), re.compile(pattern)) for core, pattern in task["patterns"]]
    found = [
        name
        for name in task["files"]
        if any(has(core, pattern, text) for text in _texts(Path(name)) for core, pattern in pairs)
    ]
    sys.stdout.write(json.dumps(found))


def _texts(file: Path) -> Iterator[str]:
    try:
        with file.open("rb") as stream:
            rest = b""
            while chunk := stream.read(CHUNK):
                yield (rest + chunk).decode("utf-8", "replace")
                rest = chunk[-OVERLAP:]
    except FileNotFoundError:
        return  # it has gone meanwhile


if __name__ == "__main__":
    main()
