"""Make a picture of what a command prints on a terminal: `python docs/images/terminal_svg.py OUT.svg COMMAND...`."""

import fcntl
import os
import pty
import re
import struct
import sys
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

WIDTH, HEIGHT = 120, 60
FONT_FACE = re.compile(r"\s*@font-face \{.*?\n    \}", re.DOTALL)
CURSOR = re.compile(r"(\r\n|\r|\n|\x1b\[\d*[AK]|\x1b\[\?25[lh])")


def printed(command: list[str]) -> str:
    """All bytes that `command` writes to a terminal of that size."""
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(COLUMNS=str(WIDTH), LINES=str(HEIGHT), TERM="xterm-256color", COLORTERM="truecolor")
        os.execvp(command[0], command)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", HEIGHT, WIDTH, 0, 0))
    output = b""
    while chunk := _read(terminal):
        output += chunk
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed:\n{output.decode()}")
    return output.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side has hung up
        return b""


def settled(output: str) -> str:
    """What stands on the screen in the end: a progress bar writes over its own lines."""
    lines, row = [""], 0
    for piece in CURSOR.split(output):
        if piece in {"\n", "\r\n"}:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif piece.endswith("A") and piece.startswith("\x1b["):
            row = max(row - int(piece[2:-1] or 1), 0)
        elif piece == "\r" or CURSOR.fullmatch(piece):
            lines[row] = lines[row] if piece != "\x1b[2K" else ""
        else:
            lines[row] += piece
    return "\n".join(lines).strip("\n")


def main() -> None:
    """Run the command and write the picture."""
    target, *command = sys.argv[1:]
    console = Console(record=True, width=WIDTH, file=open(os.devnull, "w"))  # noqa: SIM115 - until the process ends
    console.print(Text.from_ansi(settled(printed(command))))
    svg = console.export_svg(title=f"$ {' '.join(command)}", theme=MONOKAI, unique_id="reamon")
    Path(target).write_text(FONT_FACE.sub("", svg))  # a picture in a page cannot load fonts: it falls back to monospace


if __name__ == "__main__":
    main()
