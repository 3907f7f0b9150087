"""Real faults: a locked file, a server that goes away or hangs, a fork, a kill."""

import multiprocessing
import os
import secrets
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from reamon.budgets import Budget, Budgets
from reamon.budgets.ledger import Account, Balance
from reamon.budgets.ledgers.redis import RedisLedger
from reamon.budgets.money import trillionths
from support import redis, scripts
from support.ledgers import POSTGRES_URL, ledger_at, ledger_of, place_of

LIMITS = [Budget("day", 50), Budget("call", "0.10", "call")]


def spend(budgets: Budgets, amount: str, call_id: str | None = None) -> None:
    budgets.spend(trillionths(amount), 0, call_id, None, time.time_ns())


def test_a_locked_file_stalls_nobody_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with Budgets(LIMITS, path, timeout=0.2) as budgets:
        spend(budgets, "10")
        assert budgets.flush()
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            spend(budgets, "31")
            began = time.monotonic()
            assert budgets.check().spent == 41  # to read, one waits for nobody
            assert budgets.reserve(1, call_id="call-1").decision.is_local
            budgets.spend(1, 0, None, None, time.time_ns())
            assert time.monotonic() - began < 2
            assert not budgets.flush(timeout=0.1)
            other.execute("ROLLBACK")
        assert budgets.flush(timeout=20)
    with Budgets(LIMITS, path) as again:
        assert again.check().spent == Decimal("41.000000000001")


