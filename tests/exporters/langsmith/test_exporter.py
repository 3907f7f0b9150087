"""The LangSmith exporter: the contract of exporters, set-up, age, workflows that appear at their start."""

import logging
import math
import os
import subprocess
import sys
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from reamon.errors import ConfigurationError, ExportError, Paused, Rejected, RetryAfter
from reamon.exporters import LangSmithExporter
from reamon.exporters.langsmith.connection import NoAnswer
from reamon.model import Span, SpanStatus
from reamon.model.times import NANOS_PER_SECOND
from reamon.plugins import make
from reamon.settings import MonitoringSettings
from reamon.testing import check_exporter, make_span
from reamon.testing.time import START_NS
from support.langsmith_server import Fault, LangSmithServer

KEY = "lsv2_pt_0123456789abcdef"
HOSTED = "https://api.smith.langchain.com"
ELSEWHERE = "http://127.0.0.1:9"
DAY = 86_400


@pytest.fixture
def server() -> Iterator[LangSmithServer]:
    with LangSmithServer(api_key=KEY) as server:
        server.now = lambda: datetime.fromtimestamp(START_NS / NANOS_PER_SECOND, UTC)
        yield server


def exporter_to(server: LangSmithServer, **options: Any) -> LangSmithExporter:
    defaults = {"project": "calls", "connect_timeout": 10.0, "read_timeout": 10.0, "now": lambda: START_NS}
    return LangSmithExporter(KEY, server.url, **{**defaults, **options})


# -- the contract ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("info_status", [200, 404])
def test_it_keeps_the_contract(server: LangSmithServer, live: bool, info_status: int) -> None:
    server.info_status = info_status
    check_exporter(
        lambda: exporter_to(server, live=live, read_timeout=10.0), read_back=lambda: server.runs, exactly_once=True
    )
    assert all("end_time" in run for run in server.runs.values())
    assert set(server.writes.values()) == {1}
    assert server.violations == []


def test_runs_are_there_when_export_returns(server: LangSmithServer) -> None:
    turn = make_span("turn", "workflow", call_id="call-1", project="their own")
    reply = make_span("reply", "llm", parent=turn, input={"text": "hello"})
    step = make_span("step")
    exporter_to(server).export([reply, turn, step])
    assert server.runs[reply.span_id]["parent_run_id"] == turn.span_id
    assert server.runs[reply.span_id]["inputs"] == {"text": "hello"}
    assert [server.runs[span.span_id]["session_name"] for span in (turn, step)] == ["their own", "calls"]


