"""The project that a command is about."""

import argparse

from reamon.store.projects import ALL_PROJECTS, Project


def project_of(arguments: argparse.Namespace) -> Project:
    """The project that somebody means by the options of `add_project_options`."""
    named: str | None = arguments.project
    return ALL_PROJECTS if arguments.all_projects else named
