"""A LangSmith that fails in every way it can: every run is stored exactly once, and the application notices nothing."""

import time
from pathlib import Path

import pytest

import reamon
from reamon.exporters import LangSmithExporter
from support.exporters import wait_until
from support.langsmith_server import Fault, LangSmithServer

KEY = "lsv2_pt_0123456789abcdef"
SPANS_A_TURN = 5
TURNS = 400


@reamon.trace_tool
def look_up(number: int) -> dict[str, int]:
    return {"listing": number}


@reamon.trace_llm
def ask(prompt: str) -> str:
    reamon.current_span().record_usage(provider="openai", model="gpt-4o", input_tokens=20, output_tokens=5)
    return prompt.upper()


@reamon.trace_agent
def qualification(number: int) -> str:
    look_up(number)
    return ask(f"lead {number}")


@reamon.trace_workflow(call_id="call_id")
def turn(call_id: str, number: int) -> str:
    with reamon.trace_step("think"):
        pass
    return qualification(number)


def configure(server: LangSmithServer, **settings: object) -> LangSmithExporter:
    """Deliver to the server, with pauses that fit a test."""
    exporter = LangSmithExporter(KEY, server.url, "calls", flush_interval=0.02, connect_timeout=1.0, read_timeout=0.5)
    reamon.configure(exporters=[exporter], handle_sigterm=False, **{"retry_cap": 0.2, "breaker_rest": 0.2, **settings})
    return exporter


def run_turns(count: int) -> None:
    for number in range(count):
        assert turn(f"call {number % 7}", number) == f"LEAD {number}"


def check_story(server: LangSmithServer, turns: int) -> None:
    """Every run is there once, below its parent, in the project and the thread where it belongs."""
    runs = server.runs
    assert len(runs) == turns * SPANS_A_TURN
    assert set(server.writes.values()) == {1}
    assert {run["session_name"] for run in runs.values()} == {"calls"}
    names = {run_id: run["name"] for run_id, run in runs.items()}
    parents = {
        "turn": None,
        "think": "turn",
        "qualification": "turn",
        "look_up": "qualification",
        "ask": "qualification",
    }
    for run_id, run in runs.items():
        parent = run.get("parent_run_id")
        assert (names[parent] if parent else None) == parents[names[run_id]]
        assert run["extra"]["metadata"]["thread_id"].startswith("call ")
        if parent:
            assert runs[parent]["trace_id"] == run["trace_id"]
            assert run["dotted_order"].startswith(runs[parent]["dotted_order"] + ".")


ANSWERS = [fault for fault in Fault if fault not in (Fault.NONE, Fault.PARTIAL_CONFLICT)]


@pytest.mark.slow
@pytest.mark.parametrize("fault", ANSWERS, ids=lambda fault: fault.name.lower())
def test_what_ends_while_the_service_fails_arrives_when_it_is_well_again(fault: Fault) -> None:
    with LangSmithServer(api_key=KEY) as server:
        configure(server)
        server.fault = fault
        run_turns(TURNS)
        assert reamon.flush(5.0, until="durable")
        if fault is not Fault.SLOW:  # which is an answer in the end
            wait_until(lambda: reamon.stats().lanes["langsmith"].failures >= 2)
        assert len(server.runs) < TURNS * SPANS_A_TURN
        server.fault = Fault.NONE
        assert reamon.flush(60.0)
        check_story(server, TURNS)
        stats = reamon.stats()
        assert stats.exported == {"langsmith": TURNS * SPANS_A_TURN}
        assert (stats.dropped, stats.internal_errors) == ({}, 0)


