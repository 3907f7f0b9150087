"""Life signs: which processes, on whatever machine, are still there to finish what they began.

A process that has workflows running holds an advisory lock for as long as its connection lives, and writes down now and
then that it was seen. It is dead when both are gone: nobody holds the lock, and nothing was seen of it for a while. So
a connection that is lost costs nobody his life, nor does a process that is too busy to write. The clock is the
server's, which is the same for all; and after a start of the server, everybody has time to come back.
"""

import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

import psycopg

from reamon.store.postgres.locks import lock_number
from reamon.store.writer import INTERRUPTED_REASON

_OF_A_PROCESS: Final = "status = 'running' AND process_id = %s"


class LifeSigns:
    """The life signs in one store, as one process sees and leaves them.

    Args:
        connection: In autocommit mode, with the store's schema in its search path. The lock is held while it lives.
        schema: The schema's name.
        dead_after: For how long nothing may be seen of a process that lives.
    """

    def __init__(self, connection: psycopg.Connection[Any], schema: str, dead_after: timedelta) -> None:
        self._connection = connection
        self._schema = schema
        self._dead_after = dead_after
        self._holds_lock = False

    def show(self, process_id: str) -> None:
        """Say that this process lives. Of what was taken for interrupted meanwhile, it says that it goes on."""
        self._take_lock(process_id)
        known = self._connection.execute(
            "INSERT INTO processes AS p (process_id, host, started_at, last_seen) VALUES (%s, %s, now(), now())"
            " ON CONFLICT (process_id) DO UPDATE SET last_seen = excluded.last_seen RETURNING p.started_at < now()",
            (process_id, socket.gethostname()),
        ).fetchone()
        if known == (False,):
            self._connection.execute(
                "UPDATE workflow_traces SET status = 'running', status_reason = NULL"
                " WHERE process_id = %s AND status = 'interrupted' AND end_time IS NULL AND status_reason = %s",
                (process_id, INTERRUPTED_REASON),
            )

    def see(self, process_id: str) -> None:
        """Write down that this process, which has shown itself, was seen."""
        if not self._holds_lock:  # the server had not noticed yet that a connection before this one was gone
            self._take_lock(process_id)
        seen = self._connection.execute(
            "UPDATE processes SET last_seen = now() WHERE process_id = %s", (process_id,)
        ).rowcount
        if not seen:
            self.show(process_id)

    def withdraw(self, process_id: str) -> None:
        """This process has nothing running any more."""
        self._connection.execute("DELETE FROM processes WHERE process_id = %s", (process_id,))
        self._connection.execute("SELECT pg_advisory_unlock_all()")
        self._holds_lock = False

    def has_running(self, process_id: str) -> bool:
        """Whether workflows of this process are running, as far as the store knows."""
        found = self._connection.execute(f"SELECT 1 FROM workflow_traces WHERE {_OF_A_PROCESS} LIMIT 1", (process_id,))
        return found.fetchone() is not None

    def settle_the_dead(self, me: str) -> tuple[int, int]:
        """Mark as interrupted what processes had running that live no more.

        Args:
            me: This process, which lives.

        Returns:
            How many workflows that were, and of how many processes.
        """
        workflows = dead = 0
        for process_id in self._unseen(me):
            interrupted = self._settle(process_id)
            workflows += interrupted or 0
            dead += bool(interrupted)
        return workflows, dead

    def _unseen(self, me: str) -> Iterator[str]:
        """The processes of which nothing was seen for a while, dead or not."""
        found = self._connection.execute(
            "SELECT process_id FROM processes WHERE process_id <> %(me)s"
            " AND greatest(last_seen, pg_postmaster_start_time()) < now() - %(a_while)s"
            " UNION SELECT DISTINCT process_id FROM workflow_traces t WHERE status = 'running'"
            " AND process_id <> %(me)s AND NOT EXISTS (SELECT 1 FROM processes p WHERE p.process_id = t.process_id)",
            {"a_while": self._dead_after, "me": me},
        )
        return (process_id for (process_id,) in found.fetchall())

    def _settle(self, process_id: str) -> int | None:
        """Interrupt what it had running, in portions that are free; None if it lives.

        What somebody else is just writing is passed over, and settled the next time.
        """
        connection = self._connection
        with connection.transaction():
            free = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", (self._number(process_id),)).fetchone()
            if free != (True,):
                return None
            interrupted = connection.execute(
                "UPDATE workflow_traces SET status = 'interrupted', status_reason = %s WHERE (id, trace_id) IN"
                f" (SELECT id, trace_id FROM workflow_traces WHERE {_OF_A_PROCESS} FOR UPDATE SKIP LOCKED)",
                (INTERRUPTED_REASON, process_id),
            ).rowcount
            if not self.has_running(process_id):
                connection.execute(
                    "DELETE FROM processes WHERE process_id = %s AND last_seen < now() - %s",
                    (process_id, self._dead_after),
                )
        return interrupted

    def _take_lock(self, process_id: str) -> None:
        held = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (self._number(process_id),)).fetchone()
        self._holds_lock = held == (True,)

    def _number(self, process_id: str) -> int:
        return lock_number("life", self._schema, process_id)
