"""Settings: where they come from, who wins, and what is said of those that cannot be used."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import ConfigurationError
from reamon.settings import LangSmithSettings, MonitoringSettings, split_names


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


def test_a_blank_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("REAMON_PROJECT=file\nREAMON_EXPORTER_OPTIONS=\nREAMON_JSONL=\nREAMON_HOME\n")
    for name in ("REAMON_PROJECT", "REAMON_ENABLED", "REAMON_SQLITE__PATH"):
        monkeypatch.setenv(name, " ")
    assert MonitoringSettings() == MonitoringSettings(project="file")


def test_a_limit_that_can_be_absent_takes_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_ABANDON_AFTER", "none")
    monkeypatch.setenv("REAMON_JSONL__MAX_BYTES", "none")
    settings = MonitoringSettings()
    assert (settings.abandon_after, settings.jsonl.max_bytes) == (None, None)


def test_variables_of_others_in_the_file_are_not_taken_for_ours() -> None:
    Path(".env").write_text("PROJECT=stranger\nENABLED=perhaps\nLANGSMITH=x\nSQLITE__PATH=x\n")
    assert MonitoringSettings() == MonitoringSettings(_env_file=None)


def test_a_group_given_as_an_object_leaves_the_rest_to_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "lsv2_pt_test")
    settings = MonitoringSettings(langsmith=LangSmithSettings(batch_size=7))
    assert settings.langsmith.batch_size == 7
    assert settings.langsmith.api_key is not None
    assert MonitoringSettings(langsmith=settings.langsmith) == settings


def test_our_exporters_have_a_place_in_the_home() -> None:
    settings = MonitoringSettings(home="place")
    assert settings.options_of("sqlite")["path"] == Path("place/reamon.db")
    assert settings.options_of("jsonl")["path"] == Path("place/spans.jsonl")
    assert MonitoringSettings(jsonl={"path": "x"}).options_of("jsonl")["path"] == Path("x")
    assert settings.options_of("memory") == {}


def test_the_options_of_langsmith_are_all_of_its_settings_but_whether_it_is_used() -> None:
    options = MonitoringSettings(langsmith={"tracing": True, "batch_size": 7}).options_of("langsmith")
    assert options.keys() == LangSmithSettings.model_fields.keys() - {"tracing"}
    assert options["batch_size"] == 7


@pytest.mark.parametrize(
    ("own", "general", "used"),
    [(None, None, "default"), (None, "calls", "calls"), ("voice", "calls", "voice"), ("default", "calls", "default")],
)
def test_the_project_of_langsmith_is_its_own_else_the_general_one(
    monkeypatch: pytest.MonkeyPatch, own: str | None, general: str | None, used: str
) -> None:
    monkeypatch.setenv("LANGSMITH_PROJECT", own or "")
    assert MonitoringSettings(project=general).options_of("langsmith")["project"] == used


def test_langsmith_is_left_out_where_its_tracing_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_EXPORTERS", "sqlite,langsmith,jsonl")
    assert MonitoringSettings().exporters_in_use == ("sqlite", "langsmith", "jsonl")
    monkeypatch.setenv("LANGSMITH_TRACING", "false")
    settings = MonitoringSettings()
    assert settings.exporters_in_use == ("sqlite", "jsonl")
    assert list(settings.exporters_left_out) == ["langsmith"]
    assert "LANGSMITH_TRACING" in settings.exporters_left_out["langsmith"]


@pytest.mark.parametrize("tracing", ["true", "false"])
def test_tracing_adds_no_exporter_that_nobody_named(monkeypatch: pytest.MonkeyPatch, tracing: str) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", tracing)
    assert MonitoringSettings().exporters_in_use == ("sqlite",)


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
        ("durability", "forever", "'batch' or 'span'"),
        ("durability_timeout", 1e10, "a number more than 0 and at most 3600"),
        ("retry_base", 0, "a number more than 0"),
        ("retry_cap", float("inf"), "a number more than 0"),
        ("breaker_failures", 0, "a whole number more than 0"),
        ("breaker_rest", 11, "a number more than 0 and at most 10"),
        ("breaker_successes", 0, "a whole number more than 0"),
        ("claim_interval", 1e10, "a number more than 0 and at most 3600"),
        ("abandon_after", 0, "greater than 0"),
        ("shutdown_timeout", -1, "a number at least 0"),
        ("handle_sigterm", "x", "true or false"),
        ("sqlite", {"synchronous": "OFF"}, "'NORMAL' or 'FULL'"),
        ("sqlite", {"pth": "x"}, "there are only path, synchronous, busy_timeout"),
        ("jsonl", {"keep": 0}, "greater than 0"),
        ("langsmith", {"compression": "zip"}, "'auto' or 'none'"),
        ("langsmith", {"batch_size": 0}, "a whole number more than 0"),
        ("langsmith", {"read_timeout": 1e10}, "a number more than 0 and at most 3600"),
        ("langsmith", {"max_age": 0}, "a number more than 0"),
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


def test_a_file_that_is_no_text_is_named() -> None:
    Path(".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match=r"the file \.env cannot be read"):
        MonitoringSettings()


def test_an_unknown_setting_is_refused_with_the_one_that_may_be_meant() -> None:
    with pytest.raises(ConfigurationError, match="unknown setting 'exportres'; did you mean 'exporters'"):
        MonitoringSettings(exportres="x")
    with pytest.raises(ConfigurationError, match="unknown setting 'zzz'; the settings are: enabled, home"):
        MonitoringSettings(zzz="x")


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
