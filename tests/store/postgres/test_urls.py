"""Addresses of PostgreSQL databases."""

import pytest

from reamon.errors import ConfigurationError
from reamon.store.postgres.urls import checked_schema, parse_url


@pytest.mark.parametrize(
    "scheme", ["postgresql", "postgres", "postgresql+asyncpg", "postgresql+psycopg2", "postgresql+psycopg"]
)
def test_every_spelling_of_the_scheme_means_the_same(scheme: str) -> None:
    address = parse_url(f"{scheme}://ada:secret@db.example:6432/calls")
    assert address.parameters == {
        "user": "ada",
        "password": "secret",
        "host": "db.example",
        "port": "6432",
        "dbname": "calls",
    }
    assert address.place == "db.example:6432/calls/reamon"


def test_what_only_asyncpg_and_sqlalchemy_know_is_translated_or_left_out() -> None:
    address = parse_url("postgresql+asyncpg://db/calls?ssl=require&prepared_statement_cache_size=0&connect_timeout=3")
    assert address.parameters == {"host": "db", "dbname": "calls", "sslmode": "require", "connect_timeout": "3"}


def test_an_argument_names_the_schema_before_the_url_does() -> None:
    assert parse_url("postgresql://db/calls?schema=voice").schema == "voice"
    assert parse_url("postgresql://db/calls?schema=voice", "other").schema == "other"
    assert parse_url("postgresql://db/calls").schema == "reamon"


def test_what_the_url_leaves_open_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "primary.example")
    monkeypatch.setenv("PGPORT", "6000")
    monkeypatch.setenv("PGDATABASE", "calls")
    assert parse_url("postgresql://").place == "primary.example:6000/calls/reamon"


def test_several_hosts_and_sockets_are_understood() -> None:
    assert parse_url("postgresql://a:1,b:2/calls").parameters["host"] == "a,b"
    assert parse_url("postgresql:///calls?host=/run/postgresql").place == "/run/postgresql:5432/calls/reamon"


def test_no_password_is_shown_anywhere() -> None:
    address = parse_url("postgresql://ada:s%40cret@db.example/calls")
    assert address.parameters["password"] == "s@cret"
    for shown in (
        repr(address),
        str(address),
        address.place,
        str(address.sqlalchemy_url),
        repr(address.sqlalchemy_url),
    ):
        assert "cret" not in shown
        assert "ada" not in shown
    assert parse_url(address.url).parameters == address.parameters


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ada:secret@db/calls",
        "secret",
        "host=db password=secret",
        "postgresql://ada:secret@db/calls?nope=1",
        "postgresql://db:port/calls",
        "postgresql://ada:more@secret@db/calls",
        "postgresql://ada:12/secret@db/calls",
        "postgresql://ada:sec%ret@db/calls",
        "",
    ],
)
def test_what_cannot_be_read_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="has to look like") as refusal:
        parse_url(url)
    assert "secret" not in str(refusal.value)
    assert refusal.value.__cause__ is None


@pytest.mark.parametrize(
    ("written", "password"),
    [
        ("what?&schema=mine", "what?&schema=mine"),
        ("p%40%2F%3F%23%25%3A", "p@/?#%:"),
        ("a+b%20c", "a+b c"),
        ("#!$", "#!$"),
    ],
)
def test_a_password_is_read_as_libpq_reads_it(written: str, password: str) -> None:
    address = parse_url(f"postgresql+asyncpg://ada:{written}@db/calls?schema=voice&user=a@b")
    assert address.parameters == {"user": "a@b", "password": password, "host": "db", "dbname": "calls"}
    assert address.schema == "voice"
    assert parse_url(address.url).parameters == address.parameters


def test_a_place_that_only_a_service_knows_is_called_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse_url("postgresql:///?service=calls").place == "service=calls:5432//reamon"
    monkeypatch.setenv("PGSERVICE", "other")
    assert parse_url("postgresql:///calls").place == "service=other:5432/calls/reamon"
    assert parse_url("postgresql://db/calls").place == "db:5432/calls/reamon"


@pytest.mark.parametrize("name", ["", "Reamon", "1st", "pg_mine", "a-b", 'a"b', "x" * 64, "information_schema"])
def test_a_schema_whose_name_would_have_to_be_quoted_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be used"):
        checked_schema(name)
