"""Projects: whose rows a reader sees.

A store may hold the traces of several teams. Who opens it sees those of one project, unless they say that they want
all: the project that they name, else the one that is configured. Where none is named and none is configured, there is
nothing to isolate, and all is seen.
"""

import os
from enum import Enum
from pathlib import Path
from typing import Final, Literal, TypeAlias

from reamon.errors import StoreError


class AllProjects(Enum):
    """The type of `ALL_PROJECTS`."""

    ALL_PROJECTS = "all projects"


ALL_PROJECTS: Final = AllProjects.ALL_PROJECTS
"""Given as a project: the rows of every project, and those that have none."""

Project: TypeAlias = str | Literal[AllProjects.ALL_PROJECTS] | None
"""Whose rows are meant: one project's, all, or (None) those of the project that is configured."""


def visible(project: Project) -> str | None:
    """The one project whose rows are seen; None where all are.

    Args:
        project: What was asked for. None: what `REAMON_PROJECT`, or a `.env` file here, says.

    Raises:
        StoreError: The name is empty.
        ConfigurationError: The settings that name the project cannot be used.

    Example:
        >>> visible("calls"), visible(ALL_PROJECTS)
        ('calls', None)
    """
    if project is ALL_PROJECTS:
        return None
    if project is None:
        return configured()
    if not project:
        raise StoreError(f"project={project!r} is no project's name: give one, or ALL_PROJECTS")
    return project


def configured() -> str | None:
    """The project that the environment, or a `.env` file here, names for traces; None where neither names one."""
    if Path(".env").exists():
        from reamon.settings import MonitoringSettings  # noqa: PLC0415 - slow to import, and few have such a file

        return MonitoringSettings().project or None
    return os.environ.get("REAMON_PROJECT") or None


def narrowed(seen: str | None, asked: str | None) -> str | None:
    """The project that a question is about, asked by somebody who sees `seen`.

    Raises:
        StoreError: It is another project than the one that is seen.
    """
    if asked is None or seen is None or asked == seen:
        return asked if seen is None else seen
    raise StoreError(
        f"this store was opened for project {seen!r}, and {asked!r} was asked for: "
        "open it with project=ALL_PROJECTS, or with that one"
    )
