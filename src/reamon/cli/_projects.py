"""The project that a command is about."""

import argparse

from reamon.store.projects import ALL_PROJECTS, Project


def add_project_options(parser: argparse.ArgumentParser) -> None:
    """Give a command the options `--project` and `--all-projects`."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--project", metavar="NAME", help="only this project (default: $REAMON_PROJECT; all where that is not set)"
    )
    which.add_argument("--all-projects", action="store_true", help="every project, whatever is configured")


def project_of(arguments: argparse.Namespace) -> Project:
    """The project that somebody means."""
    named: str | None = arguments.project
    return ALL_PROJECTS if arguments.all_projects else named
