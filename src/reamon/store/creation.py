"""Creation: spans put into a store by hand, by the same writers that the exporters use."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from reamon.errors import Rejected, StoreError
from reamon.guard import describe
from reamon.model import Span, SpanStatus
from reamon.store.postgres.urls import PostgresAddress
from reamon.store.sqlite import connect
from reamon.store.writer import SpanWriter

PATIENCE: Final = 10.0
"""Seconds that a change waits for another process to finish with a SQLite file."""


def write_to_file(path: Path, spans: Sequence[Span]) -> None:
    """Put spans into a SQLite file; those that still run as such.

    Raises:
        StoreError: Some cannot be stored, or the file cannot be written.
    """
    running, finished = _sorted(spans)
    try:
        with closing(connect(path, busy_timeout=PATIENCE)) as connection:
            writer = SpanWriter(connection)
            writer.write_started(running)
            writer.write(finished)
    except Rejected as error:
        raise StoreError(f"not all spans could be stored: {error.reason}") from error
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path} could not be changed: {describe(error)}") from error


def write_to_server(address: PostgresAddress, spans: Sequence[Span]) -> None:
    """Put spans into a PostgreSQL database; those that still run as such.

    Raises:
        StoreError: Some cannot be stored, or the database cannot be changed.
    """
    import psycopg  # noqa: PLC0415 - an optional package

    from reamon.store.postgres.connection import Timeouts  # noqa: PLC0415 - brings psycopg
    from reamon.store.postgres.connection import connect as connect_to_server  # noqa: PLC0415
    from reamon.store.postgres.writer import PostgresWriter  # noqa: PLC0415

    running, finished = _sorted(spans)
    try:
        with closing(connect_to_server(address, Timeouts())) as connection:
            writer = PostgresWriter(connection, address.schema)
            writer.write_started(running)
            writer.write(finished)
    except Rejected as error:
        raise StoreError(f"not all spans could be stored: {error.reason}") from error
    except psycopg.Error as error:
        raise StoreError(f"{address.place} could not be changed: {describe(error)}") from error


def _sorted(spans: Sequence[Span]) -> tuple[list[Span], list[Span]]:
    """Those that run, and those that are finished."""
    running = [span for span in spans if span.status is SpanStatus.RUNNING]
    return running, [span for span in spans if span.status is not SpanStatus.RUNNING]
