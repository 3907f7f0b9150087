"""What PostgreSQL's errors mean for a lane: to wait, to wait for somebody, or to try again."""

import re
from typing import Final

import psycopg

from reamon.errors import ExportError, Paused, RetryAfter
from reamon.guard import describe

_LOG_IN: Final = "set a user and a password that are valid (REAMON_POSTGRES__URL)"
_ACCESS: Final = "let this host and user in (pg_hba.conf), or set another address (REAMON_POSTGRES__URL)"
_DATABASE: Final = "create the database, or set the address of another one (REAMON_POSTGRES__URL)"
PERMISSION: Final = (
    "grant the user what it needs (see docs/postgresql.md), or run `reamon migrate` as a user that has it"
)
READ_ONLY: Final = "set the address of the primary server, or add target_session_attrs=read-write to it"
_TAKEN: Final = (
    "give the store a schema of its own (REAMON_POSTGRES__SCHEMA); or, behind PgBouncer, set pool_mode = session and a "
    "server_reset_query"
)

_FIXES: Final = {
    "28P01": _LOG_IN,
    "28000": _ACCESS,
    "3D000": _DATABASE,
    "42501": PERMISSION,
    "25006": READ_ONLY,
    "42P07": _TAKEN,
}
"""What somebody has to do, by the error's code."""

_BUSY: Final = {"53300": 2.0, "57P03": 1.0}
"""Seconds to leave the server alone: it has no connection left; it is starting."""

_SAID_INSTEAD: Final = {
    r"password authentication failed|no password supplied|authentication failed": "28P01",
    r"no pg_hba\.conf entry|role \".*\" does not exist|is not permitted to log in": "28000",
    r"database \".*\" does not exist": "3D000",
    r"permission denied for database": "42501",
    r"session is read-only|server is in hot standby mode": "25006",
    r"too many clients|remaining connection slots|too many connections": "53300",
    r"the database system is starting up|not yet accepting connections": "57P03",
}
"""What is said of a connection that was not made, where libpq gives no code."""


def explained(error: psycopg.Error) -> Exception:
    """What the lane is told: `Paused`, `RetryAfter`, or the error itself, after which it tries again."""
    code = _code_of(error)
    if code in _FIXES:
        return Paused(describe(error).strip(), _FIXES[code])
    if code in _BUSY:
        return RetryAfter(_BUSY[code], describe(error).strip())
    return error if str(error) else ExportError(describe(error))


def fix_of(error: psycopg.Error) -> str | None:
    """What somebody has to do about an error; None where waiting may help."""
    return _FIXES.get(_code_of(error) or "")


def _code_of(error: psycopg.Error) -> str | None:
    if error.sqlstate:
        return error.sqlstate
    message = str(error)
    return next((code for said, code in _SAID_INSTEAD.items() if re.search(said, message)), None)
