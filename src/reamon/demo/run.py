"""The run: what `reamon demo` does, from its options to its exit code."""

import argparse
import math
import sys
from importlib.util import find_spec
from pathlib import Path

from reamon.errors import MissingExtraError

CALLS = 200
CONCURRENCY = 50
SEED = 7
PACE = 0.075
DELIVERY_SECONDS = 15.0
DONE, FAILED, INTERRUPTED = 0, 1, 130

_PACKAGES = ("langgraph", "openai", "rich", "starlette", "uvicorn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of `reamon demo` to `parser`."""
    parser.add_argument("--calls", type=_positive, default=CALLS, metavar="N", help="calls to make (%(default)s)")
    parser.add_argument(
        "--concurrency", type=_positive, default=CONCURRENCY, metavar="N", help="calls at once (%(default)s)"
    )
    parser.add_argument(
        "--seed", type=int, default=SEED, metavar="N", help="the same seed gives the same campaign (%(default)s)"
    )
    parser.add_argument(
        "--pace",
        type=_not_negative,
        default=PACE,
        metavar="X",
        help="how much of the time that people take to speak and listen really passes; 1 is a real call (%(default)s)",
    )
    parser.add_argument(
        "--home", type=Path, metavar="DIR", help="record below DIR (default: $REAMON_HOME, else ./.reamon)"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON document, with all digits")


def main(arguments: argparse.Namespace) -> int:
    """Run the campaign, then print what its store says about it.

    Returns:
        0; 1 if not everything recorded reached the store; 130 if Ctrl-C ended the campaign early.

    Raises:
        MissingExtraError: The packages of the extra `demo` are not installed.
        ConfigurationError: Another campaign is being recorded in the same place.
    """
    for package in _PACKAGES:
        if find_spec(package) is None:
            raise MissingExtraError("reamon demo", "demo", package)
    return _run(arguments)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 1")
    return number


def _not_negative(text: str) -> float:
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is not a number of at least 0")
    return number


def _run(arguments: argparse.Namespace) -> int:
    import reamon  # noqa: PLC0415 - like all that follows: it needs the extra, or is slow to import
    from reamon.demo import recording  # noqa: PLC0415

    database = recording.database_in(arguments.home or recording.default_home())
    _announce(arguments, database, replaced=recording.make_room(database))
    from reamon.demo import findings, session  # noqa: PLC0415 - the slowest ones, once the user knows what is going on
    from reamon.demo.leads import make_leads  # noqa: PLC0415

    recording.record_in(database)
    leads = make_leads(arguments.calls, arguments.seed)
    finished = session.call_all(leads, seed=arguments.seed, concurrency=arguments.concurrency, pace=arguments.pace)
    delivered = reamon.flush(DELIVERY_SECONDS)
    reamon.shutdown()
    findings.show(database, finished=finished, delivered=delivered, as_json=arguments.json)
    if not finished:
        return INTERRUPTED
    return DONE if delivered else FAILED


def _announce(arguments: argparse.Namespace, database: Path, *, replaced: bool) -> None:
    """Say what is about to happen; on standard error, because standard output is for the result."""
    instead = ", in place of the campaign before" if replaced else ""
    sys.stderr.write(
        f"Calling {arguments.calls} leads, {arguments.concurrency} at a time, with a scripted model on this machine "
        f"(seed {arguments.seed}).\nRecording in {database}{instead}.\n"
    )
