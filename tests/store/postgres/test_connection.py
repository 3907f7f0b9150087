"""Connections: what they set for themselves, whatever the database, the role and the URL say."""

from collections.abc import Iterator

import psycopg
import pytest

from support.postgres import connected, postgres_database


@pytest.fixture
def peculiar() -> Iterator[str]:
    """A database whose administrator has ideas of their own."""
    with postgres_database() as url:
        with psycopg.connect(url, autocommit=True) as owner:
            (name,) = owner.execute("SELECT current_database()").fetchall()[0]
            for setting in (
                "default_transaction_isolation = 'repeatable read'",
                "synchronous_commit = off",
                "statement_timeout = '1s'",
                "timezone = 'Asia/Tokyo'",
                "search_path = nowhere",
            ):
                owner.execute(f"ALTER DATABASE {name} SET {setting}")
        yield url


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("transaction_isolation", "read committed"),  # totals are added up from what others committed meanwhile
        ("synchronous_commit", "on"),
        ("statement_timeout", "30s"),
        ("timezone", "UTC"),
        ("search_path", "reamon"),
    ],
)
def test_a_session_is_as_we_need_it_whatever_the_database_says(peculiar: str, setting: str, value: str) -> None:
    with connected(peculiar) as connection:
        assert connection.execute(f"SHOW {setting}").fetchall() == [(value,)]


def test_text_is_text_whatever_encoding_the_applications_url_asks_for(peculiar: str) -> None:
    with connected(f"{peculiar}&client_encoding=latin1") as connection:
        assert connection.execute("SELECT %s", ("ů 😀",)).fetchall() == [("ů 😀",)]
