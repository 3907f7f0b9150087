"""Settings: where they come from, who wins, and what is said of those that cannot be used."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import ConfigurationError
from reamon.settings import MonitoringSettings, split_names, unknown_variables, variable_names


def test_with_nothing_said_there_are_defaults() -> None:
    settings = MonitoringSettings()
    assert settings.exporters == ("sqlite",)
    assert settings.home == Path(".reamon")
    assert settings.enabled


def test_arguments_win_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("REAMON_PROJECT=file\nREAMON_BATCH_SIZE=1\nREAMON_MAX_QUEUE=7\nOTHER=1\nREAMON_UNKNOWN=1\n")
    monkeypatch.setenv("REAMON_PROJECT", "environment")
    monkeypatch.setenv("REAMON_BATCH_SIZE", "2")
    settings = MonitoringSettings(project="argument")
    assert (settings.project, settings.batch_size, settings.max_queue) == ("argument", 2, 7)


def test_nested_settings_are_joined_by_two_underscores_and_mix_with_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_SQLITE__PATH", "/data/calls.db")
    monkeypatch.setenv("REAMON_SQLITE__SYNCHRONOUS", "FULL")
    monkeypatch.setenv("REAMON_EXPORTER_OPTIONS__CRM__URL", "https://crm.example")
    settings = MonitoringSettings(sqlite={"synchronous": "NORMAL"})
    assert (settings.sqlite.path, settings.sqlite.synchronous) == (Path("/data/calls.db"), "NORMAL")
    assert settings.options_of("crm") == {"url": "https://crm.example"}


@pytest.mark.parametrize(
    ("text", "names"),
    [("sqlite,jsonl", ("sqlite", "jsonl")), (" sqlite , jsonl,", ("sqlite", "jsonl")), ("none", ()), ("", ())],
)
def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, text: str, names: tuple[str, ...]) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", text)
    assert MonitoringSettings().exporters == MonitoringSettings(exporters=text).exporters == split_names(text) == names


def test_our_exporters_have_a_place_in_the_home() -> None:
    settings = MonitoringSettings(home="place")
    assert settings.options_of("sqlite")["path"] == Path("place/reamon.db")
    assert settings.options_of("jsonl")["path"] == Path("place/spans.jsonl")
    assert MonitoringSettings(jsonl={"path": "x"}).options_of("jsonl")["path"] == Path("x")
    assert settings.options_of("memory") == {}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("enabled", "perhaps", "true or false"),
        ("home", 3, "a path"),
        ("project", 3, "string"),
        ("exporters", 3, "names, separated by commas, each once"),
        ("exporters", "sqlite,sqlite", "names, separated by commas, each once"),
        ("collectors", 3, "names, separated by commas"),
        ("processors", 3, "names, separated by commas"),
        ("redact_keys", 3, "names, separated by commas"),
        ("sample_rate", 2, "a number at least 0 and at most 1"),
        ("sample_rate", float("nan"), "a number at least 0 and at most 1"),
        ("payload_limit", 1, "a whole number at least 256"),
        ("flush_interval", 0, "a number more than 0 and at most 60"),
        ("max_queue", 0, "a whole number more than 0"),
        ("max_lane_bytes", 1.5, "a whole number more than 0"),
        ("max_outbox_bytes", -1, "a whole number more than 0"),
        ("batch_size", "many", "a whole number more than 0"),
        ("retry_cap", float("inf"), "a number more than 0"),
        ("shutdown_timeout", -1, "a number at least 0"),
        ("handle_sigterm", "x", "true or false"),
        ("sqlite", {"synchronous": "OFF"}, "'NORMAL' or 'FULL'"),
        ("sqlite", {"pth": "x"}, "there are only path, synchronous, busy_timeout"),
        ("jsonl", {"keep": 0}, "greater than 0"),
        ("exporter_options", {"sqlite": {"path": "x"}}, "the options of 'sqlite' are the setting 'sqlite'"),
        ("exporter_options", {"crm": 3}, "dictionary"),
    ],
)
def test_a_bad_value_is_named_with_its_setting_and_what_is_allowed(name: str, value: Any, allowed: str) -> None:
    with pytest.raises(ConfigurationError) as error:
        MonitoringSettings(**{name: value})
    message = str(error.value)
    inner = next(iter(value.values())) if isinstance(value, dict) and name != "exporter_options" else value
    assert name in message
    assert allowed in message
    assert repr(inner) in message or name == "exporter_options"
    assert "REAMON_" not in message


def test_every_setting_has_a_value_that_it_refuses() -> None:
    for name in MonitoringSettings.model_fields:
        with pytest.raises(ConfigurationError, match=name):
            MonitoringSettings(**{name: object()})


def test_a_bad_value_from_outside_is_named_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_SAMPLE_RATE", "half")
    monkeypatch.setenv("REAMON_SQLITE__SYNCHRONOUS", "OFF")
    Path(".env").write_text("REAMON_BATCH_SIZE=none\n")
    with pytest.raises(ConfigurationError) as error:
        MonitoringSettings()
    message = str(error.value)
    assert "sample_rate = 'half' (from REAMON_SAMPLE_RATE): it has to be a number" in message
    assert "sqlite.synchronous = 'OFF' (from REAMON_SQLITE__SYNCHRONOUS)" in message
    assert "batch_size = 'none' (from REAMON_BATCH_SIZE in .env)" in message


def test_what_is_no_json_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_SQLITE", "{path")
    with pytest.raises(ConfigurationError, match=r"\"sqlite\".*'\{path' is not JSON"):
        MonitoringSettings()


def test_a_file_that_is_no_text_is_named() -> None:
    Path(".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"the file \.env cannot be read"):
        MonitoringSettings()


def test_an_unknown_setting_is_refused_with_the_one_that_may_be_meant() -> None:
    with pytest.raises(ConfigurationError, match="unknown setting 'exportres'; did you mean 'exporters'"):
        MonitoringSettings(exportres="x")
    with pytest.raises(ConfigurationError, match="unknown setting 'zzz'; the settings are: enabled, home"):
        MonitoringSettings(zzz="x")


def test_unknown_variables_are_told_with_the_one_that_may_be_meant() -> None:
    environment = {"REAMON_EXPORTRES": "x", "REAMON_HOME": "x", "REAMON_ZZZZZZ": "x", "HOME": "x"}
    assert unknown_variables(environment) == {"REAMON_EXPORTRES": "REAMON_EXPORTERS", "REAMON_ZZZZZZ": None}
    assert unknown_variables(dict.fromkeys(variable_names(), "x")) == {}


_names = st.lists(st.text("abcxyz_", min_size=1, max_size=6), unique=True, max_size=3).filter(lambda x: x != ["none"])
_settings = st.fixed_dictionaries(
    {},
    optional={
        "enabled": st.booleans(),
        "project": st.text("abc äß-", min_size=1).map(str.strip).filter(bool),
        "exporters": _names.map(tuple),
        "redact_keys": _names.map(tuple),
        "sample_rate": st.floats(0, 1),
        "flush_interval": st.floats(0.001, 60),
        "max_queue": st.integers(1, 10**9),
        "shutdown_timeout": st.floats(0, 1e6),
    },
)


@given(values=_settings)
def test_settings_survive_the_way_through_the_environment(values: dict[str, Any]) -> None:
    written = {
        f"REAMON_{name.upper()}": ",".join(value) if isinstance(value, tuple) else str(value)
        for name, value in values.items()
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, text in written.items():
            patch.setenv(name, text)
        read = MonitoringSettings()
    assert read == MonitoringSettings(**values)


@given(values=_settings)
def test_settings_survive_a_dump(values: dict[str, Any]) -> None:
    settings = MonitoringSettings(**values)
    assert MonitoringSettings(**settings.model_dump()) == settings
