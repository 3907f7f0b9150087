"""LangSmith's settings: whose variable wins, and a key that never shows."""

import pickle
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from reamon.errors import ConfigurationError
from reamon.settings import LangSmithSettings, MonitoringSettings

KEY = "lsv2_pt_0123456789"
NAMES = ("REAMON_LANGSMITH__PROJECT", "LANGSMITH_PROJECT", "LANGCHAIN_PROJECT")


def key_of(settings: LangSmithSettings) -> str | None:
    return None if settings.api_key is None else settings.api_key.get_secret_value()


def test_with_nothing_said_it_is_the_hosted_service_without_a_key() -> None:
    settings = LangSmithSettings.from_environment()
    assert settings == LangSmithSettings()
    assert (settings.api_key, settings.endpoint) == (None, "https://api.smith.langchain.com")
    assert (settings.project, settings.tracing) == ("default", None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("read", [LangSmithSettings.from_environment, lambda: MonitoringSettings().langsmith])
def test_each_name_is_read_from_the_environment_and_from_the_file(
    monkeypatch: pytest.MonkeyPatch, name: str, read: Callable[[], LangSmithSettings]
) -> None:
    Path(".env").write_text(f"{name}=file\n")
    assert read().project == "file"
    monkeypatch.setenv(name, "environment")
    assert read().project == "environment"


@given(said=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["x", "y", "", "  "])), file=st.booleans())
def test_the_first_name_that_is_not_blank_wins(said: dict[str, str], file: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Path(".env").write_text("".join(f"{name}={text}\n" for name, text in said.items()) if file else "")
        for name, text in {} if file else said.items():
            patch.setenv(name, text)
        texts = [said[name] for name in NAMES if said.get(name, "").strip()]
        assert LangSmithSettings.from_environment().project == next(iter(texts), "default")


def test_our_name_in_the_file_wins_over_the_name_of_the_sdk_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("REAMON_LANGSMITH__PROJECT=ours\n")
    monkeypatch.setenv("LANGSMITH_PROJECT", "theirs")
    assert MonitoringSettings().langsmith.project == "ours"


def test_our_settings_as_json_win_over_the_names_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_LANGSMITH", '{"project": "ours"}')
    monkeypatch.setenv("LANGSMITH_PROJECT", "theirs")
    monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
    settings = MonitoringSettings().langsmith
    assert (settings.project, key_of(settings)) == ("ours", KEY)


def test_arguments_win_and_what_is_none_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_LANGSMITH__PROJECT", "environment")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://localhost:1984")
    settings = LangSmithSettings.from_environment(project="argument", endpoint=None)
    assert (settings.project, settings.endpoint) == ("argument", "http://localhost:1984")


def test_a_blank_variable_leaves_the_word_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(f"LANGSMITH_API_KEY={KEY}\n")
    monkeypatch.setenv("REAMON_LANGSMITH__API_KEY", "")
    monkeypatch.setenv("LANGSMITH_API_KEY", " ")
    assert key_of(LangSmithSettings.from_environment()) == KEY
    assert key_of(LangSmithSettings.from_environment(api_key="")) is None


@pytest.mark.parametrize("copied", [f"{KEY}\n", f" {KEY} ", f'"{KEY}"', f"'{KEY}'"])
def test_blanks_and_quotes_around_a_key_are_taken_off(monkeypatch: pytest.MonkeyPatch, copied: str) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", copied)
    assert key_of(MonitoringSettings().langsmith) == KEY
    assert key_of(LangSmithSettings(api_key=SecretStr(copied))) == KEY


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://eu.api.smith.langchain.com/", "https://eu.api.smith.langchain.com"),
        ("https://langsmith.example/api/v1/", "https://langsmith.example/api/v1"),
        ("http://127.0.0.1:1984", "http://127.0.0.1:1984"),
        ("http://[::1]:1984", "http://[::1]:1984"),
    ],
)
def test_an_endpoint_loses_its_last_slash_and_nothing_else(given: str, kept: str) -> None:
    assert LangSmithSettings(endpoint=given).endpoint == kept


