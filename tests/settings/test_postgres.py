"""The settings of a store in PostgreSQL: where they are read, what is refused, and that no password is shown."""

import pytest

from reamon.errors import ConfigurationError
from reamon.settings import MonitoringSettings, PostgresSettings

URL = "postgresql://ada:secret@db/calls"


def test_they_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_POSTGRES__URL", URL)
    monkeypatch.setenv("REAMON_POSTGRES__MIGRATE", "false")
    for settings in (MonitoringSettings().postgres, PostgresSettings.from_environment()):
        assert settings.url is not None
        assert settings.url.get_secret_value() == URL
        assert settings.migrate is False


def test_they_are_the_options_of_the_exporter() -> None:
    options = MonitoringSettings(postgres={"url": URL, "schema": "voice"}).options_of("postgres")
    assert options.pop("url").get_secret_value() == URL
    assert options == {
        "schema": "voice",
        "migrate": True,
        "connect_timeout": 5.0,
        "statement_timeout": 30.0,
        "dead_after": 60.0,
    }


def test_no_password_is_shown() -> None:
    settings = MonitoringSettings(postgres={"url": URL})
    assert "secret" not in f"{settings} {settings!r} {settings.options_of('postgres')}"


@pytest.mark.parametrize("url", ["mysql://ada:secret@db/calls", "secret", "host=db password=secret"])
def test_an_address_of_something_else_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"postgres\.url = \(not shown\): it has to look like") as refusal:
        MonitoringSettings(postgres={"url": url})
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("schema", "url"),
    [
        (None, "postgresql://db/calls"),
        ("voice", "postgresql://db/calls?schema=voice"),
    ],
)
def test_the_store_is_named_by_one_url(schema: str | None, url: str) -> None:
    assert PostgresSettings(url="postgresql://db/calls", schema=schema).store_url == url
    assert PostgresSettings(schema=schema).store_url is None
