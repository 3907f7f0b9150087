"""`.env.template` is what the settings are, both ways."""

import re
from pathlib import Path

import pytest

from reamon.settings import LangSmithSettings, MonitoringSettings, template, variable_names
from reamon.settings.fields import nested_fields, other_variables

FILE = Path(__file__).resolve().parents[2] / ".env.template"
VARIABLE = re.compile(r"^#(?=[A-Z0-9_]+=)", re.MULTILINE)
AS_JSON = {
    "REAMON_SQLITE",
    "REAMON_JSONL",
    "REAMON_LANGSMITH",
    "REAMON_OTLP",
    "REAMON_POSTGRES",
    "REAMON_RETENTION",
    "REAMON_COSTS",
    "REAMON_BUDGETS",
}


def variables() -> list[str]:
    """What the file has, in order."""
    return [line[1:].split("=")[0] for line in FILE.read_text().splitlines() if VARIABLE.match(line)]


def test_the_file_is_what_the_settings_say() -> None:
    assert FILE.read_text() == template()


def test_every_variable_is_there_once() -> None:
    of_sdk = [name for field in LangSmithSettings.model_fields.values() for name in other_variables(field)]
    expected = {*variable_names(), *of_sdk} - AS_JSON
    assert sorted(variables()) == sorted(name for name in expected if not name.startswith("LANGCHAIN_"))


def test_nothing_is_set_before_somebody_uncomments_it() -> None:
    assert [line for line in FILE.read_text().splitlines() if line and not line.startswith("#")] == []


def test_uncommented_as_it_is_it_loads_to_the_defaults() -> None:
    defaults = MonitoringSettings()
    Path(".env").write_text(VARIABLE.sub("", FILE.read_text()))
    assert MonitoringSettings() == defaults


@pytest.mark.parametrize("group", ["", "sqlite", "jsonl", "langsmith", "otlp", "retention"])
def test_every_setting_is_explained(group: str) -> None:
    fields = MonitoringSettings.model_fields
    of_group = nested_fields(fields[group]) if group else {n: f for n, f in fields.items() if not nested_fields(f)}
    explained = FILE.read_text().splitlines()
    assert [name for name, field in of_group.items() if f"# {field.description}" not in explained] == []


def test_a_value_that_somebody_uncomments_and_changes_is_read() -> None:
    Path(".env").write_text(FILE.read_text().replace("#LANGSMITH_PROJECT=default", "LANGSMITH_PROJECT=calls"))
    assert MonitoringSettings().langsmith.project == "calls"
