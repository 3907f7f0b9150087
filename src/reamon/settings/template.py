"""The file `.env.template`: every variable with its default and what it is for."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic.fields import FieldInfo

from reamon.settings.fields import nested_fields, other_variables, variable
from reamon.settings.monitoring import MonitoringSettings

_HEAD = """\
# The settings of reamon. Copy this file to .env and remove the # in front of what you want to change; what is shown
# is the default. A variable of the environment wins over the same one in .env, an argument of reamon.configure() wins
# over both. A blank variable counts as unset. Lists are separated by commas, `none` is the empty one. Sizes are bytes,
# times are seconds.
"""

_OF_OTHERS = {
    "langsmith": """\
# REAMON_LANGSMITH__X wins over LANGSMITH_X, and that over LANGCHAIN_X, which is read as well.
""",
    "otlp": """\
# REAMON_OTLP__X wins over the variables of OpenTelemetry's SDK, which are read as well where there is one:
# OTEL_EXPORTER_OTLP_TRACES_X, OTEL_EXPORTER_OTLP_X, OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES.
""",
}
_NOT_SHOWN = ("LANGCHAIN_", "OTEL_")


def template() -> str:
    """The text of `.env.template`, made from the settings.

    To write it anew after a change of the settings:
    `python -c "import reamon.settings as s; print(s.template(), end='')" > .env.template`.

    Example:
        >>> "#REAMON_PROJECT=" in template().splitlines()
        True
    """
    fields = MonitoringSettings.model_fields
    single = {name: field for name, field in fields.items() if not nested_fields(field)}
    groups = {name: field for name, field in fields.items() if nested_fields(field)}
    parts = [_HEAD, *_entries((), single)]
    for name, field in groups.items():
        inner = nested_fields(field)
        parts.append(f"\n# --- {field.description}\n")
        parts.append(_OF_OTHERS.get(name, ""))
        parts += _entries((name,), inner)
    return "".join(parts)


def _entries(group: tuple[str, ...], fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    for name, field in fields.items():
        own = variable(*group, name)
        others = [other for other in other_variables(field) if not other.startswith(_NOT_SHOWN)]
        default = _written(field.get_default(call_default_factory=True, validated_data={}))
        yield f"\n# {field.description}\n"
        yield from (f"#{each}={default}\n" for each in (*others, own))


def _written(default: Any) -> str:
    """A default as it stands behind the equals sign; nothing for what is unset."""
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(default)
    return "" if default in (None, {}) else str(default)