@pytest.mark.parametrize(
    "endpoint",
    [
        "localhost:1984",
        "ftp://example",
        "https://",
        "http://host:port",
        "http://host:99999",
        "http://ho st",
        "http://[::1",
        "https://host/?a=b",
        "https://host/#a",
        "https://user:secret@host",
    ],
)
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="an address such as") as error:
        LangSmithSettings.from_environment(endpoint=endpoint)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("LANGSMITH_TRACING", "true", True),
        ("LANGSMITH_TRACING", "false", False),
        ("LANGCHAIN_TRACING_V2", "True", True),
        ("LANGSMITH_TRACING_V2", "0", False),
        ("REAMON_LANGSMITH__TRACING", "no", False),
        ("LANGSMITH_TRACING", "", None),
    ],
)
def test_tracing_is_read_by_each_of_its_names(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: bool | None
) -> None:
    monkeypatch.setenv(name, text)
    assert LangSmithSettings.from_environment().tracing is expected


def test_of_two_names_for_tracing_the_one_that_the_sdk_prefers_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    monkeypatch.setenv("LANGCHAIN_TRACING_V2", "false")
    assert LangSmithSettings.from_environment().tracing is False


@pytest.mark.parametrize("part", ["inputs", "outputs", "metadata"])
def test_what_the_sdk_hides_is_hidden_here_too(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setenv(f"LANGSMITH_HIDE_{part.upper()}", "true")
    settings = LangSmithSettings.from_environment()
    assert [name for name, value in settings if name.startswith("hide_") and value] == [f"hide_{part}"]


def test_a_mistake_elsewhere_does_not_matter_to_a_part_made_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_SAMPLE_RATE", "half")
    monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
    assert key_of(LangSmithSettings.from_environment()) == KEY


def test_any_age_can_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_LANGSMITH__MAX_AGE", "inf")
    assert LangSmithSettings.from_environment().max_age == float("inf")


def test_the_key_shows_nowhere_but_where_it_is_asked_for() -> None:
    settings = MonitoringSettings(langsmith={"api_key": KEY})
    shown = [repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())]
    shown += [repr(settings.langsmith), str(settings.options_of("langsmith"))]
    assert [text for text in shown if KEY in text] == []
    assert settings.options_of("langsmith")["api_key"].get_secret_value() == KEY
    assert pickle.loads(pickle.dumps(settings)) == settings


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LANGSMITH_API_KEY", f"{KEY} {KEY}"),
        ("LANGCHAIN_API_KEY", f"{KEY}é"),
        ("REAMON_LANGSMITH__API_KEY", f"{KEY}\n{KEY}"),
        ("REAMON_LANGSMITH__APIKEY", KEY),
        ("REAMON_LANGSMITH", f'{{"api_key": "{KEY}"'),
        ("REAMON_LANGSMITH", f'"{KEY}"'),
        ("REAMON_LANGSMITH", f'["{KEY}"]'),
        ("REAMON_LANGSMITH", f'{{"key": "{KEY}"}}'),
        ("REAMON_EXPORTER_OPTIONS", f'["{KEY}"]'),
        ("REAMON_EXPORTER_OPTIONS", f'{{"langsmith": {{"api_key": "{KEY}"}}}}'),
        ("REAMON_EXPORTER_OPTIONS", f'{{"crm": "{KEY}"}}'),
    ],
)
def test_no_error_shows_a_key(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as error:
        MonitoringSettings()
    assert KEY not in "".join(traceback.format_exception(error.value))
    assert KEY not in str(error.value.__context__)
    assert name in str(error.value) or "is not JSON" in str(error.value)


def test_a_workspace_that_fits_in_no_header_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"langsmith\.workspace_id = 'a b': it has no blanks"):
        LangSmithSettings.from_environment(workspace_id="a b")


def test_no_error_of_the_class_itself_shows_a_key() -> None:
    with pytest.raises(ValidationError) as error:
        LangSmithSettings.model_validate({"api_key": f"{KEY} {KEY}", "key": KEY})
    assert KEY not in str(error.value)