def test_what_is_to_be_hidden_is_not_sent(server: LangSmithServer) -> None:
    span = make_span(input={"secret": 1}, output={"secret": 2}, attributes={"secret": 3})
    exporter_to(server, hide_inputs=True, hide_outputs=True, hide_metadata=True).export([span])
    assert "secret" not in str(server.runs[span.span_id])


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (Fault.ERROR_500, ExportError),
        (Fault.UNAVAILABLE, ExportError),
        (Fault.RATE_LIMITED, RetryAfter),
        (Fault.RATE_LIMITED_SILENT, ExportError),
        (Fault.UNAUTHORIZED, Paused),
        (Fault.FORBIDDEN, Paused),
        (Fault.NOT_FOUND, Paused),
        (Fault.REQUEST_TIMEOUT, ExportError),
        (Fault.TOO_LARGE, Rejected),
        (Fault.INVALID, Rejected),
        (Fault.GARBAGE, ExportError),
        (Fault.REDIRECT, ExportError),
        (Fault.REFUSE, NoAnswer),
        (Fault.HANG, NoAnswer),
        (Fault.DROP, NoAnswer),
        (Fault.NOT_HTTP, NoAnswer),
        (Fault.CUT_OFF, NoAnswer),
        (Fault.LOSE_ANSWER, NoAnswer),
    ],
)
def test_whatever_goes_wrong_is_raised_and_the_next_attempt_delivers(
    server: LangSmithServer, fault: Fault, raised: type[ExportError], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    exporter = exporter_to(server, read_timeout=1.0 if fault is Fault.HANG else 10.0)
    batch = [make_span() for _ in range(5)]
    server.fault = fault
    with pytest.raises(ExportError) as caught:
        exporter.export(batch)
    assert type(caught.value) is raised
    assert KEY not in "".join(traceback.format_exception(caught.value)) + caplog.text
    server.fault = Fault.NONE
    exporter.export(batch)
    assert server.runs.keys() == {span.span_id for span in batch}
    assert set(server.writes.values()) == {1}


@pytest.mark.parametrize("fault", [Fault.SLOW, Fault.PARTIAL_CONFLICT])
def test_what_can_be_overcome_is_not_raised(server: LangSmithServer, fault: Fault) -> None:
    server.fault = [fault]
    server.slow_seconds = 0.05
    batch = [make_span() for _ in range(5)]
    exporter_to(server).export(batch)
    assert server.runs.keys() == {span.span_id for span in batch}
    assert set(server.writes.values()) == {1}


# -- age -------------------------------------------------------------------------------------------------------------


def aged(seconds: float) -> Span:
    """A span that began so many seconds before now."""
    return make_span(start_ns=START_NS - int(seconds * NANOS_PER_SECOND))


@pytest.mark.parametrize("too_old", [DAY + 1, DAY - 1, 25 * DAY, -DAY - 1])
def test_what_is_too_old_is_not_sent_and_the_rest_is_delivered(server: LangSmithServer, too_old: float) -> None:
    old, young = aged(too_old), aged(DAY - 60)
    with pytest.raises(Rejected, match="began more than 86400 s from now") as caught:
        exporter_to(server).export([old, young])
    assert caught.value.span_ids == (old.span_id,)
    assert caught.value.counted_as == "too_old"
    assert server.runs.keys() == {young.span_id}
    assert server.violations == []


def test_where_all_are_too_old_nobody_is_asked(server: LangSmithServer) -> None:
    with pytest.raises(Rejected):
        exporter_to(server).export([aged(2 * DAY)])
    assert server.requests == []


def test_while_the_rest_cannot_be_delivered_nothing_is_given_up(server: LangSmithServer) -> None:
    server.fault = Fault.UNAVAILABLE
    with pytest.raises(ExportError, match="503"):
        exporter_to(server).export([aged(2 * DAY), aged(0)])


@pytest.mark.parametrize(("max_age", "age"), [(math.inf, 10_000 * DAY), (10.0, 4.0)])
def test_the_age_can_be_set(server: LangSmithServer, max_age: float, age: float) -> None:
    span = aged(age)
    server.now = lambda: datetime.fromtimestamp(span.start_ns / NANOS_PER_SECOND, UTC)
    exporter_to(server, max_age=max_age).export([span])
    assert server.runs.keys() == {span.span_id}


# -- live ------------------------------------------------------------------------------------------------------------


def turn() -> tuple[Span, Span]:
    """A workflow as it begins, and as it ends."""
    running = make_span("turn", "workflow", status=SpanStatus.RUNNING, input={"text": "hello"})
    return running, running.replace(status=SpanStatus.OK, end_ns=running.start_ns + 10_000_000)


def is_over(server: LangSmithServer, span: Span) -> bool:
    return server.runs[span.span_id].get("end_time") is not None


def test_unless_told_so_it_does_not_want_to_know_of_starts(server: LangSmithServer) -> None:
    assert not hasattr(exporter_to(server), "started")


def test_a_live_workflow_is_there_from_its_start(server: LangSmithServer) -> None:
    exporter, (running, ended) = exporter_to(server, live=True), turn()
    exporter.started([running])
    assert not is_over(server, ended)
    exporter.export([make_span(parent=ended), ended])
    assert is_over(server, ended)
    assert [request.status for request in server.requests] == [200, 202, 202]
    assert set(server.writes.values()) == {1}


@pytest.mark.parametrize("live", [True, False])
def test_a_workflow_that_began_before_a_restart_is_ended_after_it(server: LangSmithServer, live: bool) -> None:
    running, ended = turn()
    exporter_to(server, live=True).started([running])
    exporter_to(server, live=live).export([make_span(parent=ended), ended])
    assert is_over(server, ended)
    assert set(server.writes.values()) == {1}


def test_a_start_may_be_told_twice(server: LangSmithServer) -> None:
    exporter, (running, _) = exporter_to(server, live=True), turn()
    exporter.started([running])
    exporter.started([running])
    assert server.writes == {running.span_id: 1}


def test_a_start_that_was_lost_is_not_missed(server: LangSmithServer) -> None:
    exporter, (running, ended) = exporter_to(server, live=True), turn()
    server.fault = [Fault.UNAVAILABLE]
    with pytest.raises(ExportError):
        exporter.started([running])
    exporter.export([ended])
    assert is_over(server, ended)


def test_starts_that_failed_half_way_are_ended_all_the_same(server: LangSmithServer) -> None:
    server.info["batch_ingest_config"]["size_limit"] = 1
    exporter, turns = exporter_to(server, live=True), [turn(), turn()]
    server.fault = [Fault.NONE, Fault.UNAVAILABLE]
    with pytest.raises(ExportError):
        exporter.started([running for running, _ in turns])
    exporter.export([ended for _, ended in turns])
    assert all(is_over(server, ended) for _, ended in turns)


# -- set-up ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", [None, HOSTED, "https://eu.api.smith.langchain.com"])
def test_without_a_key_the_hosted_service_cannot_be_used(endpoint: str | None) -> None:
    with pytest.raises(ConfigurationError, match="set LANGSMITH_API_KEY"):
        LangSmithExporter(endpoint=endpoint)


def test_a_server_of_your_own_may_want_no_key() -> None:
    with LangSmithServer() as server:
        span = make_span()
        server.now = lambda: datetime.fromtimestamp(START_NS / NANOS_PER_SECOND, UTC)
        LangSmithExporter(endpoint=server.url, now=lambda: START_NS).export([span])
        assert server.runs.keys() == {span.span_id}


@pytest.mark.parametrize("endpoint", ["ftp://127.0.0.1", "langsmith", "http://", "http://a b", "http://me:pw@host"])
def test_an_endpoint_that_is_no_address_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint"):
        LangSmithExporter(KEY, endpoint)


@pytest.mark.parametrize("key", ["lsv2 0123456789abcdef", "lsv2_0123456789\nabcdef", "lsv2_0123456789abcdéf"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(key: str) -> None:
    with pytest.raises(ConfigurationError, match="api_key") as caught:
        LangSmithExporter(key, ELSEWHERE)
    assert "0123456789" not in "".join(traceback.format_exception(caught.value))


def test_the_key_is_no_part_of_its_names() -> None:
    exporter = LangSmithExporter(KEY, ELSEWHERE, "calls", workspace_id="w-1")
    assert repr(exporter) == f"LangSmithExporter(endpoint='{ELSEWHERE}', project='calls', name='langsmith')"
    assert exporter.destination == f"langsmith {ELSEWHERE} workspace w-1 project calls"
    assert KEY not in str(vars(exporter))


def test_destinations_differ_where_runs_go_elsewhere() -> None:
    exporters = [
        LangSmithExporter(KEY, ELSEWHERE, "calls"),
        LangSmithExporter(KEY, ELSEWHERE, "others"),
        LangSmithExporter(KEY, ELSEWHERE, "calls", workspace_id="w-1"),
        LangSmithExporter(KEY, "http://127.0.0.1:10", "calls"),
    ]
    assert len({exporter.destination for exporter in exporters}) == 4
    assert LangSmithExporter("another", ELSEWHERE, "calls").destination == exporters[0].destination


def test_what_is_not_given_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", KEY)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", ELSEWHERE)
    monkeypatch.setenv("LANGCHAIN_PROJECT", "calls")
    monkeypatch.setenv("REAMON_LANGSMITH__BATCH_SIZE", "7")
    exporter = LangSmithExporter(flush_interval=3.0)
    assert exporter.destination == f"langsmith {ELSEWHERE} project calls"
    assert (exporter.batch_size, exporter.batch_bytes, exporter.flush_interval) == (7, 10_485_760, 3.0)


def test_settings_make_it_by_name() -> None:
    settings = MonitoringSettings(
        exporters="langsmith", langsmith={"api_key": SecretStr(KEY), "endpoint": ELSEWHERE}, project="calls"
    )
    (exporter,) = make("exporters", settings.exporters, settings.options_of)
    assert isinstance(exporter, LangSmithExporter)
    assert exporter.destination == f"langsmith {ELSEWHERE} project calls"


def test_two_of_them_can_have_names() -> None:
    assert LangSmithExporter(KEY, ELSEWHERE, name="staging").name == "staging"


def test_opening_says_what_the_sdk_would_not_bear(monkeypatch: pytest.MonkeyPatch) -> None:
    exporter = LangSmithExporter(KEY, ELSEWHERE)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", ELSEWHERE)
    monkeypatch.setenv("LANGSMITH_RUNS_ENDPOINTS", "{}")
    with pytest.raises(ConfigurationError, match="unset one of them"):
        exporter.open()


def run_python(program: str, *arguments: str, **environment: str) -> str:
    """The standard output of a program in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYDANTIC_DISABLE_PLUGINS": "1", **environment},  # plugins import what does not concern us
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_making_one_imports_neither_the_sdk_nor_what_it_brings() -> None:
    program = """
import sys
from reamon.exporters import LangSmithExporter
LangSmithExporter("lsv2_pt_0123456789abcdef", "http://127.0.0.1:9")
print(sorted(name for name in ("langsmith", "requests", "httpx", "urllib3", "zstandard") if name in sys.modules))
"""
    assert run_python(program) == "[]\n"


@pytest.mark.slow
def test_a_program_that_ends_at_once_delivers_what_it_has() -> None:
    """When it sends, the interpreter is ending already, and modules of the SDK could no longer be imported."""
    program = """
import sys, reamon
from reamon.exporters import LangSmithExporter
reamon.configure(exporters=[LangSmithExporter("lsv2_pt_0123456789abcdef", sys.argv[1], flush_interval=30)])
with reamon.trace_workflow("only one"):
    pass
"""
    with LangSmithServer(api_key=KEY) as server:
        run_python(program, server.url, REAMON_SHUTDOWN_TIMEOUT="20")
        assert [run["name"] for run in server.runs.values()] == ["only one"]
