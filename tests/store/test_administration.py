"""The store as those open it who keep it in order: what they are told where there is none, or none of this version."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reamon.errors import StoreError
from reamon.store.administration import opened
from reamon.store.versions import VERSION_TABLE
from support.stores import stored, turn


@pytest.mark.parametrize("is_written", [True, False])
def test_without_a_store_it_says_how_to_get_one(tmp_path: Path, is_written: bool) -> None:
    with pytest.raises(StoreError, match="run your application"), opened(tmp_path / "calls.db", writable=is_written):
        pytest.fail("there is no store")


@pytest.mark.parametrize(("version", "remedy"), [("9999", "upgrade reamon"), ("0001", "run `reamon migrate`")])
def test_a_reader_of_another_version_is_told_what_to_do(tmp_path: Path, version: str, remedy: str) -> None:
    path = stored(tmp_path / "calls.db", turn("call-1", 0))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (version,))
    with pytest.raises(StoreError, match=f"schema {version} .*: {remedy}"), opened(path, writable=False):
        pytest.fail("that is another version")