@pytest.mark.slow
@pytest.mark.parametrize("mixed_conflict", ["reject_all", "ignore_old"])
def test_answers_that_get_lost_and_conflicts_double_and_lose_nothing(mixed_conflict: str) -> None:
    with LangSmithServer(api_key=KEY, mixed_conflict=mixed_conflict) as server:
        configure(server)
        for fault in (Fault.LOSE_ANSWER, Fault.PARTIAL_CONFLICT, Fault.NONE) * 3:
            server.fault = fault
            run_turns(20)
            time.sleep(0.1)
        assert reamon.flush(60.0)
        check_story(server, 180)
        assert reamon.stats().dropped == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault", [Fault.HANG, Fault.REFUSE, Fault.UNAVAILABLE, Fault.UNAUTHORIZED], ids=lambda f: f.name
)
def test_the_end_is_bounded_whatever_the_service_does(fault: Fault) -> None:
    with LangSmithServer(api_key=KEY) as server:
        configure(server)
        server.fault = fault
        run_turns(TURNS)
        since = time.monotonic()
        assert reamon.shutdown(timeout=2.0), "on disk is safe"
        assert time.monotonic() - since < 2.5
        assert reamon.stats().spooled == {"langsmith": TURNS * SPANS_A_TURN}
        server.fault = Fault.NONE
        configure(server)
        assert reamon.flush(60.0)
        check_story(server, TURNS)


@pytest.mark.parametrize("fault", [Fault.UNAUTHORIZED, Fault.FORBIDDEN, Fault.NOT_FOUND], ids=lambda f: f.name)
def test_what_somebody_has_to_fix_is_said_once_and_nobody_has_to_restart(
    fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    with LangSmithServer(api_key=KEY) as server:
        configure(server)
        server.fault = fault
        run_turns(4)
        wait_until(lambda: reamon.stats().lanes["langsmith"].failures >= 3)
        lane = reamon.stats().lanes["langsmith"]
        assert lane.state == "paused"
        assert lane.fix is not None
        assert "LANGSMITH_" in lane.fix
        server.fault = Fault.NONE
        wait_until(lambda: len(server.runs) == 4 * SPANS_A_TURN)
        assert caplog.text.count("lane_paused") == 1
        assert KEY not in caplog.text


def test_a_recovery_is_noticed_within_ten_seconds_of_the_default_settings() -> None:
    with LangSmithServer(api_key=KEY) as server:
        exporter = LangSmithExporter(KEY, server.url, "calls")
        runtime = reamon.configure(exporters=[exporter], handle_sigterm=False)
        settings = runtime.settings
        assert max(settings.retry_cap, settings.breaker_rest) <= 10
        assert exporter._connection().timeouts[1] <= 10


POSITIONS = range(12)


@pytest.mark.slow
@pytest.mark.parametrize("position", POSITIONS)
@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_poisoned_run_is_dead_and_no_other_suffers(position: int, status: int) -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.poison_status = status
        server.poison = lambda run: run["name"] == "poison"
        configure(server)
        for number in POSITIONS:
            with reamon.trace_step("poison" if number == position else f"step {number}"):
                pass
        assert reamon.flush(30.0)
        assert sorted(run["name"] for run in server.runs.values()) == sorted(
            f"step {number}" for number in POSITIONS if number != position
        )
        assert set(server.writes.values()) == {1}
        assert reamon.stats().dropped == {"rejected": 1}


def test_a_poisoned_run_alone_is_given_up_within_a_flush() -> None:
    with LangSmithServer(api_key=KEY) as server:
        server.poison = lambda run: True
        configure(server)
        with reamon.trace_step("poison"):
            pass
        assert reamon.flush(20.0)
        assert reamon.stats().dropped == {"rejected": 1}
        server.poison = None
        run_turns(1)
        assert reamon.flush(20.0)
        check_story(server, 1)


def test_a_full_disk_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with LangSmithServer(api_key=KEY) as server:
        configure(server, home=tmp_path / "file")
        server.fault = Fault.UNAVAILABLE
        run_turns(20)
        wait_until(lambda: reamon.stats().lanes["langsmith"].failures >= 2)
        server.fault = Fault.NONE
        assert reamon.flush(30.0)
        check_story(server, 20)
