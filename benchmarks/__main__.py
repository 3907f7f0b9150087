"""Measure, print the table of promises, and exit with 1 where one is broken."""

import argparse
import dataclasses
import json
import platform
import sys

from benchmarks import scenarios
from benchmarks.promises import Outcome
from benchmarks.tables import print_outcomes


def main() -> int:
    """Run the scenarios that were asked for; all of them by default."""
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("scenarios", nargs="*", help="which to run (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    unknown = set(options.scenarios) - set(scenarios.NAMES)
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(scenarios.NAMES)}")

    outcomes = [scenarios.load(name).run(options.rounds) for name in options.scenarios or scenarios.NAMES]
    if options.json:
        print(json.dumps(_document(outcomes), indent=2))
    else:
        print_outcomes(outcomes)
    return 0 if all(promise.kept for outcome in outcomes for promise in outcome.promises) else 1


def _document(outcomes: list[Outcome]) -> dict[str, object]:
    return {
        "python": platform.python_version(),
        "promises": [
            {**dataclasses.asdict(promise), "kept": promise.kept}
            for outcome in outcomes
            for promise in outcome.promises
        ],
        "tables": [dataclasses.asdict(outcome.table) for outcome in outcomes],
    }


if __name__ == "__main__":
    sys.exit(main())
