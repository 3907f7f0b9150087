"""The OTLP exporter: the contract of exporters, faults of the receiver, set-up, secrets."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import reamon
from reamon.errors import ConfigurationError, ExportError, Paused, Rejected, RetryAfter
from reamon.exporters import OTLPExporter
from reamon.exporters._no_answer import NoAnswer
from reamon.plugins import make
from reamon.settings import MonitoringSettings
from reamon.testing import check_exporter, make_span
from support.otlp_server import DROP, FORM, HANG, LOSE_ANSWER, NOT_HTTP, Fault, OTLPServer

KEY = "secret-0123456789"


@pytest.fixture
def server() -> Iterator[OTLPServer]:
    with OTLPServer({"api-key": KEY}) as server:
        yield server
        assert server.violations == []


def exporter_to(server: OTLPServer, **options: Any) -> OTLPExporter:
    defaults = {"headers": {"api-key": KEY}, "connect_timeout": 10.0, "read_timeout": 10.0}
    return OTLPExporter(server.base, **{**defaults, **options})


def answer(status: int, body: bytes = b"", form: str = "text/plain", **headers: str) -> Fault:
    return status, body, {"Content-Type": form, **{name.replace("_", "-"): text for name, text in headers.items()}}


# -- the contract ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["gzip", "deflate", "none"])
def test_it_keeps_the_contract(server: OTLPServer, compression: str) -> None:
    check_exporter(
        lambda: exporter_to(server, compression=compression, read_timeout=10.0), read_back=lambda: set(server.ids)
    )


def test_it_is_found_by_its_name_with_the_options_of_the_settings() -> None:
    settings = MonitoringSettings(otlp={"endpoint": "http://collector:4318", "batch_size": 7})
    (exporter,) = make("exporters", ["otlp"], settings.options_of)
    assert isinstance(exporter, OTLPExporter)
    assert (exporter.destination, exporter.batch_size) == ("otlp http://collector:4318/v1/traces", 7)


def test_spans_come_from_a_configured_process(server: OTLPServer, tmp_path: Path) -> None:
    reamon.configure(exporters=[exporter_to(server, service_name="voice")], home=tmp_path)
    with reamon.trace_workflow("turn", call_id="call 1"), reamon.trace_agent("qualify"):
        pass
    assert reamon.flush(5)
    turn, agent = server.spans["invoke_workflow turn"], server.spans["invoke_agent qualify"]
    assert agent.parent_id == turn.span_id
    assert agent.trace_id == turn.trace_id
    assert turn.resource["service.name"] == "voice"
    assert agent.attributes["gen_ai.conversation.id"] == "call 1"


# -- a receiver in trouble -------------------------------------------------------------------------------------------

NOT_OTLP = b"<html>Sign in to the network</html>"


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        (answer(503), ExportError),
        (answer(500), ExportError),
        (answer(504), ExportError),
        (answer(408), ExportError),
        (answer(302, Location="/elsewhere"), ExportError),
        (answer(200, NOT_OTLP, "text/html"), ExportError),
        (answer(200, NOT_OTLP), ExportError),
        (answer(200, NOT_OTLP, FORM), ExportError),
        (answer(200, b"{", "application/json"), ExportError),
        (answer(503, Retry_After="7"), RetryAfter),
        (answer(429, Retry_After="7"), RetryAfter),
        (answer(429, Retry_After="soon"), ExportError),
        (answer(401), Paused),
        (answer(403), Paused),
        (answer(404), Paused),
        (answer(415), Paused),
        (answer(400, b"bad"), Rejected),
        (answer(413), Rejected),
        (answer(422), Rejected),
        (HANG, NoAnswer),
        (DROP, NoAnswer),
        (NOT_HTTP, NoAnswer),
        (LOSE_ANSWER, NoAnswer),
    ],
)
def test_each_fault_is_told_to_the_lane_at_once_and_asked_once(
    server: OTLPServer, fault: Fault, raised: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    server.always = fault
    exporter = exporter_to(server, read_timeout=1.0 if fault is HANG else 10.0)
    exporter.open()
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING), pytest.raises(ExportError) as told:
        exporter.export([make_span("one"), make_span("two")])
    assert type(told.value) is raised
    assert time.monotonic() - begun < 5.0
    assert len(server.requests) == 1
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []
    server.always = None
    exporter.export([make_span("three")])
    assert server.received[-1].name == "three"


def test_nobody_listens_and_nothing_is_logged_but_by_the_lane() -> None:
    exporter = OTLPExporter("http://127.0.0.1:1", connect_timeout=1.0)
    with pytest.raises(NoAnswer, match=r"127\.0\.0\.1:1: the connection was refused"):
        exporter.export([make_span()])


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("999999", 3600.0)])
def test_the_receiver_says_when_to_come_back(server: OTLPServer, said: str, seconds: float) -> None:
    server.always = answer(503, b"busy", Retry_After=said)
    with pytest.raises(RetryAfter, match="503 Service Unavailable: busy") as told:
        exporter_to(server).export([make_span()])
    assert told.value.seconds == seconds


def test_a_refusal_is_uncertain_and_names_no_span(server: OTLPServer) -> None:
    server.always = answer(400, b"bad span")
    with pytest.raises(Rejected) as told:
        exporter_to(server).export([make_span(), make_span()])
    assert (told.value.span_ids, told.value.certain) == (None, False)


@pytest.mark.parametrize("form", [b'{"partialSuccess": {}}', b"{}", b""])
def test_success_may_be_said_in_json(server: OTLPServer, form: bytes) -> None:
    server.always = answer(200, form, "application/json")
    exporter_to(server).export([make_span()])


def test_rejections_may_be_said_in_json(server: OTLPServer) -> None:
    server.always = answer(
        200, b'{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}', "application/json"
    )
    with pytest.raises(Rejected, match="1 of 2 spans were rejected: too old"):
        exporter_to(server).export([make_span(), make_span()])


def test_a_warning_is_logged_and_the_spans_are_delivered(server: OTLPServer, caplog: pytest.LogCaptureFixture) -> None:
    server.always = answer(200, b'{"partialSuccess": {"errorMessage": "use v2"}}', "application/json")
    exporter_to(server).export([make_span()])
    assert "use v2" in caplog.text


# -- through the lane ------------------------------------------------------------------------------------------------


def configured(server: OTLPServer, tmp_path: Path) -> None:
    reamon.configure(exporters=[exporter_to(server)], home=tmp_path, retry_base=0.01, retry_cap=0.05, breaker_rest=0.05)


def steps(*names: str) -> None:
    for name in names:
        reamon.start_span("step", name).end()


@pytest.mark.parametrize("how", ["bad request", "partial success"])
def test_one_poisoned_span_becomes_a_dead_letter_and_all_others_arrive(
    server: OTLPServer, tmp_path: Path, how: str
) -> None:
    if how == "bad request":
        server.poison = lambda span: span.name == "step 13"
    else:
        server.unwanted = lambda span: span.name == "step 13"
    configured(server, tmp_path)
    steps(*(f"step {number}" for number in range(40)))
    assert reamon.flush(10)
    assert {span.name for span in server.received} == {f"step {number}" for number in range(40)} - {"step 13"}
    stats = reamon.stats()
    assert (stats.exported["otlp"], stats.dropped["rejected"]) == (39, 1)


def test_a_receiver_that_comes_back_gets_everything(server: OTLPServer, tmp_path: Path) -> None:
    server.always = answer(503)
    configured(server, tmp_path)
    steps("one", "two")
    assert not reamon.flush(0.2)
    server.always = None
    assert reamon.flush(5)
    assert {span.name for span in server.received} == {"one", "two"}
    assert reamon.stats().exported == {"otlp": 2}


def test_a_key_that_is_wrong_pauses_the_lane_and_shows_nowhere(
    server: OTLPServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    server.always = answer(401, f"no such key: {KEY}".encode())
    configured(server, tmp_path)
    steps("one")
    reamon.flush(0.5)
    assert "REAMON_OTLP__HEADERS" in caplog.text
    assert KEY not in caplog.text + str(reamon.stats())


def test_shutdown_is_bounded_while_the_receiver_hangs(server: OTLPServer, tmp_path: Path) -> None:
    server.always = HANG
    reamon.configure(exporters=[exporter_to(server, read_timeout=30.0)], home=tmp_path)
    steps("one")
    begun = time.monotonic()
    reamon.shutdown(0.5)
    assert time.monotonic() - begun < 2.0


def test_what_cannot_be_said_is_a_dead_letter_and_the_others_arrive(server: OTLPServer) -> None:
    odd = make_span("odd", span_id="no uuid")
    with pytest.raises(Rejected, match="it cannot be said in OTLP") as told:
        exporter_to(server).export([odd, make_span("good")])
    assert told.value.span_ids == ("no uuid",)
    assert [span.name for span in server.received] == ["good"]


# -- set-up ----------------------------------------------------------------------------------------------------------


def test_secrets_are_in_no_text(server: OTLPServer) -> None:
    exporter = exporter_to(server)
    settings = MonitoringSettings(otlp={"headers": f"api-key={KEY}"})
    for text in (repr(exporter), exporter.destination, repr(settings), settings.model_dump_json()):
        assert KEY not in text


def test_headers_that_are_meant_for_others_are_not_sent(server: OTLPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-their-key=theirs")
    exporter_to(server).export([make_span()])
    assert "theirs" not in str(server.requests)
    server.headers = {"x-their-key": "theirs"}
    OTLPExporter(server.base).export([make_span()])


def test_a_mapping_of_headers_is_taken_as_it_is(server: OTLPServer) -> None:
    server.headers = {"authorization": "Basic a=b,c%20d =="}
    OTLPExporter(server.base, headers={"Authorization": "Basic a=b,c%20d =="}).export([make_span()])


def test_a_redirect_is_not_followed_with_the_key(server: OTLPServer) -> None:
    with OTLPServer() as other:
        server.always = answer(307, Location=other.url)
        with pytest.raises(ExportError, match="redirect"):
            exporter_to(server).export([make_span()])
        assert other.requests == []


@pytest.mark.parametrize("option", ["certificate", "client_certificate", "client_key"])
def test_a_file_that_is_not_there_is_told_when_it_opens(option: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"otlp\.{option} = '/no/such/file'"):
        OTLPExporter(**{option: "/no/such/file"}).open()


def test_without_the_packages_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['opentelemetry'] = None\n"
        "from reamon.exporters import OTLPExporter\n"
        "import reamon\n"
        "try: reamon.configure(exporters=[OTLPExporter()])\n"
        "except reamon.errors.MissingExtraError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'reamon[otlp]'" in ran.stdout


@pytest.mark.current_sdk
def test_its_own_requests_are_not_instrumented(server: OTLPServer) -> None:
    requests_instrumentor = pytest.importorskip("opentelemetry.instrumentation.requests").RequestsInstrumentor()
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    seen = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(seen))
    requests_instrumentor.instrument(tracer_provider=provider)
    try:
        exporter_to(server).export([make_span()])
    finally:
        requests_instrumentor.uninstrument()
    assert seen.get_finished_spans() == ()


def test_a_forked_child_has_a_connection_of_its_own(server: OTLPServer) -> None:
    exporter = exporter_to(server)
    exporter.export([make_span("parent")])
    child = os.fork()
    if child == 0:
        try:
            exporter.after_fork()
            exporter.export([make_span("child")])
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    exporter.export([make_span("parent again")])
    assert [span.name for span in server.received] == ["parent", "child", "parent again"]
