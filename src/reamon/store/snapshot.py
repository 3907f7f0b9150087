"""The snapshot `schema.sql`: what the migrations make, as plain SQLite statements.

After a new migration, make it anew: `python -m reamon.store.snapshot > src/reamon/store/schema.sql`.
"""

import sqlite3
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from reamon.store.migrate import upgrade
from reamon.store.sqlite import schema_version
from reamon.store.versions import VERSION_TABLE

_HEADER = "-- Made by `python -m reamon.store.snapshot` from the migrations; a test keeps it so.\n"


def render() -> str:
    """The statements that make a new file: tables, indexes, and the version's stamp."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "snapshot.db"
        upgrade(path)
        with closing(sqlite3.connect(path)) as connection:
            version = schema_version(connection)
            made = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY tbl_name, rowid")
            statements = [_tidy(sql) for (sql,) in made]
    stamp = f"INSERT INTO {VERSION_TABLE} (version_num) VALUES ('{version}')"
    return _HEADER + ";\n".join([*statements, stamp]) + ";\n"


def _tidy(sql: str) -> str:
    plain = sql.replace("DEFAULT (0)", "DEFAULT 0")  # as older versions of SQLAlchemy write what they copy
    lines = (line.strip() for line in plain.splitlines())
    kept = [line for line in lines if line]
    return "\n".join(
        line if position == 0 or line.startswith(")") else f"  {line}" for position, line in enumerate(kept)
    )


if __name__ == "__main__":
    sys.stdout.write(render())
