"""OTLP's settings: whose variable wins, when the SDK's are looked at, and headers that never show."""

import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr

from reamon.errors import ConfigurationError
from reamon.settings import MonitoringSettings, OTLPSettings

KEY = "secret-0123456789"


def test_with_nothing_said_it_is_a_collector_on_this_machine() -> None:
    settings = OTLPSettings.from_environment()
    assert settings == OTLPSettings()
    assert settings.endpoint == "http://localhost:4318/v1/traces"
    assert (settings.header_pairs, settings.resource_pairs) == ({}, {})


@pytest.mark.parametrize(
    ("name", "value", "endpoint"),
    [
        ("REAMON_OTLP__ENDPOINT", "http://collector:4318", "http://collector:4318/v1/traces"),
        ("REAMON_OTLP__ENDPOINT", "http://collector/", "http://collector/"),
        ("REAMON_OTLP__ENDPOINT", "http://collector/otlp/v1/traces", "http://collector/otlp/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318", "http://collector:4318/v1/traces"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://gateway/otlp/", "https://gateway/otlp/v1/traces"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://collector/spans", "http://collector/spans"),
    ],
)
def test_an_address_with_and_without_its_path(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, endpoint: str
) -> None:
    monkeypatch.setenv(name, value)
    assert OTLPSettings.from_environment().endpoint == endpoint


def test_ours_wins_over_that_for_traces_and_that_over_the_general_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x=general")
    assert OTLPSettings.from_environment().header_pairs == {"x": "general"}
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x=traces")
    assert OTLPSettings.from_environment().header_pairs == {"x": "traces"}
    monkeypatch.setenv("REAMON_OTLP__HEADERS", "x=ours")
    assert OTLPSettings.from_environment().header_pairs == {"x": "ours"}
    assert OTLPSettings.from_environment(headers="x=argument").header_pairs == {"x": "argument"}


def test_the_file_is_read_too() -> None:
    Path(".env").write_text("OTEL_SERVICE_NAME=voice\nREAMON_OTLP__BATCH_SIZE=7\n")
    settings = OTLPSettings.from_environment()
    assert (settings.service_name, settings.batch_size) == ("voice", 7)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "nonsense"),
        ("OTEL_RESOURCE_ATTRIBUTES", "nonsense"),
    ],
)
def test_what_is_meant_for_other_exporters_matters_only_where_there_is_one_of_ours(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    assert MonitoringSettings().otlp == OTLPSettings()
    with pytest.raises(ConfigurationError, match=name):
        OTLPSettings.from_environment()


def test_the_exporter_is_given_what_is_set_and_reads_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_OTLP__ENDPOINT", "http://collector:4318")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "voice")
    assert MonitoringSettings().options_of("otlp") == {"endpoint": "http://collector:4318/v1/traces"}


def test_headers_are_percent_encoded_and_names_in_any_case() -> None:
    settings = OTLPSettings(headers=SecretStr("Authorization=Basic%20a%3Db, x-team = voice ,,"))
    assert settings.header_pairs == {"authorization": "Basic a=b", "x-team": "voice"}


def test_the_name_of_the_service_stands_against_that_among_the_attributes() -> None:
    settings = OTLPSettings(service_name="voice", resource_attributes="service.name=x,team=calls%2C%20eu")
    assert settings.resource_pairs == {"service.name": "voice", "team": "calls, eu"}


@pytest.mark.parametrize("headers", [KEY, f"={KEY}", f"na me={KEY}", f"x={KEY}%0Aevil: 1", f"x={KEY}%C3%A9"])
def test_headers_that_cannot_be_sent_are_refused_and_not_shown(headers: str) -> None:
    with pytest.raises(ConfigurationError, match=r"otlp\.headers = \(not shown\)") as error:
        OTLPSettings.from_environment(headers=headers)
    assert KEY not in str(error.value)


@pytest.mark.parametrize(
    "endpoint", ["localhost:4318", "grpc://host", "http://", "http://h ost", "http://u:secret@host", "http://host/?a=b"]
)
def test_what_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="an address such as") as error:
        OTLPSettings.from_environment(endpoint=endpoint)
    assert "secret" not in str(error.value)


def test_headers_are_a_secret_wherever_settings_are_shown() -> None:
    settings = MonitoringSettings(otlp={"headers": f"api-key={KEY}"})
    shown = [repr(settings), str(settings), settings.model_dump_json(), str(settings.options_of("otlp"))]
    assert KEY not in " ".join(shown)
    assert pickle.loads(pickle.dumps(settings)) == settings
    with pytest.raises(ConfigurationError) as error:
        MonitoringSettings(otlp={"key": KEY})
    assert KEY not in str(error.value)


def test_blanks_and_quotes_are_taken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_OTLP__HEADERS", f"'api-key={KEY}' ")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "GZIP")
    settings = OTLPSettings.from_environment()
    assert (settings.header_pairs, settings.compression) == ({"api-key": KEY}, "gzip")
