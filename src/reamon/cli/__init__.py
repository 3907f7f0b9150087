"""The command line: `reamon COMMAND`.

A command is a module of this package with `add_arguments(parser)` and `run(arguments) -> exit code`. It is imported
when it is asked for, so that none pays for what another needs.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import version

from reamon.cli import _output
from reamon.errors import MissingExtraError, ReamonError

COMMANDS = {
    "demo": "run a calling campaign and record it: the quickest way to something to look at",
    "traces": "list the newest workflow traces",
    "show": "show a call, or one trace, with all that ran in it",
    "costs": "tell what was spent, by call, agent, model, day or outcome",
    "budgets": "show what is spent, reserved and left of each budget",
    "search": "find spans by the words of their inputs, outputs, states and errors",
    "export": "write traces, executions, operations or costs as JSON lines, CSV or Parquet",
    "doctor": "say what is configured, whether the store is sound, and what is wrong",
    "outbox": "look at what is not delivered yet or was refused: list, show, export, replay, drop",
    "prune": "delete what is older than it has to be kept",
    "erase": "delete one person's data everywhere, and give a receipt",
    "migrate": "bring the store's tables up to this version",
}
"""The commands, in the order in which a newcomer meets them."""

FAILED = 1
UNUSABLE = 2
INTERRUPTED = 130
"""What a shell reports after Ctrl-C."""
NOBODY_READS = 141
"""What a shell reports after SIGPIPE."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments after the program's name; those of the process unless given.

    Returns:
        The exit code: 0 done, 1 failed or something is wrong, 2 it cannot be used like this, 130 stopped by Ctrl-C.
    """
    top = _parser()
    chosen = top.parse_args(argv)
    if chosen.command is None:
        top.print_help()
        return UNUSABLE
    command = import_module(f"reamon.cli.{chosen.command}")
    parser = argparse.ArgumentParser(prog=f"reamon {chosen.command}", description=_sentence(COMMANDS[chosen.command]))
    try:
        command.add_arguments(parser)
        return _run(command.run, parser.parse_args(chosen.arguments))
    except MissingExtraError as error:
        _output.complain(error, as_json="--json" in chosen.arguments)
        return UNUSABLE
    except ReamonError as error:
        _output.complain(error, as_json="--json" in chosen.arguments)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _run(run: "_output.Run", arguments: argparse.Namespace) -> int:
    """Run a command; where nobody reads its output to the end, as in `reamon traces | head`, stop quietly."""
    try:
        code = run(arguments)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return NOBODY_READS


def _parser() -> argparse.ArgumentParser:
    longest = max(len(name) for name in COMMANDS)
    listing = "\n".join(f"  {name:<{longest}}  {purpose}" for name, purpose in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="reamon",
        usage="reamon COMMAND [options]",
        description="Look at what your multi-agent LLM workflows did.",
        epilog=f"commands:\n{listing}\n\n`reamon COMMAND --help` tells a command's options.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"reamon {version('reamon')}")
    parser.add_argument("command", nargs="?", choices=COMMANDS, metavar="COMMAND", help=argparse.SUPPRESS)
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def _sentence(purpose: str) -> str:
    return f"{purpose[0].upper()}{purpose[1:]}."
