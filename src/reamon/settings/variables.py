"""Environment variables: which ones are settings, and which only look like it."""

import difflib
import os
from collections.abc import Mapping

from reamon.settings.fields import NESTED, PREFIX, nested_fields, variable
from reamon.settings.monitoring import MonitoringSettings


def variable_names() -> list[str]:
    """Every environment variable `REAMON_*` that is a setting.

    Example:
        >>> "REAMON_LANGSMITH__PROJECT" in variable_names()
        True
    """
    names = []
    for name, field in MonitoringSettings.model_fields.items():
        names += [variable(name), *(variable(name, inner) for inner in nested_fields(field))]
    return names


def unknown_variables(environment: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """Variables called `REAMON_*` that are no setting, each with the one that it may be meant to be."""
    known = set(variable_names())
    names = os.environ if environment is None else environment
    unknown = [
        name
        for name in names
        if name.startswith(PREFIX)
        and not name.startswith((f"{PREFIX}TEST_", f"{variable('exporter_options')}{NESTED}"))
        and name.upper() not in known
    ]
    return {name: next(iter(difflib.get_close_matches(name, known, 1)), None) for name in sorted(unknown)}