def test_a_file_that_was_deleted_is_made_anew_for_all(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "store.db"
    with Budgets(LIMITS, path) as one, Budgets(LIMITS, path) as other:
        spend(one, "10")
        assert one.flush()
        assert other.check().spent == 10
        for file in tmp_path.iterdir():
            file.unlink()
        spend(one, "1")
        assert one.flush()
        assert (one.check().spent, other.check().spent) == (1, 1)
        assert "state_replaced" in caplog.text


def test_a_name_that_postgresql_cannot_keep_stops_nothing(tmp_path: Path) -> None:
    with place_of("postgres", tmp_path) as url, Budgets(LIMITS, url, timeout=20) as budgets:
        assert not budgets.check(call_id="call\0one", project="sal\0es").is_local
        spend(budgets, "0.09", "call\0one")
        assert budgets.flush()
        assert budgets.check(call_id="call\0one", estimate="0.02").action == "stop"


KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s"
ALIVE = "SELECT 1 FROM pg_stat_activity WHERE application_name = %s"


def test_a_server_that_hung_up_meanwhile_is_asked_anew(tmp_path: Path) -> None:
    psycopg = pytest.importorskip("psycopg")
    name = f"reamon-test-{secrets.token_hex(6)}"
    account = Account("day", "", 0)
    with place_of("postgres", tmp_path) as url, psycopg.connect(POSTGRES_URL, autocommit=True) as admin:
        ledger = ledger_at("postgres", f"{url}&application_name={name}")
        assert ledger.read([account], 0) == [Balance()]
        admin.execute(KILL, (name,))
        while admin.execute(ALIVE, (name,)).fetchall():
            pass
        assert ledger.read([account], 0) == [Balance()]
        ledger.close()


def test_a_backend_that_is_terminated_loses_nothing(tmp_path: Path) -> None:
    psycopg = pytest.importorskip("psycopg")
    name = f"reamon-test-{secrets.token_hex(6)}"
    with place_of("postgres", tmp_path) as url, psycopg.connect(POSTGRES_URL, autocommit=True) as admin:
        with Budgets(LIMITS, f"{url}&application_name={name}", timeout=5) as budgets:
            for _ in range(5):
                spend(budgets, "1", "call-1")
                assert budgets.flush(timeout=20)
                assert admin.execute(KILL, (name,)).fetchall()
                spend(budgets, "1", "call-1")
            assert budgets.flush(timeout=20)
            assert budgets.check().spent == 10
        schema = url.rpartition("schema=")[2]
        assert admin.execute(f"SELECT max(spent) FROM {schema}.budget_periods").fetchone() == (Decimal(10),)


@contextmanager
def hung_server() -> Iterator[str]:
    """A server that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}/0"


def test_a_server_that_hangs_costs_a_call_its_timeout_once() -> None:
    with hung_server() as url:
        budgets = Budgets(LIMITS, url, timeout=0.3)
        spend(budgets, "48")
        began = time.monotonic()
        assert budgets.check().is_local
        first = time.monotonic() - began
        began = time.monotonic()
        assert [budgets.check(call_id="call-1").spent for _ in range(50)] == [48] * 50
        assert first < 2
        assert time.monotonic() - began < first + 1
        began = time.monotonic()
        assert not budgets.close(timeout=1)
        assert time.monotonic() - began < 3


def test_whoever_waits_for_a_server_that_hangs_waits_no_longer_than_he_said() -> None:
    with hung_server() as url:
        budgets = Budgets(LIMITS, url, timeout=3)
        spend(budgets, "1")
        began = time.monotonic()
        assert not budgets.flush(timeout=0.2)
        assert time.monotonic() - began < 2
        budgets.close(timeout=0)


def test_a_server_that_has_forgotten_all_is_told_what_is_known() -> None:
    with redis.keys_of_our_own() as prefix:
        ledgers = [RedisLedger(redis.URL, prefix=prefix, timeout=30) for _ in range(2)]
        with Budgets(LIMITS, ledgers[0]) as one, Budgets(LIMITS, ledgers[1]) as other:
            spend(one, "20")
            one.flush()
            spend(other, "10")
            other.flush()
            one.flush()
            redis.forget(prefix)
            spend(other, "1")
            spend(one, "2")
            for budgets in (other, one, other):
                budgets.flush()
            assert (one.check().spent, other.check().spent) == (33, 33)


@pytest.mark.parametrize("kind", ["sqlite", "redis", "postgres"])
def test_a_forked_child_has_connections_and_charges_of_its_own(kind: str, tmp_path: Path) -> None:
    with place_of(kind, tmp_path) as place:
        budgets = Budgets(LIMITS, ledger_at(kind, place), interval=0.05)
        spend(budgets, "1")
        assert budgets.flush()
        spend(budgets, "2")  # the parent's to write
        child = os.fork()
        if child == 0:
            try:
                spend(budgets, "4")
                os._exit(0 if budgets.flush() and budgets.close() else 1)
            finally:
                os._exit(2)
        assert os.waitpid(child, 0)[1] == 0
        assert budgets.flush()
        assert budgets.check().spent == 7
        budgets.close()


def test_forks_while_threads_ask_never_hang(tmp_path: Path) -> None:
    with ledger_of("sqlite", tmp_path) as ledger:
        budgets = Budgets(LIMITS, ledger)
        is_over = threading.Event()

        def ask() -> None:
            while not is_over.is_set():
                budgets.check(call_id="call-1", estimate="0.01")

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(10):
                child = os.fork()
                if child == 0:
                    os._exit(0 if budgets.check().action == "ok" else 1)
                assert waited(child) == 0
        finally:
            is_over.set()
            for thread in threads:
                thread.join()
            budgets.close()


def waited(child: int, seconds: float = 20) -> int:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    raise AssertionError("the child hangs")


KILLED = """
    import os, signal
    from decimal import Decimal
    import reamon
    from reamon import budgets
    reamon.configure(budgets={"day": 50}, durability="span")
    for number in range(20):
        with reamon.trace_workflow("turn", call_id=f"call-{number}"), reamon.trace_llm("chat") as span:
            span.record_cost(Decimal("0.01"), cost_type="llm")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_process_had_not_written_is_in_the_store(tmp_path: Path) -> None:
    scripts.run(tmp_path, KILLED, returncode=-signal.SIGKILL)
    store = tmp_path / ".reamon" / "reamon.db"
    with Budgets(LIMITS, store) as budgets:
        assert budgets.check().spent < Decimal("0.21")
        assert budgets.rebuild(store) == {"day": Decimal("0.20"), "call": Decimal("0.20")}
        assert budgets.check().spent == Decimal("0.20")


# -- sixteen processes ------------------------------------------------------------------------------------------------

RESERVED = Decimal("0.07")
LIMIT = Decimal(5)


def work(kind: str, place: str, worker: int, spent: "multiprocessing.Queue[tuple[str, int, int]]") -> None:
    """Dial until there is no money left: reserve, spend all of it but for a bit, end the call."""
    limits = [Budget("day", LIMIT), Budget("call", "0.10", "call")]
    with Budgets(limits, ledger_at(kind, place, timeout=60), on_unreachable="closed", settle_grace=0.2) as budgets:
        count = refused = 0
        while refused < 3:
            call_id = f"{worker}-{count}-{refused}"
            with budgets.reserve(RESERVED, call_id=call_id) as call:
                if not call.allowed:
                    refused += 1
                    time.sleep(0.1)
                    continue
                for _ in range(3):
                    spend(budgets, "0.02", call_id)
                count += 1
                budgets.flush()
        spent.put(("spent", count, worker))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_sixteen_processes_never_spend_more_than_there_is(kind: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with place_of(kind, tmp_path) as place:
        ledger_at(kind, place).close()
        counts = spawn.Queue()
        processes = [spawn.Process(target=work, args=(kind, place, number, counts)) for number in range(16)]
        for process in processes:
            process.start()
        calls = sum(counts.get(timeout=240)[1] for _ in processes)
        for process in processes:
            process.join(60)
        with Budgets([Budget("day", LIMIT)], ledger_at(kind, place)) as budgets:
            spent = budgets.check().spent
        assert spent == calls * Decimal("0.06")
        assert spent <= LIMIT
        assert spent > LIMIT - RESERVED * 17  # and it is not wasted either


def hold_and_die(kind: str, place: str) -> None:
    """Reserve and spend, then die in the middle of the call."""
    budgets = Budgets([Budget("total", LIMIT, "total")], ledger_at(kind, place))
    budgets.reserve(3, call_id="dead", expires_in=3600)
    spend(budgets, "1", "dead")
    budgets.flush()
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres", "redis"])
def test_what_a_killed_process_has_reserved_counts_until_it_expires(kind: str, tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    with place_of(kind, tmp_path) as place:
        dead = spawn.Process(target=hold_and_die, args=(kind, place))
        dead.start()
        dead.join(60)
        for hours, reserved in ((0, 2), (2, 0)):
            ledger = ledger_at(kind, place)
            with Budgets([Budget("total", LIMIT, "total")], ledger, wall_ns=ahead(hours)) as budgets:
                found = budgets.check()
                assert (found.spent, found.reserved) == (1, reserved)


def ahead(hours: int) -> Callable[[], int]:
    return lambda: time.time_ns() + hours * 3_600_000_000_000
