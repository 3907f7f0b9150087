"""A setting that cannot be used is named by where it was read."""

from pathlib import Path

import pytest

from reamon.errors import ConfigurationError
from reamon.settings import MonitoringSettings

BAD = "nowhere"


def message(**values: object) -> str:
    with pytest.raises(ConfigurationError) as error:
        MonitoringSettings(**values)
    return str(error.value)


def test_bad_values_from_outside_are_named_with_their_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_SAMPLE_RATE", "half")
    monkeypatch.setenv("REAMON_SQLITE__SYNCHRONOUS", "OFF")
    Path(".env").write_text("REAMON_BATCH_SIZE=none\n")
    told = message()
    assert "sample_rate = 'half' (from REAMON_SAMPLE_RATE): it has to be a number" in told
    assert "sqlite.synchronous = 'OFF' (from REAMON_SQLITE__SYNCHRONOUS)" in told
    assert "batch_size = 'none' (from REAMON_BATCH_SIZE in .env)" in told


@pytest.mark.parametrize("name", ["REAMON_LANGSMITH__ENDPOINT", "LANGSMITH_ENDPOINT", "LANGCHAIN_ENDPOINT"])
def test_of_several_variables_the_one_that_was_set_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, BAD)
    assert f"langsmith.endpoint = 'nowhere' (from {name}): it has to be an address" in message()
    monkeypatch.delenv(name)
    Path(".env").write_text(f"{name}={BAD}\n")
    assert f"langsmith.endpoint = 'nowhere' (from {name} in .env): it has to be an address" in message()


def test_blank_variables_are_not_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_LANGSMITH__ENDPOINT", " ")
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "")
    monkeypatch.setenv("LANGCHAIN_ENDPOINT", BAD)
    assert "(from LANGCHAIN_ENDPOINT)" in message()


def test_a_variable_of_json_is_to_blame_only_for_what_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_LANGSMITH", '{"batch_size": 0, "live": true}')
    monkeypatch.setenv("LANGSMITH_ENDPOINT", BAD)
    told = message()
    assert "langsmith.batch_size = 0 (from REAMON_LANGSMITH): it has to be a whole number more than 0" in told
    assert "langsmith.endpoint = 'nowhere' (from LANGSMITH_ENDPOINT)" in told


def test_of_a_group_that_is_partly_given_only_the_rest_is_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_SQLITE__SYNCHRONOUS", "OFF")
    told = message(sqlite={"busy_timeout": 0})
    assert "sqlite.busy_timeout = 0: it has to be a number more than 0" in told
    assert "sqlite.synchronous = 'OFF' (from REAMON_SQLITE__SYNCHRONOUS)" in told


def test_a_truth_value_that_may_be_unset_is_explained_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "perhaps")
    assert "langsmith.tracing = 'perhaps' (from LANGSMITH_TRACING): it has to be true or false" in message()


def test_what_is_no_json_is_named_without_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_SQLITE", "{secret")
    told = message()
    assert '"sqlite"' in told
    assert "not JSON: Expecting property name" in told
    assert "secret" not in told


def test_a_password_in_an_address_is_not_shown() -> None:
    assert "'http://(not shown)@db/reamon'" in message(sample_rate="http://me:secret@db/reamon")
